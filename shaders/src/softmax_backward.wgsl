// The gradient of softmax by its output: y · (grad - Σ grad · y), a team of invocations a row.
@group(0) @binding(0) var<storage, read_write> y: array<f32>;    // [rows, d]
@group(0) @binding(1) var<storage, read_write> grad: array<f32>; // [rows, d]
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;   // [rows, d]
@group(0) @binding(3) var<storage, read> info: array<u32>; // rows, d, grid_x

@compute @workgroup_size({{ workgroup }}, 1, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let d = info[1];
    let row = (wid.y * info[2] + wid.x) * ({{ workgroup }}u / TEAM) + lid / TEAM;
    let first = min(row, info[0] - 1u) * d;
    var along = 0.0;
    for (var c = lid % TEAM; c < d; c += TEAM) { along += grad[first + c] * y[first + c]; }
    along = total(lid, along);
    if (row >= info[0]) { return; }
    for (var c = lid % TEAM; c < d; c += TEAM) {
        dx[first + c] = y[first + c] * (grad[first + c] - along);
    }
}
