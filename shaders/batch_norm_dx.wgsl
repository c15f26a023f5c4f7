// batch_norm_dx — gradient of batch norm (and swish) with respect to its input, in place
// maths    dz = dy, or dy swish'(z) with SWISH; dx = γ / std (dz - mean(dz) - x̂ mean(dz x̂))
// shapes   x [C,P]   d the same: dy before, dx after   stats [C] of vec4   means [C] of vec2
// grid     x: P / (WG EACH)   y: C
// reads    x and d once, writes d once: bandwidth bound
// backward none
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
@group(0) @binding(2) var<storage, read> means: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read_write> d: array<Elem>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let s = stats[group.y];
    let m = means[group.y];
    let base = group.y * p.row;
    let end = min((group.x + 1u) * WG * EACH, p.row);
    for (var i = group.x * WG * EACH + lane; i < end; i += WG) {
        // ANCHOR: dx
        let v = widen(x[base + i]);
        var dz = d[base + i];
        if SWISH {
            dz *= swish_slope(v * s.x + Elem(s.y));
        }
        d[base + i] = s.x * (dz - Elem(m.x) - (v - Elem(s.z)) * (s.w * m.y));
        // ANCHOR_END: dx
    }
}
