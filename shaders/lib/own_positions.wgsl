// own_positions: one position a lane

alias Q = f32;
alias Places = u32;
const EACH: u32 = 1u;

// Of four neighbours, the lane's.
fn own_of(four: vec4<f32>, lane: u32) -> f32 {
    return four[lane % 4u];
}

// The positions of a lane whose first is `first`.
fn places(first: u32) -> u32 {
    return first;
}
