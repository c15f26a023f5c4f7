// wide_u64: lib/wide.wgsl in one load of four 64-bit words, where i is always even and next 1
// lavapipe loads four components at most, each in a loop over the lanes: twice as wide components, half the loops.

alias Wide = vec4<u64>;

fn halves(word: u64) -> vec2<f32> {
    return vec2<f32>(bitcast<f32>(u32(word)), bitcast<f32>(u32(word >> 32u)));
}

fn wide(i: u32, next: u32) -> mat2x4<f32> {
    let words = x[i / 2u];
    return mat2x4<f32>(vec4<f32>(halves(words.x), halves(words.y)), vec4<f32>(halves(words.z), halves(words.w)));
}
