// total: the sum of the elements that stand side by side
// Expects of the including file: alias Elem (f32 or vec4<f32>), const WIDTH (1 or 4).

fn total(e: Elem) -> f32 {
    return dot(vec4<f32>(e), select(vec4<f32>(1.0, 0.0, 0.0, 0.0), vec4<f32>(1.0), WIDTH == 4u));
}
