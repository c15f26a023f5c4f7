// on_load: what a consumer of a raw convolution output applies as it reads: batch norm, then swish
// Expects of the including file: const ACTIVATE: bool; binding stats, [C] of vec4 (scale, shift, mean, 1/std), read only
// where ACTIVATE. Call on_load_of(channel) first. Padding stays zero: it is a zero of the activated map.

var<private> on_load_norm: vec4<f32>;

fn on_load_of(channel: u32) {
    if ACTIVATE {
        on_load_norm = stats[channel];
    }
}

fn on_load(x: f32) -> f32 {
    if !ACTIVATE {
        return x;
    }
    let z = x * on_load_norm.x + on_load_norm.y;
    return z / (1.0 + exp(-z));
}

fn on_load4(x: vec4<f32>) -> vec4<f32> {
    if !ACTIVATE {
        return x;
    }
    let z = x * on_load_norm.x + on_load_norm.y;
    return z / (1.0 + exp(-z));
}
