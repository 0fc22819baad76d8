// Gradients of adapter_forward: recomputes the bottleneck, and then takes each column of its rows in
// one invocation, which writes dx and keeps that column's sums for the parameters over all tiles of
// the workgroup. The sums go into a slice of `partials` (WGSL has no float atomics), which
// adapter_reduce adds up.
@group(0) @binding(0) var<storage, read_write> x: array<Wide>;       // [rows, k]
@group(0) @binding(1) var<storage, read_write> rule: array<f32>;    // [n, n, n]
@group(0) @binding(2) var<storage, read_write> packed: array<Wide>;  // see shared/adapter.wgsl
@group(0) @binding(3) var<storage, read_write> grad: array<Wide>;    // [rows, k]
@group(0) @binding(4) var<storage, read_write> dx: array<Wide>;      // [rows, k]
@group(0) @binding(5) var<storage, read_write> partials: array<f32>; // [groups, LEN + n³]
@group(0) @binding(6) var<storage, read> info: array<u32>;    // rows, tiles per group

const FOR_X: bool = {{ for_x }}u != 0u;
const FOR_PARAMETERS: bool = {{ for_parameters }}u != 0u;

const COLUMNS: u32 = K / LANES;
// Columns that a workgroup takes at a time, and how many invocations share each.
const SPAN: u32 = min(COLUMNS, WG);
const TEAMS: u32 = WG / SPAN;

fn wide_value(source: u32, at: u32) -> Wide {
    if (source == 0u) { return x[at]; }
    return grad[at];
}

fn put(at: u32, value: f32, first: bool) {
    if (first) { partials[at] = value; } else { partials[at] += value; }
}

fn share(column: u32, team: u32, sum: Wide) {
    if (column < COLUMNS) {
        for (var lane = 0u; lane < LANES; lane++) {
            parts[team * K + column * LANES + lane] = lane_of(sum, lane);
        }
    }
}

// Into a slice, from `at` on, what lies `width` apart in the shares, added up.
fn put_shares(at: u32, apart: u32, width: u32, lid: u32) {
    workgroupBarrier();
    for (var p = lid; p < width; p += WG) {
        var sum = 0.0;
        for (var o = p; o < TEAMS * K; o += width) { sum += parts[o]; }
        partials[at + p * apart] = sum;
    }
    workgroupBarrier();
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
    stage(lid);
    let team = lid / SPAN;
    {% for turn in turns %}
    let column_{{ turn }} = lid % SPAN + {{ turn }}u * WG;
    var b_{{ turn }} = Wide();
    {% for channel in channels %}
    let factor_{{ turn }}_{{ channel }} = factor(0u, {{ channel }}u, column_{{ turn }} % WIDE_KP);
    var s_{{ turn }}_{{ channel }} = Wide();
    var t_{{ turn }}_{{ channel }} = Wide();
    {% endfor %}
    {% endfor %}
    for (var step = 0u; step < size.y; step++) {
        let row0 = (wid.x * size.y + step) * ROWS;
        if (row0 >= rows) { break; }
        let valid = min(ROWS, rows - row0);
        let first = step == 0u;
        wide_in(0u, 0u, row0, rows, lid);
        wide_in(1u, 4u, row0, rows, lid);
        mix_blocks(0u, 1u, false, lid);
        workgroupBarrier();
        down_out(1u, lid);
        workgroupBarrier();
        up_in(2u, lid);
        workgroupBarrier();
        mix_blocks(2u, 3u, false, lid);
        mix_blocks(4u, 5u, true, lid);
        workgroupBarrier();
        for (var o = lid; o < INNER; o += WG) {
            let j = o % D;
            let line = (o / D) * N + j / DP;
            var sum = 0.0;
            for (var channel = 0u; channel < NR; channel++) {
                sum += small[5u * SMALL + line * NR + channel]
                    * packed_at(S_UP + s_at(channel, j % DP, DP));
            }
            inner[2u * INNER + o] = sum * gelu_slope(inner[INNER + o]);
        }
        if (FOR_PARAMETERS) {
            for (var o = lid; o < R * D; o += WG) {
                let channel = (o / (DP * R)) * R + o % R;
                put(slice + S_UP + o, narrow_sum(5u, channel, 0u, (o / R) % DP), first);
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
                sum += inner[2u * INNER + line * DP + q] * packed_at(T_DOWN + (o % NR) * DP + q);
            }
            small[4u * SMALL + o] = sum;
        }
        workgroupBarrier();
        mix_blocks(4u, 5u, true, lid);
        workgroupBarrier();
        if (FOR_PARAMETERS) {
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
        {% for turn in turns %}
        if (column_{{ turn }} < COLUMNS) {
            let block = column_{{ turn }} / WIDE_KP;
            for (var first_row = team; first_row < valid; first_row += {{ rows_at_once }}u * TEAMS) {
                // All loads before the first store, which the compiler may not move them over.
                {% for r in rows_at_once %}
                let row_{{ r }} = min(first_row + {{ r }}u * TEAMS, valid - 1u);
                let at_{{ r }} = (row0 + row_{{ r }}) * COLUMNS + column_{{ turn }};
                let there_{{ r }} = first_row + {{ r }}u * TEAMS < valid;
                let given_{{ r }} = grad[at_{{ r }}];
                var value_{{ r }} = Wide();
                if (FOR_PARAMETERS) { value_{{ r }} = x[at_{{ r }}]; }
                {% endfor %}
                {% for r in rows_at_once %}
                if (there_{{ r }}) {
                    let line = row_{{ r }} * N + block;
                    var back = given_{{ r }};
                    {% for channel in channels %}
                    let u_{{ channel }} = small[5u * SMALL + line * NR + {{ channel }}u];
                    back += u_{{ channel }} * factor_{{ turn }}_{{ channel }};
                    s_{{ turn }}_{{ channel }} += u_{{ channel }} * value_{{ r }};
                    t_{{ turn }}_{{ channel }} +=
                        small[3u * SMALL + line * NR + {{ channel }}u] * given_{{ r }};
                    {% endfor %}
                    b_{{ turn }} += given_{{ r }};
                    if (FOR_X) { dx[at_{{ r }}] = back; }
                }
                {% endfor %}
            }
        }
        {% endfor %}
        workgroupBarrier();
    }
    if (FOR_PARAMETERS) {
        {% for channel in channels %}
        {% for turn in turns %}
        share(column_{{ turn }}, team, s_{{ turn }}_{{ channel }});
        {% endfor %}
        put_shares(slice + s_at({{ channel }}u, 0u, KP), R, KP, lid);
        {% for turn in turns %}
        share(column_{{ turn }}, team, t_{{ turn }}_{{ channel }});
        {% endfor %}
        put_shares(slice + T_UP + {{ channel }}u * KP, 1u, KP, lid);
        {% endfor %}
        {% for turn in turns %}
        share(column_{{ turn }}, team, b_{{ turn }});
        {% endfor %}
        put_shares(slice + B_UP, 1u, K, lid);
    }
}
