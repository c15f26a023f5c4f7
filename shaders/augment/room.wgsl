// augment/room — what a room does to a click: the click, and noise that dies away
// maths    h[0] = 1, h[t] = w sqrt(2 ln 1000 / T) 1000^(-t / T) z[t]: T samples until the echo is 60 dB down, T = LEAST (MOST / LEAST)^u;
//          the echo has w^2 times the energy of the click, w = U(0, WET); z of mean 0 and deviation 1
// shapes   h: [R, samples]
// grid     x: samples / WG, y: R
// reads    nothing, writes h once
// backward none: it prepares data
// knobs    WG
// source   exponentially decaying noise as a late reverberation (Moorer 1979)
//!use lib/random.wgsl
//!use lib/noise.wgsl

const WG: u32 = 64u;
const LEAST: f32 = 1600.0;
const MOST: f32 = 12800.0;
const WET: f32 = 1.0;

struct Params { key: u32, samples: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read_write> h: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let t = group.x * WG + lane;
    let row = group.y;
    if t >= p.samples {
        return;
    }
    let key = hash(p.key);
    let length = LEAST * pow(MOST / LEAST, random(key, row, 0u));
    let wet = WET * random(key, row, 1u);
    let i = row * p.samples + t;
    // 2 ln 1000, and log2 1000
    let echo = wet * sqrt(13.815511 / length) * exp2(-9.9657843 * f32(t) / length) * noise(p.key, i);
    h[i] = select(echo, 1.0, t == 0u);
}
