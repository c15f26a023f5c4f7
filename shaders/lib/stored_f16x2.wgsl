// stored_f16x2: lib/stored.wgsl for a map kept as f16, two to a word
// Expects of the including file: alias Elem = vec2<f32>.

alias Stored = u32;

fn widen(s: Stored) -> Elem {
    return unpack2x16float(s);
}
