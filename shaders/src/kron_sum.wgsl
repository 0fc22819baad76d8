// W[(a, p), (c, q)] = sum over i of A[i, a, c] * B[i, p, q].
@group(0) @binding(0) var<storage, read_write> a: array<f32>;    // [n, n, n]
@group(0) @binding(1) var<storage, read_write> b: array<f32>;    // [n, p, q]
@group(0) @binding(2) var<storage, read_write> w: array<f32>;    // [n·p, n·q]
@group(0) @binding(3) var<storage, read> info: array<u32>; // p, q, grid_x

const N: u32 = {{ n }}u;

@compute @workgroup_size({{ workgroup }}, 1, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let p = info[0];
    let q = info[1];
    let o = (wid.y * info[2] + wid.x) * {{ workgroup }}u + lid;
    if (o >= N * p * N * q) { return; }
    let row = o / (N * q);
    let col = o % (N * q);
    var sum = 0.0;
    for (var i = 0u; i < N; i++) {
        sum += a[(i * N + row / p) * N + col / q] * b[(i * p + row % p) * q + col % q];
    }
    w[o] = sum;
}
