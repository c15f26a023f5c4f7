// augment/resize_crop — a random part of each log-mel, stretched to the whole: other tempo, other pitch, another moment
// maths    a box of U(LEAST, MOST) FRAMES by U(LEAST, MOST) BANDS, at most a canvas of CANVAS FRAMES by BANDS with x in the middle
//          of its time and 0 around it, lies anywhere in the canvas; y is what the box holds, at FRAMES by BANDS points, bilinear
// shapes   x, y: [N, FRAMES, BANDS]
// grid     x: FRAMES BANDS / WG elements, y: N
// reads    x up to four times (the box of a sample stays cached), writes y once
// backward none: it prepares data
// knobs    WG
// source   random resize crop of BYOL-A (Niizumi et al. 2021), section III-C, which has it bicubic
//!use lib/random.wgsl

const WG: u32 = 64u;
const FRAMES: u32 = 96u;
const BANDS: u32 = 64u;
const LEAST: f32 = 0.6;
const MOST: f32 = 1.5;
const CANVAS: f32 = 1.5;

struct Params { key: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

fn at(sample: u32, frame: i32, band: i32) -> f32 {
    if frame < 0 || frame >= i32(FRAMES) || band < 0 || band >= i32(BANDS) {
        return 0.0;
    }
    return x[(sample * FRAMES + u32(frame)) * BANDS + u32(band)];
}

// First point and distance of points of a box's axis: `points` points of x, in a canvas of `canvas` points.
fn axis(points: f32, canvas: f32, size: f32, place: f32) -> vec2<f32> {
    let box = min((LEAST + (MOST - LEAST) * size) * points, canvas);
    let start = place * (canvas - box) - 0.5 * (canvas - points);
    return vec2<f32>(start, (box - 1.0) / max(points - 1.0, 1.0));
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group.x * WG + lane;
    let sample = group.y;
    if i >= FRAMES * BANDS {
        return;
    }
    let time = axis(f32(FRAMES), CANVAS * f32(FRAMES), random(p.key, sample, 0u), random(p.key, sample, 1u));
    let mel = axis(f32(BANDS), f32(BANDS), random(p.key, sample, 2u), random(p.key, sample, 3u));
    let t = time.x + time.y * f32(i / BANDS);
    let m = mel.x + mel.y * f32(i % BANDS);
    let frame = floor(t);
    let band = floor(m);
    let f = i32(frame);
    let b = i32(band);
    let low = mix(at(sample, f, b), at(sample, f, b + 1), m - band);
    let high = mix(at(sample, f + 1, b), at(sample, f + 1, b + 1), m - band);
    y[sample * FRAMES * BANDS + i] = mix(low, high, t - frame);
}
