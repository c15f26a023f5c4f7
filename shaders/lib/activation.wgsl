// activation: swish and its slope
// Expects of the including file: alias Elem (f32, or vec4<f32> where four elements stand side by side).

fn sigmoid(z: Elem) -> Elem {
    return Elem(1.0) / (Elem(1.0) + exp(-z));
}

fn swish(z: Elem) -> Elem {
    return z * sigmoid(z);
}

// swish'(z) = s (1 + z (1 - s)), with s = sigmoid(z)
fn swish_slope(z: Elem) -> Elem {
    let s = sigmoid(z);
    return s * (Elem(1.0) + z * (Elem(1.0) - s));
}
