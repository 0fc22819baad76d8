// Gradients of rms_norm: of x, and of the weight each workgroup's share over its rows, which are
// summed afterwards.
@group(0) @binding(0) var<storage, read_write> x: array<f32>;        // [rows, d]
@group(0) @binding(1) var<storage, read_write> weight: array<f32>;   // [d]
@group(0) @binding(2) var<storage, read_write> grad: array<f32>;     // [rows, d]
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;       // [rows, d]
@group(0) @binding(4) var<storage, read_write> partials: array<f32>; // [groups, d]
@group(0) @binding(5) var<storage, read> info: array<u32>;     // rows, d, grid_x, ε as bits

const FOR_WEIGHT: bool = {{ for_weight }}u != 0u;

@compute @workgroup_size({{ workgroup }}, 1, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let rows = info[0];
    let d = info[1];
    let groups = (rows + {{ rows }}u - 1u) / {{ rows }}u;
    let group = wid.y * info[2] + wid.x;
    for (var turn = 0u; turn < {{ rows }}u; turn++) {
        let row = group * {{ rows }}u + turn;
        let first = min(row, rows - 1u) * d;
        var square = 0.0;
        var along = 0.0;
        for (var c = lid; c < d; c += {{ workgroup }}u) {
            let value = x[first + c];
            square += value * value;
            along += grad[first + c] * weight[c] * value;
        }
        let mean = total(lid, square) / f32(d);
        let root = 1.0 / sqrt(mean + bitcast<f32>(info[3]));
        let back = total(lid, along) * root * root * root / f32(d);
        if (row < rows) {
            for (var c = lid; c < d; c += {{ workgroup }}u) {
                let value = x[first + c];
                let given = grad[first + c];
                dx[first + c] = root * given * weight[c] - back * value;
                if (FOR_WEIGHT && group < groups) {
                    let share = given * value * root;
                    if (turn == 0u) { partials[group * d + c] = share; }
                    else { partials[group * d + c] += share; }
                }
            }
        }
    }
}
