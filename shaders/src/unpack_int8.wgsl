// Four signed integers of a word, each times the scale of its group.
@group(0) @binding(0) var<storage, read_write> words: array<u32>;
@group(0) @binding(1) var<storage, read_write> scales: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;
// first word, words, words of a group, grid_x
@group(0) @binding(3) var<storage, read> info: array<u32>;

@compute @workgroup_size({{ workgroup }}, 1, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let o = (wid.y * info[3] + wid.x) * {{ workgroup }}u + lid;
    if (o >= info[1]) { return; }
    let at = info[0] + o;
    let word = bitcast<i32>(words[at]);
    let four = vec4<i32>(
        extractBits(word, 0u, 8u),
        extractBits(word, 8u, 8u),
        extractBits(word, 16u, 8u),
        extractBits(word, 24u, 8u),
    );
    out[o] = vec4<f32>(four) * scales[at / info[2]];
}
