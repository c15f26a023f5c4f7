// total_of_vector: lib/total.wgsl for vectors of any width, two among them
// Expects of the including file: alias Elem (vec2<f32> or vec4<f32>).

fn total(e: Elem) -> f32 {
    return dot(e, Elem(1.0));
}
