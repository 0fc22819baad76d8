// Gradients of kron_sum: the first n³ workgroups reduce one number of dA each, the rest give dB
// one number an invocation.
@group(0) @binding(0) var<storage, read_write> a: array<f32>;    // [n, n, n]
@group(0) @binding(1) var<storage, read_write> b: array<f32>;    // [n, p, q]
@group(0) @binding(2) var<storage, read_write> grad: array<f32>; // [n·p, n·q]
@group(0) @binding(3) var<storage, read_write> da: array<f32>;   // [n, n, n]
@group(0) @binding(4) var<storage, read_write> db: array<f32>;   // [n, p, q]
@group(0) @binding(5) var<storage, read> info: array<u32>; // p, q, grid_x

const N: u32 = {{ n }}u;
const WG: u32 = {{ workgroup }}u;

var<workgroup> sums: array<f32, {{ workgroup }}>;
var<workgroup> sizes: vec4<u32>;

@compute @workgroup_size({{ workgroup }}, 1, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    if (lid == 0u) { sizes = vec4<u32>(info[0], info[1], info[2], 0u); }
    let size = workgroupUniformLoad(&sizes);
    let p = size.x;
    let q = size.y;
    let group = wid.y * size.z + wid.x;
    if (group >= N * N * N) {
        let o = (group - N * N * N) * WG + lid;
        if (o < N * p * q) {
            let i = o / (p * q);
            let row = (o / q) % p;
            var sum = 0.0;
            for (var block = 0u; block < N * N; block++) {
                let at = ((block / N) * p + row) * N * q + (block % N) * q + o % q;
                sum += a[i * N * N + block] * grad[at];
            }
            db[o] = sum;
        }
        return;
    }
    let i = group / (N * N);
    let block = group % (N * N);
    var sum = 0.0;
    for (var o = lid; o < p * q; o += WG) {
        let at = ((block / N) * p + o / q) * N * q + (block % N) * q + o % q;
        sum += b[i * p * q + o] * grad[at];
    }
    sums[lid] = sum;
    workgroupBarrier();
    for (var half = WG / 2u; half > 0u; half = half / 2u) {
        if (lid < half) { sums[lid] += sums[lid + half]; }
        workgroupBarrier();
    }
    if (lid == 0u) { da[group] = sums[0]; }
}
