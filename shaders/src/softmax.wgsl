// y = exp(x - max) / Σ exp(x - max), a workgroup a row.
@group(0) @binding(0) var<storage, read_write> x: array<f32>;    // [rows, d]
@group(0) @binding(1) var<storage, read_write> y: array<f32>;    // [rows, d]
@group(0) @binding(2) var<storage, read_write> info: array<u32>; // rows, d, grid_x

@compute @workgroup_size({{ workgroup }}, 1, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let d = info[1];
    let first = min(wid.y * info[2] + wid.x, info[0] - 1u) * d;
    var most = x[first];
    for (var c = lid; c < d; c += {{ workgroup }}u) { most = max(most, x[first + c]); }
    most = largest(lid, most);
    var sum = 0.0;
    for (var c = lid; c < d; c += {{ workgroup }}u) {
        let power = exp(x[first + c] - most);
        y[first + c] = power;
        sum += power;
    }
    sum = total(lid, sum);
    for (var c = lid; c < d; c += {{ workgroup }}u) { y[first + c] /= sum; }
}
