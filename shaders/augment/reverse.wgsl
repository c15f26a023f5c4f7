// augment/reverse — half of the signals backwards
// maths    y[t] = x[samples - 1 - t] for a signal with probability 1/2, else x[t]
// shapes   x, y: [R, samples]
// grid     x: samples / WG, y: R
// reads    x once, writes y once: bandwidth bound
// backward none: it prepares data
// knobs    WG
//!use lib/random.wgsl

const WG: u32 = 64u;

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
    let backwards = random_below(p.key, row, 0u, 2u) == 1u;
    y[row * p.samples + t] = x[row * p.samples + select(t, p.samples - 1u - t, backwards)];
}
