// Two halves of a word, by integers: `unpack2x16float` is refused where a driver may flush
// subnormals. The halves are finite.
@group(0) @binding(0) var<storage, read_write> words: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: array<vec2<f32>>;
// first word, words, grid_x
@group(0) @binding(2) var<storage, read> info: array<u32>;

fn half_value(bits: u32) -> f32 {
    let rest = bits & 0x7fffu;
    // Below 0x400 it counts multiples of 2^-24; above, ten bits of fraction become 23 and an
    // exponent biased by 15 becomes one by 127.
    let magnitude = select(
        bitcast<f32>((rest << 13u) + 0x38000000u),
        f32(rest) * 5.9604645e-8,
        rest < 0x400u,
    );
    return select(magnitude, -magnitude, (bits & 0x8000u) != 0u);
}

@compute @workgroup_size({{ workgroup }}, 1, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let o = (wid.y * info[2] + wid.x) * {{ workgroup }}u + lid;
    if (o >= info[1]) { return; }
    let word = words[info[0] + o];
    out[o] = vec2<f32>(half_value(word & 0xffffu), half_value(word >> 16u));
}
