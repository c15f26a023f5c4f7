// strip: a row of x under four neighbouring outputs
// Expects of the including file: const K, STRIDE, PAD_X; p.h, p.w; bindings x (of Word) and x4 (the same map,
// of Stored); lib/on_load.wgsl.
// W is a multiple of 4 STRIDE and equals Wo STRIDE, so only PAD_X columns to the left and the rest to the right of the
// aligned 4 STRIDE ones need a test.

// columns of x under a strip
const SPAN: u32 = 3u * STRIDE + K;

fn single(i: u32) -> f32 {
    return element(x[i / PER_WORD], i);
}

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
    let column = strip * 4u * STRIDE;
    for (var b = 0u; b < STRIDE; b++) {
        let v = on_load4(widen(x4[first / 4u + strip * STRIDE + b]));
        s[PAD_X + 4u * b] = v.x;
        s[PAD_X + 4u * b + 1u] = v.y;
        s[PAD_X + 4u * b + 2u] = v.z;
        s[PAD_X + 4u * b + 3u] = v.w;
    }
    for (var i = 0u; i < PAD_X; i++) {
        if column + i >= PAD_X {
            s[i] = on_load(single(first + column + i - PAD_X));
        }
    }
    for (var i = PAD_X + 4u * STRIDE; i < SPAN; i++) {
        if column + i - PAD_X < p.w {
            s[i] = on_load(single(first + column + i - PAD_X));
        }
    }
    return s;
}
