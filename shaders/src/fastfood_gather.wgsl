// The transpose of fastfood_spread in slices, which are summed afterwards:
// sums[s, p] = Σ_k G[j] · z[j] with j = Π⁻¹(p + k P), k of slice s.
@group(0) @binding(0) var<storage, read_write> z: array<f32>;      // [size]
@group(0) @binding(1) var<storage, read_write> levels: array<f32>; // [4096]
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;   // [slices, P]

@compute @workgroup_size({{ workgroup }}, 1, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let o = (wid.y * info[17] + wid.x) * {{ workgroup }}u + lid;
    let period = info[1] + 1u;
    let turns = info[18]; // of one slice
    let first = (o / period) * turns;
    let whole = (info[0] + 1u) / period;
    if (first >= whole) { return; }
    var sum = 0.0;
    for (var k = first; k < min(first + turns, whole); k++) {
        let j = permuted_back(o % period + k * period);
        sum += levels[level(j)] * z[j];
    }
    sums[o] = sum;
}
