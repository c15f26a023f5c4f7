// augment/noise — signals with white noise on top
// maths    y[t] = x[t] + 10^(-d / 20) z[t] / sqrt(samples), d = U(LEAST_DB, MOST_DB) the signal-to-noise ratio of an x of unit L2
//          norm, z of mean 0 and deviation 1
// shapes   x, y: [R, samples]
// grid     x: samples / WG, y: R
// reads    x once, writes y once
// backward none: it prepares data
// knobs    WG
//!use lib/random.wgsl
//!use lib/noise.wgsl

const WG: u32 = 64u;
const LEAST_DB: f32 = 5.0;
const MOST_DB: f32 = 30.0;

struct Params { key: u32, samples: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let t = group.x * WG + lane;
    let row = group.y;
    if t >= p.samples {
        return;
    }
    let db = mix(LEAST_DB, MOST_DB, random(hash(p.key), row, 0u));
    let i = row * p.samples + t;
    y[i] = x[i] + exp2(-db / 6.0205999) * inverseSqrt(f32(p.samples)) * noise(p.key, i);
}
