// augment/mixup — each log-mel with a little of another one of the batch behind it
// maths    y = ln((1 - r) exp(x) + r exp(x')), x' another sample, r uniform in [0, RATIO): magnitudes are mixed, not logarithms
// shapes   x, y: [N, L], L = PLANE Elem
// grid     x: L / WG Elem, y: N
// reads    x twice, writes y once: bandwidth bound
// backward none: it prepares data
// knobs    WG
// source   log-mixup-exp of BYOL-A (Niizumi et al. 2021), section III-B
//!use lib/random.wgsl

alias Elem = vec4<f32>;
const WG: u32 = 64u;
const PLANE: u32 = 1u;

struct Params { samples: u32, key: u32, ratio: f32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<Elem>;
@group(0) @binding(1) var<storage, read_write> y: array<Elem>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group.x * WG + lane;
    let sample = group.y;
    if i >= PLANE {
        return;
    }
    let other = (sample + 1u + random_below(p.key, sample, 0u, max(p.samples, 2u) - 1u)) % p.samples;
    let r = p.ratio * random(p.key, sample, 1u);
    y[sample * PLANE + i] = log((1.0 - r) * exp(x[sample * PLANE + i]) + r * exp(x[other * PLANE + i]));
}
