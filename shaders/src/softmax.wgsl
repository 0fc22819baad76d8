// y = exp(x - max) / Σ exp(x - max), a team of invocations a row.
@group(0) @binding(0) var<storage, read_write> x: array<f32>;    // [rows, d]
@group(0) @binding(1) var<storage, read_write> y: array<f32>;    // [rows, d]
@group(0) @binding(2) var<storage, read> info: array<u32>; // rows, d, grid_x

@compute @workgroup_size({{ workgroup }}, 1, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let d = info[1];
    let row = (wid.y * info[2] + wid.x) * ({{ workgroup }}u / TEAM) + lid / TEAM;
    let first = min(row, info[0] - 1u) * d;
    var most = x[first];
    for (var c = lid % TEAM; c < d; c += TEAM) { most = max(most, x[first + c]); }
    most = largest(lid, most);
    var sum = 0.0;
    for (var c = lid % TEAM; c < d; c += TEAM) { sum += exp(x[first + c] - most); }
    sum = total(lid, sum);
    if (row >= info[0]) { return; }
    for (var c = lid % TEAM; c < d; c += TEAM) { y[first + c] = exp(x[first + c] - most) / sum; }
}
