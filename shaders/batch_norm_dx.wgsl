// batch_norm_dx — gradient of batch norm (and swish) with respect to its input
// maths    dz = dy, or dy swish'(z) with SWISH; dx = γ / std (dz - mean(dz) - x̂ mean(dz x̂))
// shapes   x, dy, dx [C,P]   stats [C] of vec4   means [C] of vec2
// grid     x: P / (WG EACH)   y: C
// reads    x and dy once, writes dx once: bandwidth bound
// backward none
// knobs    WG, EACH
//!use lib/activation.wgsl

alias Elem = vec4<f32>;
const SWISH: bool = false;
const WG: u32 = 64u;
const EACH: u32 = 4u;

struct Params { row: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<Elem>;
@group(0) @binding(1) var<storage, read> dy: array<Elem>;
@group(0) @binding(2) var<storage, read> stats: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> means: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read_write> dx: array<Elem>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let s = stats[group.y];
    let m = means[group.y];
    let base = group.y * p.row;
    let start = group.x * WG * EACH + lane;
    for (var e = 0u; e < EACH; e++) {
        let i = start + e * WG;
        if i < p.row {
            let v = x[base + i];
            var dz = dy[base + i];
            if SWISH {
                dz *= swish_slope(v * s.x + Elem(s.y));
            }
            dx[base + i] = s.x * (dz - Elem(m.x) - (v - Elem(s.z)) * (s.w * m.y));
        }
    }
}
