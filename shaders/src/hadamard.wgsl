// Some stages of a Walsh–Hadamard transform without normalisation, on 2^(bits + low) numbers that a
// workgroup holds: every 2^stride-th, in runs of 2^low neighbours so that reads stay whole.
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
// numbers in x (zero beyond), numbers of y, stride, factor as bits, grid_x
@group(0) @binding(2) var<storage, read> info: array<u32>;

const BITS: u32 = {{ bits }}u;
const LOW: u32 = {{ low }}u;
const TILE: u32 = {{ tile }}u;
const WG: u32 = {{ workgroup }}u;

var<workgroup> tile: array<f32, {{ tile }}>;

fn place(group: u32, local: u32) -> u32 {
    let stride = info[2];
    let across = stride - LOW; // bits that count the runs between two stages
    let run = group & ((1u << across) - 1u);
    let inner = (run << LOW) | (local & ((1u << LOW) - 1u));
    return ((((group >> across) << BITS) | (local >> LOW)) << stride) | inner;
}

@compute @workgroup_size({{ workgroup }}, 1, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let group = wid.y * info[4] + wid.x;
    for (var l = lid; l < TILE; l += WG) {
        let at = place(group, l);
        tile[l] = select(0.0, x[min(at, info[0] - 1u)], at < info[0]);
    }
    workgroupBarrier();
    for (var half = 1u << LOW; half < TILE; half = half << 1u) {
        for (var pair = lid; pair < TILE / 2u; pair += WG) {
            let l = (pair / half) * 2u * half + pair % half;
            let a = tile[l];
            let b = tile[l + half];
            tile[l] = a + b;
            tile[l + half] = a - b;
        }
        workgroupBarrier();
    }
    for (var l = lid; l < TILE; l += WG) {
        let at = place(group, l);
        if (at < info[1]) { y[at] = tile[l] * bitcast<f32>(info[3]); }
    }
}
