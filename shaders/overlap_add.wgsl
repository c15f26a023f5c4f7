// overlap_add — frames back to signals: the sum of all that lie over a sample, each times a window
// maths    y[r][t] = sum_f window[i] x[r][f][i], i = t + lead - f hop wherever that is in 0 .. SIZE
// shapes   x: [R, frames, SIZE], window: [SIZE], y: [R, samples]
// grid     x: samples / WG, y: R
// reads    x once, writes y once: bandwidth bound
// backward none: it prepares data
// knobs    WG

const WG: u32 = 64u;
const SIZE: u32 = 1024u;

struct Params { samples: u32, frames: u32, hop: u32, lead: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> window: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let t = group.x * WG + lane;
    if t >= p.samples {
        return;
    }
    let place = t + p.lead;
    let end = min(place / p.hop + 1u, p.frames);
    // the first frame whose last sample is not before this one
    var first = 0u;
    if place >= SIZE {
        first = (place - SIZE) / p.hop + 1u;
    }
    var sum = 0.0;
    for (var f = first; f < end; f++) {
        let i = place - f * p.hop;
        sum += window[i] * x[(group.y * p.frames + f) * SIZE + i];
    }
    y[group.y * p.samples + t] = sum;
}
