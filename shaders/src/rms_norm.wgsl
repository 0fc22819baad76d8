// y = x / sqrt(mean(x²) + ε) · w, a team of invocations a row.
@group(0) @binding(0) var<storage, read_write> x: array<f32>;      // [rows, d]
@group(0) @binding(1) var<storage, read_write> weight: array<f32>; // [d]
@group(0) @binding(2) var<storage, read_write> y: array<f32>;      // [rows, d]
@group(0) @binding(3) var<storage, read> info: array<u32>;   // rows, d, grid_x, ε as bits

@compute @workgroup_size({{ workgroup }}, 1, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let d = info[1];
    let row = (wid.y * info[2] + wid.x) * ({{ workgroup }}u / TEAM) + lid / TEAM;
    // Nobody leaves before the barriers: those beyond the last row sum that row once more.
    let first = min(row, info[0] - 1u) * d;
    var square = 0.0;
    for (var c = lid % TEAM; c < d; c += TEAM) { square += x[first + c] * x[first + c]; }
    let mean = total(lid, square) / f32(d);
    let root = 1.0 / sqrt(mean + bitcast<f32>(info[3]));
    if (row >= info[0]) { return; }
    for (var c = lid % TEAM; c < d; c += TEAM) { y[first + c] = x[first + c] * root * weight[c]; }
}
