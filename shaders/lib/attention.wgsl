// attention: a head's vectors of one position in registers, against four neighbouring positions at a time
// Expects of the including file: const DH (16, 32 or 64), fn row(at: u32, of_dy: bool) -> vec4<f32>, four positions
// of one feature, and own_lane = the lane, before anything here is called. Written out in eights, because only constant
// indices keep a private array in registers.
//!use lib/eight_rows.wgsl

alias Own = array<f32, DH>;

fn dot8(own: ptr<private, Own>, i: u32, at: u32, pitch: u32, of_dy: bool) -> vec4<f32> {
    let rows = eight_rows(at, pitch, of_dy);
    return (*own)[i] * rows.low[0] + (*own)[i + 1u] * rows.low[1] + (*own)[i + 2u] * rows.low[2] + (*own)[i + 3u] * rows.low[3]
        + (*own)[i + 4u] * rows.high[0] + (*own)[i + 5u] * rows.high[1] + (*own)[i + 6u] * rows.high[2] + (*own)[i + 7u] * rows.high[3];
}

// Inner products of `own` with four neighbours, whose first feature stands at `at` and the next `pitch` further on.
fn dots(own: ptr<private, Own>, at: u32, pitch: u32, of_dy: bool) -> vec4<f32> {
    var sum = dot8(own, 0u, at, pitch, of_dy) + dot8(own, 8u, at + 8u * pitch, pitch, of_dy);
    if DH > 16u {
        sum += dot8(own, 16u, at + 16u * pitch, pitch, of_dy) + dot8(own, 24u, at + 24u * pitch, pitch, of_dy);
    }
    if DH > 32u {
        sum += dot8(own, 32u, at + 32u * pitch, pitch, of_dy) + dot8(own, 40u, at + 40u * pitch, pitch, of_dy);
        sum += dot8(own, 48u, at + 48u * pitch, pitch, of_dy) + dot8(own, 56u, at + 56u * pitch, pitch, of_dy);
    }
    return sum;
}

fn add8(sums: ptr<private, Own>, i: u32, at: u32, pitch: u32, of_dy: bool, keep: f32, weights: vec4<f32>) {
    let rows = eight_rows(at, pitch, of_dy);
    (*sums)[i] = keep * (*sums)[i] + dot(weights, rows.low[0]);
    (*sums)[i + 1u] = keep * (*sums)[i + 1u] + dot(weights, rows.low[1]);
    (*sums)[i + 2u] = keep * (*sums)[i + 2u] + dot(weights, rows.low[2]);
    (*sums)[i + 3u] = keep * (*sums)[i + 3u] + dot(weights, rows.low[3]);
    (*sums)[i + 4u] = keep * (*sums)[i + 4u] + dot(weights, rows.high[0]);
    (*sums)[i + 5u] = keep * (*sums)[i + 5u] + dot(weights, rows.high[1]);
    (*sums)[i + 6u] = keep * (*sums)[i + 6u] + dot(weights, rows.high[2]);
    (*sums)[i + 7u] = keep * (*sums)[i + 7u] + dot(weights, rows.high[3]);
}

// sums = keep sums + the four neighbours, weighted.
fn add(sums: ptr<private, Own>, at: u32, pitch: u32, of_dy: bool, keep: f32, weights: vec4<f32>) {
    add8(sums, 0u, at, pitch, of_dy, keep, weights);
    add8(sums, 8u, at + 8u * pitch, pitch, of_dy, keep, weights);
    if DH > 16u {
        add8(sums, 16u, at + 16u * pitch, pitch, of_dy, keep, weights);
        add8(sums, 24u, at + 24u * pitch, pitch, of_dy, keep, weights);
    }
    if DH > 32u {
        add8(sums, 32u, at + 32u * pitch, pitch, of_dy, keep, weights);
        add8(sums, 40u, at + 40u * pitch, pitch, of_dy, keep, weights);
        add8(sums, 48u, at + 48u * pitch, pitch, of_dy, keep, weights);
        add8(sums, 56u, at + 56u * pitch, pitch, of_dy, keep, weights);
    }
}

fn load8(own: ptr<private, Own>, i: u32, at: u32, pitch: u32, of_dy: bool, which: u32, factor: f32) {
    (*own)[i] = factor * row(at, of_dy)[which];
    (*own)[i + 1u] = factor * row(at + pitch, of_dy)[which];
    (*own)[i + 2u] = factor * row(at + 2u * pitch, of_dy)[which];
    (*own)[i + 3u] = factor * row(at + 3u * pitch, of_dy)[which];
    (*own)[i + 4u] = factor * row(at + 4u * pitch, of_dy)[which];
    (*own)[i + 5u] = factor * row(at + 5u * pitch, of_dy)[which];
    (*own)[i + 6u] = factor * row(at + 6u * pitch, of_dy)[which];
    (*own)[i + 7u] = factor * row(at + 7u * pitch, of_dy)[which];
}

// own = factor times the vector of one of four neighbours.
fn load(own: ptr<private, Own>, at: u32, pitch: u32, of_dy: bool, which: u32, factor: f32) {
    load8(own, 0u, at, pitch, of_dy, which, factor);
    load8(own, 8u, at + 8u * pitch, pitch, of_dy, which, factor);
    if DH > 16u {
        load8(own, 16u, at + 16u * pitch, pitch, of_dy, which, factor);
        load8(own, 24u, at + 24u * pitch, pitch, of_dy, which, factor);
    }
    if DH > 32u {
        load8(own, 32u, at + 32u * pitch, pitch, of_dy, which, factor);
        load8(own, 40u, at + 40u * pitch, pitch, of_dy, which, factor);
        load8(own, 48u, at + 48u * pitch, pitch, of_dy, which, factor);
        load8(own, 56u, at + 56u * pitch, pitch, of_dy, which, factor);
    }
}
