// se_dx_sums — the five sums over a plane from which all reductions of the block's backward follow
// maths    ds the gradient at y of se_gate.wgsl; z, a, x̂ batch norm's output, swish(z), normalised x; a' = swish'(z):
//          dg[c,n] = σ'(g) Σ ds a;  sums[c,n] = (Σ ds a', Σ ds a' x̂, Σ a', Σ a' x̂), each over H W;
//          with GATE also y = σ(g) a again, which the gradient of the weights behind it needs
// shapes   x, ds, y [C,N,H,W]   stats [C] of vec4   g, dg [C,N]   sums [C,N] of vec4
// grid     x: N / WG, a plane a lane   y: C
// reads    x and ds once: bandwidth bound
// backward none
// knobs    WG; GATE where a lane may write what is not side by side (CPU adapters), else se_gate.wgsl
//!use lib/activation.wgsl
//!use lib/total.wgsl
//!use lib/stored.wgsl

alias Elem = vec4<f32>;
const WIDTH: u32 = 4u;
const WG: u32 = 64u;
const GATE: bool = false;

// plane: in Elem
struct Params { planes: u32, plane: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<Stored>;
@group(0) @binding(1) var<storage, read> ds: array<Elem>;
@group(0) @binding(2) var<storage, read> stats: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> g: array<f32>;
@group(0) @binding(4) var<storage, read_write> dg: array<f32>;
@group(0) @binding(5) var<storage, read_write> sums: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> y: array<Elem>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let n = group.x * WG + lane;
    if n >= p.planes {
        return;
    }
    let at = group.y * p.planes + n;
    let s = stats[group.y];
    let gate = 1.0 / (1.0 + exp(-g[at]));
    var ds_a = Elem();
    var ds_slope = Elem();
    var ds_slope_x = Elem();
    var slope = Elem();
    var slope_x = Elem();
    for (var i = at * p.plane; i < (at + 1u) * p.plane; i++) {
        let v = widen(x[i]);
        let d = ds[i];
        let z = v * s.x + Elem(s.y);
        let sig = sigmoid(z);
        let a = z * sig;
        let da = sig + a * (Elem(1.0) - sig);
        let centred = v - Elem(s.z);
        ds_a += d * a;
        ds_slope += d * da;
        ds_slope_x += d * da * centred;
        slope += da;
        slope_x += da * centred;
        if GATE {
            y[i] = a * gate;
        }
    }
    dg[at] = gate * (1.0 - gate) * total(ds_a);
    sums[at] = vec4<f32>(total(ds_slope), total(ds_slope_x) * s.w, total(slope), total(slope_x) * s.w);
}
