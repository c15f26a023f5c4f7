// stored_f16x4: lib/stored.wgsl for a map kept as f16, four to a vec2<u32>
// Expects of the including file: alias Elem = vec4<f32>.

alias Stored = vec2<u32>;

fn widen(s: Stored) -> Elem {
    return vec4<f32>(unpack2x16float(s.x), unpack2x16float(s.y));
}
