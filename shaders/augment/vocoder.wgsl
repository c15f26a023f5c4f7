// augment/vocoder — signals made longer or shorter at the same pitch: a phase vocoder on their short-time spectra
// maths    s is the stretch of a signal. Frame j of y is what x has at its frame
//          q = c + (j - c') / s, c and c' where the middles of the signals lie: the magnitude between those of frames floor(q) and floor(q) + 1, the
//          phase that of the frame before plus what x gains from floor(q) to floor(q) + 1. Both hops are the same, so that
//          gain is the angle of x[floor(q) + 1] conj(x[floor(q)]), and needs no unwrapping. 0 where q lies outside of x
// shapes   x: [R, frames, BINS] pairs, stretches: [R], y: [R, frames_out, BINS] pairs
// grid     x: BINS / WG, y: R
// reads    x about twice, writes y once; a lane goes through the frames of a bin one after the other
// backward none: it prepares data
// knobs    WG
// source   Flanagan and Golden (1966); Laroche and Dolson (1999), section II

const WG: u32 = 64u;
const BINS: u32 = 513u;

struct Params { frames: u32, frames_out: u32, middle: f32, middle_out: f32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<vec2<f32>>;
@group(0) @binding(1) var<storage, read> stretches: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<vec2<f32>>;

// a / |a|, and 1 where there is no direction to speak of.
fn direction(a: vec2<f32>) -> vec2<f32> {
    let size = length(a);
    if size < 1e-20 {
        return vec2(1.0, 0.0);
    }
    return a / size;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let k = group.x * WG + lane;
    let row = group.y;
    if k >= BINS {
        return;
    }
    var phase = vec2(1.0, 0.0);
    var begun = false;
    for (var j = 0u; j < p.frames_out; j++) {
        let q = p.middle + (f32(j) - p.middle_out) / stretches[row];
        let to = (row * p.frames_out + j) * BINS + k;
        if q < 0.0 || q > f32(p.frames - 2u) {
            y[to] = vec2(0.0);
            continue;
        }
        let at = (row * p.frames + u32(q)) * BINS + k;
        let a = x[at];
        let b = x[at + BINS];
        if !begun {
            phase = direction(a);
            begun = true;
        }
        y[to] = mix(length(a), length(b), fract(q)) * phase;
        let gain = vec2(b.x * a.x + b.y * a.y, b.y * a.x - b.x * a.y);
        let turn = direction(gain);
        phase = direction(vec2(phase.x * turn.x - phase.y * turn.y, phase.x * turn.y + phase.y * turn.x));
    }
}
