// se_gate — batch norm, swish and squeeze-excite's gate in one
// maths    y = swish(x scale + shift) sigmoid(g)
// shapes   x, y [C,N,H,W]   stats [C] of vec4 (scale, shift, mean, 1/std)   g [C,N]
// grid     x: N H W / (WG EACH) elements (of Elem), or with BY_PLANE N / (WG EACH) planes   y: C
// reads    x once, writes y once: bandwidth bound
// backward se_dx_sums.wgsl, se_dx.wgsl
// knobs    WG, EACH; PLANE, because a division by a constant is cheap; BY_PLANE: a lane walks along a plane, which saves
//          loading the gate with each element (on CPU adapters, where lanes need not lie side by side)
//!use lib/activation.wgsl
//!use lib/stored.wgsl

alias Elem = vec4<f32>;
const WG: u32 = 64u;
const EACH: u32 = 4u;
// elements of a plane
const PLANE: u32 = 384u;
const BY_PLANE: bool = false;

struct Params { row: u32, planes: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<Stored>;
@group(0) @binding(1) var<storage, read> stats: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<Elem>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let s = stats[group.y];
    let base = group.y * p.row;
    if BY_PLANE {
        let end = min((group.x + 1u) * WG * EACH, p.planes);
        for (var n = group.x * WG * EACH + lane; n < end; n += WG) {
            let gate = sigmoid(Elem(g[group.y * p.planes + n]));
            for (var i = base + n * PLANE; i < base + (n + 1u) * PLANE; i++) {
                y[i] = swish(widen(x[i]) * s.x + Elem(s.y)) * gate;
            }
        }
    } else {
        let end = min((group.x + 1u) * WG * EACH, p.row);
        for (var i = group.x * WG * EACH + lane; i < end; i += WG) {
            let gate = sigmoid(Elem(g[group.y * p.planes + i / PLANE]));
            y[base + i] = swish(widen(x[base + i]) * s.x + Elem(s.y)) * gate;
        }
    }
}
