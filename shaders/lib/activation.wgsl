// activation: swish and gelu and their slopes
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

// Hendrycks and Gimpel (2016) by their tanh formula: z sigmoid(2 sqrt(2 / pi) (z + 0.044715 z^3)).
fn gelu(z: Elem) -> Elem {
    return z * sigmoid(1.5957691216 * z * (Elem(1.0) + 0.044715 * z * z));
}

fn gelu_slope(z: Elem) -> Elem {
    let s = sigmoid(1.5957691216 * z * (Elem(1.0) + 0.044715 * z * z));
    return s + 1.5957691216 * z * (Elem(1.0) + 0.134145 * z * z) * s * (Elem(1.0) - s);
}
