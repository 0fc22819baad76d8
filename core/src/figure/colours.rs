//! One colour per method, by family, the same wherever it is drawn.

/// Compacter++'s colour on light and on dark ground, which is the accent of everything.
pub const ACCENT: [u32; 2] = [0x6a1fd0, 0x9f6bff];

/// A method's colour as `0xrrggbb`: blues for adapters, ambers for prompts, greens for biases and
/// intrinsic dimensions, violets for the hypercomplex family, ink for full fine-tuning.
pub fn method_colour(name: &str, dark: bool) -> u32 {
    let colours = match name {
        "full" => [0x191b20, 0xe8e9ed],
        "adapter" => [0x0b5cad, 0x5aa9f0],
        "pfeiffer" => [0x2f7fd0, 0x86c0f5],
        "adapterdrop" => [0x175a86, 0x4f9ac7],
        "adapter-lowrank" => [0x4b8fb8, 0xa3cbe3],
        "prompt-random" => [0xa86400, 0xe6a23c],
        "prompt-tokens" => [0x8a5a1c, 0xf0c070],
        "intrinsic-said" => [0x2e7d4f, 0x67c08e],
        "bitfit" => [0x4f8a1f, 0xa0cf6a],
        "phm-adapter" => [0x9a6fd0, 0xc3a6ee],
        "compacter" => [0x8347c9, 0xb48af2],
        _ => ACCENT,
    };
    colours[usize::from(dark)]
}
