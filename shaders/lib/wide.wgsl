// wide: eight elements side by side of a map, loaded as two vectors
// Expects of the including file: binding x of Wide. A specialisation pastes lib/wide_u64.wgsl instead where one load can
// take all eight.

alias Wide = vec4<f32>;

// Elements 4 i to 4 i + 8 of x; with next = 0 the last four are the first again.
fn wide(i: u32, next: u32) -> mat2x4<f32> {
    return mat2x4<f32>(x[i], x[i + next]);
}
