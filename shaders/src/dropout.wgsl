// Zeroes the elements whose hash is below the threshold and scales the rest. All in integers but
// one multiplication, so that every backend gives the same bits.
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
// len, grid_x, two keys, threshold, scale as bits
@group(0) @binding(2) var<storage, read> info: array<u32>;

fn mix_bits(word: u32) -> u32 {
    var hash = word;
    hash = (hash ^ (hash >> 16u)) * 0x85ebca6bu;
    hash = (hash ^ (hash >> 13u)) * 0xc2b2ae35u;
    return hash ^ (hash >> 16u);
}

@compute @workgroup_size({{ workgroup }}, 1, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let o = (wid.y * info[1] + wid.x) * {{ workgroup }}u + lid;
    if (o >= info[0]) { return; }
    let hash = mix_bits(mix_bits(o ^ info[2]) + info[3]);
    if (hash >= info[4]) { y[o] = x[o] * bitcast<f32>(info[5]); } else { y[o] = 0.0; }
}
