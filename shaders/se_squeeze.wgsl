// se_squeeze — squeeze-excite's squeeze, of an activation that is never stored
// maths    q[c,n] = mean over the plane of a, a = swish(x scale + shift)
// shapes   x [C,N,H,W]   stats [C] of vec4 (scale, shift, mean, 1/std)   q [C,N]
// grid     x: N / WG, a plane a lane   y: C
// reads    x once: bandwidth bound
// backward se_dx.wgsl
// knobs    WG
//!use lib/activation.wgsl
//!use lib/total.wgsl
//!use lib/stored.wgsl

alias Elem = vec4<f32>;
const WIDTH: u32 = 4u;
const WG: u32 = 64u;

// plane: in Elem
struct Params { planes: u32, plane: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<Stored>;
@group(0) @binding(1) var<storage, read> stats: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> q: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let n = group.x * WG + lane;
    if n >= p.planes {
        return;
    }
    let at = group.y * p.planes + n;
    let s = stats[group.y];
    var sum = Elem();
    for (var i = at * p.plane; i < (at + 1u) * p.plane; i++) {
        sum += swish(widen(x[i]) * s.x + Elem(s.y));
    }
    q[at] = total(sum) / f32(p.plane * WIDTH);
}
