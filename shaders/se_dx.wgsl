// se_dx — gradient of gate, squeeze, swish and batch norm with respect to the batch norm's input, in place
// maths    dz = (ds sigmoid(g) + dq / HW) swish'(z); dx = γ / std (dz - mean(dz) - x̂ mean(dz x̂))
// shapes   x [C,N,H,W]   d the same: ds before, dx after   stats [C] of vec4   means [C] of vec2   g, dq [C,N]
// grid     x: N H W / (WG EACH) elements (of Elem), or with BY_PLANE N / (WG EACH) planes   y: C
// reads    x and d once, writes d once: bandwidth bound
// backward none
// knobs    WG, EACH, PLANE and BY_PLANE as in se_gate.wgsl
//!use lib/activation.wgsl
//!use lib/stored.wgsl

alias Elem = vec4<f32>;
const WG: u32 = 64u;
const EACH: u32 = 4u;
// elements of a plane
const PLANE: u32 = 384u;
const BY_PLANE: bool = false;

// inverse_plane: 1 / (H W)
struct Params { row: u32, planes: u32, inverse_plane: f32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<Stored>;
@group(0) @binding(1) var<storage, read> stats: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> means: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read> g: array<f32>;
@group(0) @binding(4) var<storage, read> dq: array<f32>;
@group(0) @binding(5) var<storage, read_write> d: array<Elem>;

// Element i of a channel with these statistics and means; gate: sigmoid(g), dq_mean: dq / HW of its plane.
fn turn(i: u32, s: vec4<f32>, m: vec2<f32>, gate: Elem, dq_mean: f32) {
    let v = widen(x[i]);
    let dz = (d[i] * gate + Elem(dq_mean)) * swish_slope(v * s.x + Elem(s.y));
    d[i] = s.x * (dz - Elem(m.x) - (v - Elem(s.z)) * (s.w * m.y));
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let s = stats[group.y];
    let m = means[group.y];
    let base = group.y * p.row;
    if BY_PLANE {
        let end = min((group.x + 1u) * WG * EACH, p.planes);
        for (var n = group.x * WG * EACH + lane; n < end; n += WG) {
            let gate = sigmoid(Elem(g[group.y * p.planes + n]));
            let dq_mean = dq[group.y * p.planes + n] * p.inverse_plane;
            for (var i = base + n * PLANE; i < base + (n + 1u) * PLANE; i++) {
                turn(i, s, m, gate, dq_mean);
            }
        }
    } else {
        let end = min((group.x + 1u) * WG * EACH, p.row);
        for (var i = group.x * WG * EACH + lane; i < end; i += WG) {
            let plane = group.y * p.planes + i / PLANE;
            turn(base + i, s, m, sigmoid(Elem(g[plane])), dq[plane] * p.inverse_plane);
        }
    }
}
