// Sums the slices that adapter_backward's workgroups left; 16 invocations share a sum.
@group(0) @binding(0) var<storage, read_write> partials: array<f32>; // [groups, total]
@group(0) @binding(1) var<storage, read_write> dpacked: array<f32>; // [len]
@group(0) @binding(2) var<storage, read_write> drule: array<f32>;   // [total - len]
@group(0) @binding(3) var<storage, read> info: array<u32>;    // len, total, groups, grid_x

const OUTPUTS: u32 = {{ outputs }}u;

var<workgroup> shares: array<f32, {{ workgroup }}>;

@compute @workgroup_size({{ workgroup }}, 1, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let total = info[1];
    let o = (wid.y * info[3] + wid.x) * OUTPUTS + lid % OUTPUTS;
    var sum = 0.0;
    if (o < total) {
        for (var group = lid / OUTPUTS; group < info[2]; group += {{ workgroup }}u / OUTPUTS) {
            sum += partials[group * total + o];
        }
    }
    shares[lid] = sum;
    workgroupBarrier();
    if (lid >= OUTPUTS || o >= total) { return; }
    for (var share = lid + OUTPUTS; share < {{ workgroup }}u; share += OUTPUTS) {
        sum += shares[share];
    }
    if (o < info[0]) { dpacked[o] = sum; } else { drule[o - info[0]] = sum; }
}
