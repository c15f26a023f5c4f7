// augment/gain — signals that grow louder or softer on the way: from one random level to another
// maths    y[t] = x[t] 10^(d(t) / 20), d linear from U(-MOST_DB, MOST_DB) at the first sample to another at the last
// shapes   x, y: [R, samples]
// grid     x: samples / WG, y: R
// reads    x once, writes y once: bandwidth bound
// backward none: it prepares data
// knobs    WG
// source   the random linear fader of BYOL-A v2 (Niizumi et al. 2022), section III
//!use lib/random.wgsl

const WG: u32 = 64u;
const MOST_DB: f32 = 12.0;

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
    let place = f32(t) / f32(max(p.samples, 2u) - 1u);
    let share = mix(random(p.key, row, 0u), random(p.key, row, 1u), place);
    // 20 log10(2) dB are a factor of two
    y[row * p.samples + t] = x[row * p.samples + t] * exp2(MOST_DB * (2.0 * share - 1.0) / 6.0205999);
}
