// AdamW: the moments follow the scaled gradient and its square, the weight their corrected quotient.
@group(0) @binding(0) var<storage, read_write> weight: array<f32>;
@group(0) @binding(1) var<storage, read_write> grad: array<f32>;
@group(0) @binding(2) var<storage, read_write> scale: array<f32>;       // one number
@group(0) @binding(3) var<storage, read_write> moments: array<f32>;     // [2, len]
@group(0) @binding(4) var<storage, read_write> new_weight: array<f32>;
@group(0) @binding(5) var<storage, read_write> new_moments: array<f32>; // [2, len]
// len, grid_x, then as bits: lr, two betas, epsilon, weight decay, two corrections
@group(0) @binding(6) var<storage, read> info: array<u32>;

fn number(at: u32) -> f32 { return bitcast<f32>(info[at]); }

@compute @workgroup_size({{ workgroup }}, 1, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let len = info[0];
    let o = (wid.y * info[1] + wid.x) * {{ workgroup }}u + lid;
    if (o >= len) { return; }
    let g = grad[o] * scale[0];
    let m = number(3u) * moments[o] + (1.0 - number(3u)) * g;
    let v = number(4u) * moments[len + o] + (1.0 - number(4u)) * g * g;
    let root = sqrt(v * number(8u)) + number(5u);
    let w = weight[o];
    new_weight[o] = w - number(2u) * (m * number(7u) / root + number(6u) * w);
    new_moments[o] = m;
    new_moments[len + o] = v;
}
