// y = x + up(gelu_new(down(x))), both projections LPHM with one shared rule A.
// Every binding is read_write: several may be slices of one pooled buffer.
@group(0) @binding(0) var<storage, read_write> x: array<Wide>;      // [rows, k]
@group(0) @binding(1) var<storage, read_write> rule: array<f32>;   // [n, n, n]
@group(0) @binding(2) var<storage, read_write> packed: array<Wide>; // see shared/adapter.wgsl
@group(0) @binding(3) var<storage, read_write> y: array<Wide>;      // [rows, k]
@group(0) @binding(4) var<storage, read> info: array<u32>;   // rows, grid_x, tiles

fn wide_value(source: u32, at: u32) -> Wide { return x[at]; }

// The same part of a line as on the way in, while its numbers are near.
fn wide_out(row0: u32, rows: u32, lid: u32) {
    for (var o = lid; o < LINES * PARTS; o += WG) {
        let line = o / PARTS;
        let part = o % PARTS;
        let block = line % N;
        let row = row0 + line / N;
        let start = (row * K + block * KP) / LANES;
        for (var first = part; row < rows && first < WIDE_KP; first += {{ batch }}u * PARTS) {
            // All loads before the first store, which the compiler may not move them over.
            {% for step in batch %}
            let q_{{ step }} = min(first + {{ step }}u * PARTS, WIDE_KP - 1u);
            var sum_{{ step }} = x[start + q_{{ step }}];
            let bias_{{ step }} = packed[(B_UP + block * KP) / LANES + q_{{ step }}];
            {% endfor %}
            {% for step in batch %}
            sum_{{ step }} += bias_{{ step }};
            {% for channel in channels %}
            sum_{{ step }} +=
                small[SMALL + line * NR + {{ channel }}u] * factor(1u, {{ channel }}u, q_{{ step }});
            {% endfor %}
            if (first + {{ step }}u * PARTS < WIDE_KP) { y[start + q_{{ step }}] = sum_{{ step }}; }
            {% endfor %}
        }
    }
}

@compute @workgroup_size({{ workgroup }}, 1, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    if (lid == 0u) { sizes = vec4<u32>(info[0], info[1], info[2], 0u); }
    let size = workgroupUniformLoad(&sizes);
    let rows = size.x;
    stage(lid);
    for (var tile = 0u; tile < size.z; tile++) {
        let row0 = ((wid.y * size.y + wid.x) * size.z + tile) * ROWS;
        if (row0 >= rows) { break; }
        wide_in(0u, 0u, row0, rows, lid); // u; ends with a barrier
        mix_blocks(0u, 1u, false, lid); // v
        workgroupBarrier();
        down_out(1u, lid);
        workgroupBarrier();
        up_in(0u, lid);
        workgroupBarrier();
        mix_blocks(0u, 1u, false, lid);
        workgroupBarrier();
        wide_out(row0, rows, lid);
        workgroupBarrier();
    }
}
