// frames — pieces of signals that overlap, each times a window: what a short-time transform is taken of
// maths    y[r][f][i] = window[i] x[r][f hop + i - lead], x = 0 outside of the signal
// shapes   x: [R, samples], window: [SIZE], y: [R, frames, SIZE]
// grid     x: SIZE / WG, y: frames, z: R
// reads    x SIZE / hop times (neighbouring frames find it cached), writes y once: bandwidth bound
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
    let i = group.x * WG + lane;
    let place = group.y * p.hop + i;
    var value = 0.0;
    if place >= p.lead && place - p.lead < p.samples {
        value = x[group.z * p.samples + place - p.lead];
    }
    y[(group.z * p.frames + group.y) * SIZE + i] = window[i] * value;
}
