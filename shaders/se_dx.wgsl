// se_dx — gradient of gate, squeeze, swish and batch norm with respect to the batch norm's input, in place
// maths    dz = (ds sigmoid(g) + dq / HW) swish'(z); dx = γ / std (dz - mean(dz) - x̂ mean(dz x̂))
// shapes   x [C,N,H,W]   d the same: ds before, dx after   stats [C] of vec4   means [C] of vec2   g, dq [C,N]
// grid     x: N H W / (WG EACH) elements (of Elem)   y: C
// reads    x and d once, writes d once: bandwidth bound
// backward none
// knobs    WG, EACH; PLANE, because a division by a constant is cheap
//!use lib/activation.wgsl
//!use lib/stored.wgsl

alias Elem = vec4<f32>;
const WG: u32 = 64u;
const EACH: u32 = 4u;
// elements of a plane
const PLANE: u32 = 384u;

// inverse_plane: 1 / (H W)
struct Params { row: u32, planes: u32, inverse_plane: f32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<Stored>;
@group(0) @binding(1) var<storage, read> stats: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> means: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read> g: array<f32>;
@group(0) @binding(4) var<storage, read> dq: array<f32>;
@group(0) @binding(5) var<storage, read_write> d: array<Elem>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let s = stats[group.y];
    let m = means[group.y];
    let base = group.y * p.row;
    let end = min((group.x + 1u) * WG * EACH, p.row);
    for (var i = group.x * WG * EACH + lane; i < end; i += WG) {
        let plane = group.y * p.planes + i / PLANE;
        let v = widen(x[base + i]);
        let through_gate = d[base + i] * sigmoid(Elem(g[plane]));
        let dz = (through_gate + Elem(dq[plane] * p.inverse_plane)) * swish_slope(v * s.x + Elem(s.y));
        d[base + i] = s.x * (dz - Elem(m.x) - (v - Elem(s.z)) * (s.w * m.y));
    }
}
