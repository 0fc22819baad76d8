// Gradients of adapter_forward: recomputes the bottleneck, writes dx in one pass, and adds each
// workgroup's share of the parameters' gradients up in its own slice of `partials` over its tiles
// of rows (WGSL has no float atomics); adapter_reduce sums the slices.
@group(0) @binding(0) var<storage, read_write> x: array<f32>;       // [rows, k]
@group(0) @binding(1) var<storage, read_write> rule: array<f32>;    // [n, n, n]
@group(0) @binding(2) var<storage, read_write> packed: array<f32>;  // see shared/adapter.wgsl
@group(0) @binding(3) var<storage, read_write> grad: array<f32>;    // [rows, k]
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;      // [rows, k]
@group(0) @binding(5) var<storage, read_write> partials: array<f32>; // [groups, LEN + n³]
@group(0) @binding(6) var<storage, read_write> info: array<u32>;    // rows, tiles per group

const FOR_X: bool = {{ for_x }}u != 0u;
const FOR_PARAMETERS: bool = {{ for_parameters }}u != 0u;

fn wide_value(source: u32, index: u32) -> f32 {
    if (source == 0u) { return x[index]; }
    return grad[index];
}

fn put(at: u32, value: f32, first: bool) {
    if (first) { partials[at] = value; } else { partials[at] += value; }
}

// Sums of one wide part: over rows and blocks of small[slot][row, block, channel] * z[row, block, p].
fn wide_sum(source: u32, slot: u32, channel: u32, p: u32, row0: u32, valid: u32) -> f32 {
    var sum = 0.0;
    for (var line = 0u; line < valid * N; line++) {
        let value = wide_value(source, row0 * K + line * KP + p);
        sum += small[slot * SMALL + line * NR + channel] * value;
    }
    return sum;
}

// Sums of one narrow part, against inner[slot of inner].
fn narrow_sum(slot: u32, channel: u32, inside: u32, p: u32) -> f32 {
    var sum = 0.0;
    for (var line = 0u; line < ROWS * N; line++) {
        sum += small[slot * SMALL + line * NR + channel] * inner[inside * INNER + line * DP + p];
    }
    return sum;
}

fn rule_sum(o: u32, u: u32, gv: u32) -> f32 {
    let i = o / (N * N);
    let a = (o / N) % N;
    let c = o % N;
    var sum = 0.0;
    for (var row = 0u; row < ROWS; row++) {
        for (var rho = 0u; rho < R; rho++) {
            let channel = i * R + rho;
            sum += small[u * SMALL + (row * N + a) * NR + channel]
                * small[gv * SMALL + (row * N + c) * NR + channel];
        }
    }
    return sum;
}

// Slots of small: 0 u, 1 v of down; 2 u, 3 v of up; 4 gradient of v, 5 of u. Slots of inner:
// 0 gelu_new(h), 1 h, 2 gradient of h.
@compute @workgroup_size({{ workgroup }}, 1, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    if (lid == 0u) { sizes = vec4<u32>(info[0], info[1], 0u, 0u); }
    let size = workgroupUniformLoad(&sizes);
    let rows = size.x;
    let slice = wid.x * (LEN + N * N * N);
    stage_rule(lid);
    for (var step = 0u; step < size.y; step++) {
        let row0 = (wid.x * size.y + step) * ROWS;
        if (row0 >= rows) { break; }
        let valid = min(ROWS, rows - row0);
        let first = step == 0u;
        wide_in(0u, 0u, row0, rows, lid);
        mix_blocks(0u, 1u, false, lid);
        workgroupBarrier();
        down_out(1u, lid);
        workgroupBarrier();
        up_in(2u, lid);
        workgroupBarrier();
        mix_blocks(2u, 3u, false, lid);
        wide_in(1u, 4u, row0, rows, lid);
        mix_blocks(4u, 5u, true, lid);
        workgroupBarrier();
        for (var o = lid; o < INNER; o += WG) {
            let j = o % D;
            let line = (o / D) * N + j / DP;
            var sum = 0.0;
            for (var channel = 0u; channel < NR; channel++) {
                sum += small[5u * SMALL + line * NR + channel]
                    * packed[S_UP + s_at(channel, j % DP, DP)];
            }
            inner[2u * INNER + o] = sum * gelu_slope(inner[INNER + o]);
        }
        if (FOR_PARAMETERS) {
            for (var o = lid; o < R * D; o += WG) {
                let channel = (o / (DP * R)) * R + o % R;
                put(slice + S_UP + o, narrow_sum(5u, channel, 0u, (o / R) % DP), first);
            }
            for (var o = lid; o < R * K; o += WG) {
                put(slice + T_UP + o, wide_sum(1u, 3u, o / KP, o % KP, row0, valid), first);
            }
            for (var o = lid; o < K; o += WG) {
                var sum = 0.0;
                for (var row = 0u; row < valid; row++) { sum += grad[(row0 + row) * K + o]; }
                put(slice + B_UP + o, sum, first);
            }
            for (var o = lid; o < N * N * N; o += WG) {
                put(slice + LEN + o, rule_sum(o, 2u, 4u), first);
            }
        }
        workgroupBarrier();
        for (var o = lid; o < SMALL; o += WG) {
            let line = o / NR;
            var sum = 0.0;
            for (var q = 0u; q < DP; q++) {
                sum += inner[2u * INNER + line * DP + q] * packed[T_DOWN + (o % NR) * DP + q];
            }
            small[4u * SMALL + o] = sum;
        }
        workgroupBarrier();
        mix_blocks(4u, 5u, true, lid);
        workgroupBarrier();
        if (FOR_PARAMETERS) {
            for (var o = lid; o < R * K; o += WG) {
                let channel = (o / (KP * R)) * R + o % R;
                put(slice + o, wide_sum(0u, 5u, channel, (o / R) % KP, row0, valid), first);
            }
            for (var o = lid; o < R * D; o += WG) {
                put(slice + T_DOWN + o, narrow_sum(1u, o / DP, 2u, o % DP), first);
            }
            for (var o = lid; o < D; o += WG) {
                var sum = 0.0;
                for (var row = 0u; row < ROWS; row++) { sum += inner[2u * INNER + row * D + o]; }
                put(slice + B_DOWN + o, sum, first);
            }
            for (var o = lid; o < N * N * N; o += WG) {
                put(slice + LEN + o, rule_sum(o, 0u, 4u), false);
            }
        }
        if (FOR_X) {
            for (var o = lid; o < valid * K; o += WG) {
                let j = o % K;
                let line = (o / K) * N + j / KP;
                var sum = grad[row0 * K + o];
                for (var channel = 0u; channel < NR; channel++) {
                    sum += small[5u * SMALL + line * NR + channel]
                        * packed[s_at(channel, j % KP, KP)];
                }
                dx[row0 * K + o] = sum;
            }
        }
        workgroupBarrier();
    }
}
