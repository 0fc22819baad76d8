// tanh of gelu_new's inner argument; some drivers return NaN for large arguments, hence the clamp.
fn gelu_tanh(x: f32) -> f32 {
    return tanh(clamp(0.7978845608 * (x + 0.044715 * x * x * x), -15.0, 15.0));
}

fn gelu_new(x: f32) -> f32 {
    return 0.5 * x * (1.0 + gelu_tanh(x));
}

fn gelu_slope(x: f32) -> f32 {
    let t = gelu_tanh(x);
    return 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * 0.7978845608 * (1.0 + 0.134145 * x * x);
}

