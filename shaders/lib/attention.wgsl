// attention: a head's vectors of one position a lane (or of four, with Q = vec4<f32>) in registers, against four
// neighbouring positions that all lanes share
// Expects of the including file: const DH (16, 32 or 64), fn row(at: u32, of_dy: bool) -> vec4<f32>, four positions
// of one feature, and own_lane = the lane, before anything here is called. Written out in eights, because only constant
// indices keep a private array in registers.
//!use lib/eight_rows.wgsl
//!use lib/own_positions.wgsl

alias Own = array<Q, DH>;
// A number for each of the lane's positions and each of four neighbours.
alias Four = array<Q, 4>;

fn dot1(own: Q, shared_row: vec4<f32>, sums: Four) -> Four {
    return Four(sums[0] + shared_row.x * own, sums[1] + shared_row.y * own, sums[2] + shared_row.z * own, sums[3] + shared_row.w * own);
}

fn dot8(own: ptr<private, Own>, i: u32, at: u32, pitch: u32, of_dy: bool, before: Four) -> Four {
    let rows = eight_rows(at, pitch, of_dy);
    var sums = before;
    sums = dot1((*own)[i], rows.low[0], sums);
    sums = dot1((*own)[i + 1u], rows.low[1], sums);
    sums = dot1((*own)[i + 2u], rows.low[2], sums);
    sums = dot1((*own)[i + 3u], rows.low[3], sums);
    sums = dot1((*own)[i + 4u], rows.high[0], sums);
    sums = dot1((*own)[i + 5u], rows.high[1], sums);
    sums = dot1((*own)[i + 6u], rows.high[2], sums);
    return dot1((*own)[i + 7u], rows.high[3], sums);
}

// Inner products of `own` with four neighbours, whose first feature stands at `at` and the next `pitch` further on.
fn dots(own: ptr<private, Own>, at: u32, pitch: u32, of_dy: bool) -> Four {
    var sums = dot8(own, 0u, at, pitch, of_dy, Four());
    sums = dot8(own, 8u, at + 8u * pitch, pitch, of_dy, sums);
    if DH > 16u {
        sums = dot8(own, 16u, at + 16u * pitch, pitch, of_dy, sums);
        sums = dot8(own, 24u, at + 24u * pitch, pitch, of_dy, sums);
    }
    if DH > 32u {
        sums = dot8(own, 32u, at + 32u * pitch, pitch, of_dy, sums);
        sums = dot8(own, 40u, at + 40u * pitch, pitch, of_dy, sums);
        sums = dot8(own, 48u, at + 48u * pitch, pitch, of_dy, sums);
        sums = dot8(own, 56u, at + 56u * pitch, pitch, of_dy, sums);
    }
    return sums;
}

fn add1(sum: Q, shared_row: vec4<f32>, weights: Four) -> Q {
    return sum + shared_row.x * weights[0] + shared_row.y * weights[1] + shared_row.z * weights[2] + shared_row.w * weights[3];
}

fn add8(sums: ptr<private, Own>, i: u32, at: u32, pitch: u32, of_dy: bool, keep: Q, weights: Four) {
    let rows = eight_rows(at, pitch, of_dy);
    (*sums)[i] = add1(keep * (*sums)[i], rows.low[0], weights);
    (*sums)[i + 1u] = add1(keep * (*sums)[i + 1u], rows.low[1], weights);
    (*sums)[i + 2u] = add1(keep * (*sums)[i + 2u], rows.low[2], weights);
    (*sums)[i + 3u] = add1(keep * (*sums)[i + 3u], rows.low[3], weights);
    (*sums)[i + 4u] = add1(keep * (*sums)[i + 4u], rows.high[0], weights);
    (*sums)[i + 5u] = add1(keep * (*sums)[i + 5u], rows.high[1], weights);
    (*sums)[i + 6u] = add1(keep * (*sums)[i + 6u], rows.high[2], weights);
    (*sums)[i + 7u] = add1(keep * (*sums)[i + 7u], rows.high[3], weights);
}

// sums = keep sums + the four neighbours, weighted.
fn add(sums: ptr<private, Own>, at: u32, pitch: u32, of_dy: bool, keep: Q, weights: Four) {
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

fn load8(own: ptr<private, Own>, i: u32, at: u32, pitch: u32, of_dy: bool, lane: u32, factor: f32) {
    (*own)[i] = factor * own_of(row(at, of_dy), lane);
    (*own)[i + 1u] = factor * own_of(row(at + pitch, of_dy), lane);
    (*own)[i + 2u] = factor * own_of(row(at + 2u * pitch, of_dy), lane);
    (*own)[i + 3u] = factor * own_of(row(at + 3u * pitch, of_dy), lane);
    (*own)[i + 4u] = factor * own_of(row(at + 4u * pitch, of_dy), lane);
    (*own)[i + 5u] = factor * own_of(row(at + 5u * pitch, of_dy), lane);
    (*own)[i + 6u] = factor * own_of(row(at + 6u * pitch, of_dy), lane);
    (*own)[i + 7u] = factor * own_of(row(at + 7u * pitch, of_dy), lane);
}

// own = factor times the vectors of the lane's positions, which are among the four at `at`.
fn load(own: ptr<private, Own>, at: u32, pitch: u32, of_dy: bool, lane: u32, factor: f32) {
    load8(own, 0u, at, pitch, of_dy, lane, factor);
    load8(own, 8u, at + 8u * pitch, pitch, of_dy, lane, factor);
    if DH > 16u {
        load8(own, 16u, at + 16u * pitch, pitch, of_dy, lane, factor);
        load8(own, 24u, at + 24u * pitch, pitch, of_dy, lane, factor);
    }
    if DH > 32u {
        load8(own, 32u, at + 32u * pitch, pitch, of_dy, lane, factor);
        load8(own, 40u, at + 40u * pitch, pitch, of_dy, lane, factor);
        load8(own, 48u, at + 48u * pitch, pitch, of_dy, lane, factor);
        load8(own, 56u, at + 56u * pitch, pitch, of_dy, lane, factor);
    }
}
