// own_positions: four neighbouring positions a lane, so that what is handed round serves four times

alias Q = vec4<f32>;
alias Places = vec4<u32>;
const EACH: u32 = 4u;

fn own_of(four: vec4<f32>, lane: u32) -> vec4<f32> {
    return four;
}

// The positions of a lane whose first is `first`.
fn places(first: u32) -> vec4<u32> {
    return vec4<u32>(first, first + 1u, first + 2u, first + 3u);
}
