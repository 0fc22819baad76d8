// y = x + up(gelu_new(down(x))), both projections LPHM with one shared rule A.
// Every binding is read_write: several may be slices of one pooled buffer.
@group(0) @binding(0) var<storage, read_write> x: array<f32>;      // [rows, k]
@group(0) @binding(1) var<storage, read_write> rule: array<f32>;   // [n, n, n]
@group(0) @binding(2) var<storage, read_write> packed: array<f32>; // see shared/adapter.wgsl
@group(0) @binding(3) var<storage, read_write> y: array<f32>;      // [rows, k]
@group(0) @binding(4) var<storage, read_write> info: array<u32>;   // rows, grid_x

fn wide_value(source: u32, index: u32) -> f32 { return x[index]; }

@compute @workgroup_size({{ workgroup }}, 1, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    if (lid == 0u) { sizes = vec4<u32>(info[0], info[1], 0u, 0u); }
    let size = workgroupUniformLoad(&sizes);
    let rows = size.x;
    let row0 = (wid.y * size.y + wid.x) * ROWS;
    if (row0 >= rows) { return; }
    stage_rule(lid);
    wide_in(0u, 0u, row0, rows, lid); // u; ends with a barrier
    mix_blocks(0u, 1u, false, lid); // v
    workgroupBarrier();
    down_out(1u, lid);
    workgroupBarrier();
    up_in(0u, lid);
    workgroupBarrier();
    mix_blocks(0u, 1u, false, lid);
    workgroupBarrier();
    let count = min(ROWS, rows - row0) * K;
    for (var o = lid; o < count; o += WG) {
        let j = o % K;
        let line = (o / K) * N + j / KP;
        var sum = x[row0 * K + o] + packed[B_UP + j];
        for (var channel = 0u; channel < NR; channel++) {
            sum += small[SMALL + line * NR + channel] * packed[T_UP + channel * KP + j % KP];
        }
        y[row0 * K + o] = sum;
    }
}
