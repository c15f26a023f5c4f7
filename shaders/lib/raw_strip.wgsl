// raw_strip: the elements that lib/strip.wgsl asks for, of a raw map as on_load makes them
// Expects of the including file: bindings x (of Word) and x4 (the same map, of Stored); lib/words.wgsl, lib/stored.wgsl,
// lib/on_load.wgsl.

fn single(i: u32) -> f32 {
    return on_load(element(x[i / PER_WORD], i));
}

fn quad(i: u32) -> vec4<f32> {
    return on_load4(widen(x4[i]));
}
