// batch_norm — normalise each channel, then swish if asked
// maths    z = x scale + shift; y = z, or swish(z) with SWISH
// shapes   x, y [C,P]   stats [C] of vec4 (scale, shift, mean, 1/std)
// grid     x: P / (WG EACH)   y: C
// reads    x once, writes y once: bandwidth bound
// backward batch_norm_dx.wgsl
// knobs    WG, EACH
//!use lib/activation.wgsl
//!use lib/stored.wgsl

alias Elem = vec4<f32>;
const SWISH: bool = false;
const WG: u32 = 64u;
const EACH: u32 = 4u;

struct Params { row: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<Stored>;
@group(0) @binding(1) var<storage, read> stats: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<Elem>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let s = stats[group.y];
    let base = group.y * p.row;
    let end = min((group.x + 1u) * WG * EACH, p.row);
    for (var i = group.x * WG * EACH + lane; i < end; i += WG) {
        let z = widen(x[base + i]) * s.x + Elem(s.y);
        if SWISH {
            y[base + i] = swish(z);
        } else {
            y[base + i] = z;
        }
    }
}
