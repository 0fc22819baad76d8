// What the adapter's forward and backward share. A workgroup takes ROWS rows. `packed` holds
// s_down [n,k/n,r], t_down [n,r,d/n], b_down [d], s_up [n,d/n,r], t_up [n,r,k/n], b_up [k]. A channel
// is a pair (i, rho); a line is a pair (row, block).
const N: u32 = {{ n }}u;
const R: u32 = {{ rank }}u;
const K: u32 = {{ model }}u;
const D: u32 = {{ bottleneck }}u;
const ROWS: u32 = {{ rows }}u;
const WG: u32 = {{ workgroup }}u;
const STAGED: bool = {{ staged }}u != 0u;
const FACTORS_STAGED: bool = {{ factors_staged }}u != 0u;
const NR: u32 = N * R;
const KP: u32 = K / N;
const DP: u32 = D / N;
const T_DOWN: u32 = R * K;
const B_DOWN: u32 = T_DOWN + R * D;
const S_UP: u32 = B_DOWN + D;
const T_UP: u32 = S_UP + R * D;
const B_UP: u32 = T_UP + R * K;
const LEN: u32 = B_UP + K;
const LINES: u32 = ROWS * N;
const SMALL: u32 = LINES * NR;
const INNER: u32 = ROWS * D;
const WIDE_KP: u32 = KP / LANES;
// Invocations that share a line, and one more, so that lines fall into different banks.
const PARTS: u32 = {{ parts }}u;
const PADDED: u32 = PARTS + 1u;

var<workgroup> parts: array<f32, {{ parts_len }}>;
var<workgroup> small: array<f32, {{ small_len }}>;
var<workgroup> inner: array<f32, {{ inner_len }}>;
var<workgroup> staged_rule: array<f32, {{ staged_len }}>;
var<workgroup> factors: array<Wide, {{ factors_len }}>; // s_down and t_up: [2, NR, WIDE_KP]
// Sizes come through workgroupUniformLoad: Chrome rejects barriers behind values read from storage.
var<workgroup> sizes: vec4<u32>;

fn packed_at(at: u32) -> f32 { return lane_of(packed[at / LANES], at % LANES); }

// Into the workgroup's memory what each of its rows needs, if it has room.
fn stage(lid: u32) {
    if (STAGED) {
        for (var o = lid; o < {{ staged_len }}u; o += WG) { staged_rule[o] = rule[o]; }
    }
    if (FACTORS_STAGED) {
        for (var o = lid; o < 2u * NR * WIDE_KP; o += WG) {
            let channel = (o / WIDE_KP) % NR;
            factors[o] = factor_read(o / (NR * WIDE_KP), channel, o % WIDE_KP);
        }
    }
    workgroupBarrier();
}

fn rule_at(index: u32) -> f32 {
    if (STAGED) { return staged_rule[index % {{ staged_len }}u]; }
    return rule[index];
}

// Where s[i, p, rho] lies in a part [n, width, r].
fn s_at(channel: u32, p: u32, width: u32) -> u32 {
    return ((channel / R) * width + p) * R + channel % R;
}

// Numbers of s_down (source 0) or t_up (source 1).
fn factor(source: u32, channel: u32, q: u32) -> Wide {
    if (FACTORS_STAGED) { return factors[(source * NR + channel) * WIDE_KP + q]; }
    return factor_read(source, channel, q);
}

fn factor_read(source: u32, channel: u32, q: u32) -> Wide {
    var at = s_at(channel, q * LANES, KP);
    if (source == 1u) { at = T_UP + channel * KP + q * LANES; }
    return packed[at / LANES];
}

// small[slot] = sum over p of z[row, block, p] * m[channel, p]; z is x with s_down (source 0) or
// the output's gradient with t_up (source 1). Each invocation sums a part of a line, and what they
// have is added up between them.
fn wide_in(source: u32, slot: u32, row0: u32, rows: u32, lid: u32) {
    for (var channel = 0u; channel < NR; channel += {{ together }}u) {
        for (var o = lid; o < LINES * PARTS; o += WG) {
            let line = o / PARTS;
            let part = o % PARTS;
            let row = row0 + line / N;
            {% for c in together %}
            var sum_{{ c }} = Wide();
            {% endfor %}
            let start = (row * K + (line % N) * KP) / LANES;
            for (var first = part; first < WIDE_KP; first += {{ batch }}u * PARTS) {
                // All loads, then all sums, so that the loads wait for memory together.
                {% for step in batch %}
                let q_{{ step }} = first + {{ step }}u * PARTS;
                var value_{{ step }} = Wide();
                if (row < rows && q_{{ step }} < WIDE_KP) {
                    value_{{ step }} = wide_value(source, start + q_{{ step }});
                }
                {% endfor %}
                {% for step in batch %}
                {
                    let q = min(q_{{ step }}, WIDE_KP - 1u);
                    {% for c in together %}
                    sum_{{ c }} += value_{{ step }} * factor(source, channel + {{ c }}u, q);
                    {% endfor %}
                }
                {% endfor %}
            }
            {% for c in together %}
            parts[({{ c }}u * LINES + line) * PADDED + part] = sum_of(sum_{{ c }});
            {% endfor %}
        }
        workgroupBarrier();
        for (var o = lid; o < LINES * {{ together }}u; o += WG) {
            let line = o / {{ together }}u;
            let c = o % {{ together }}u;
            var sum = 0.0;
            for (var part = 0u; part < PARTS; part++) {
                sum += parts[(c * LINES + line) * PADDED + part];
            }
            small[slot * SMALL + line * NR + channel + c] = sum;
        }
        workgroupBarrier();
    }
}

// small[to][row, c, (i, rho)] = sum over a of A[i, a, c] * small[from][row, a, (i, rho)],
// or with A_i transposed.
fn mix_blocks(source: u32, to: u32, transposed: bool, lid: u32) {
    for (var o = lid; o < SMALL; o += WG) {
        let channel = o % NR;
        let c = (o / NR) % N;
        let row = o / (NR * N);
        let base = (channel / R) * N * N;
        var sum = 0.0;
        for (var a = 0u; a < N; a++) {
            var at = base + a * N + c;
            if (transposed) { at = base + c * N + a; }
            sum += rule_at(at) * small[source * SMALL + (row * N + a) * NR + channel];
        }
        small[to * SMALL + o] = sum;
    }
}

// The bottleneck from v: gelu_new(h) into inner[0], and h into inner[1] where there is room.
fn down_out(v: u32, lid: u32) {
    for (var o = lid; o < INNER; o += WG) {
        let j = o % D;
        let line = (o / D) * N + j / DP;
        var h = packed_at(B_DOWN + j);
        for (var channel = 0u; channel < NR; channel++) {
            h += small[v * SMALL + line * NR + channel] * packed_at(T_DOWN + channel * DP + j % DP);
        }
        inner[o] = gelu_new(h);
        if ({{ inner_slots }}u > 1u) { inner[({{ inner_slots }}u - 2u) * INNER + o] = h; }
    }
}

// small[slot][row, a, channel] = sum over p of inner[0][row, a, p] * s_up[channel, p].
fn up_in(slot: u32, lid: u32) {
    for (var o = lid; o < SMALL; o += WG) {
        let line = o / NR;
        var sum = 0.0;
        for (var p = 0u; p < DP; p++) {
            sum += inner[line * DP + p] * packed_at(S_UP + s_at(o % NR, p, DP));
        }
        small[slot * SMALL + o] = sum;
    }
}

