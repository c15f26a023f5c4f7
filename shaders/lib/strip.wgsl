// strip: a row of x under four neighbouring outputs
// Expects of the including file: const K, STRIDE, PAD_X; p.h, p.w; fn single(i) -> f32 and fn quad(i) -> vec4<f32>,
// element i and elements 4i to 4i + 4 of the map as they are used; lib/halo.wgsl.
// W is a multiple of 4 STRIDE and equals Wo STRIDE, so only PAD_X columns to the left and the rest to the right of the
// aligned 4 STRIDE ones need a test.

// columns of x under a strip
const SPAN: u32 = 3u * STRIDE + K;
const LEFT: u32 = PAD_X;
const OWN: u32 = 4u * STRIDE;

// Row `row` of the plane that starts at `base`; zeros outside the plane. `row` below zero comes as a large number.
fn span(base: u32, row: u32, strip: u32) -> array<f32, SPAN> {
    var s: array<f32, SPAN>;
    for (var i = 0u; i < SPAN; i++) {
        s[i] = 0.0;
    }
    if row >= p.h {
        return s;
    }
    let first = base + row * p.w;
    for (var b = 0u; b < STRIDE; b++) {
        let v = quad(first / 4u + strip * STRIDE + b);
        s[LEFT + 4u * b] = v.x;
        s[LEFT + 4u * b + 1u] = v.y;
        s[LEFT + 4u * b + 2u] = v.z;
        s[LEFT + 4u * b + 3u] = v.w;
    }
    return halo(s, first, strip * OWN, p.w);
}
