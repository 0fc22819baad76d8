// z[j] = G[j] · h[Π(j) mod P]
@group(0) @binding(0) var<storage, read_write> h: array<f32>;      // [P]
@group(0) @binding(1) var<storage, read_write> levels: array<f32>; // [4096]
@group(0) @binding(2) var<storage, read_write> z: array<f32>;      // [size]

@compute @workgroup_size({{ workgroup }}, 1, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let j = (wid.y * info[17] + wid.x) * {{ workgroup }}u + lid;
    if (j > info[0]) { return; }
    z[j] = levels[level(j)] * h[permuted(j) & info[1]];
}
