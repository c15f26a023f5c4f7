// unary_dx — gradient of an elementwise function
// maths    dx = dy f'(x); OP 0 swish, 3 gelu and 4 square (from x), 1 sigmoid, 2 tanh and 5 relu (from y = f(x): s (1 - s), 1 - y²,
//          1 where y > 0)
// shapes   v (x or y), dy, dx: any, of the same length
// grid     x: n / WG elements (of Elem)
// reads    v and dy once, writes dx once: bandwidth bound
// backward none
// knobs    WG
//!use lib/index.wgsl
//!use lib/activation.wgsl

alias Elem = vec4<f32>;
const OP: u32 = 0u;
const WG: u32 = 64u;

struct Params { n: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> v: array<Elem>;
@group(0) @binding(1) var<storage, read> dy: array<Elem>;
@group(0) @binding(2) var<storage, read_write> dx: array<Elem>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group, groups) * WG + lane;
    if i >= p.n {
        return;
    }
    switch OP {
        case 0u: { dx[i] = dy[i] * swish_slope(v[i]); }
        case 1u: { dx[i] = dy[i] * v[i] * (Elem(1.0) - v[i]); }
        case 2u: { dx[i] = dy[i] * (Elem(1.0) - v[i] * v[i]); }
        case 3u: { dx[i] = dy[i] * gelu_slope(v[i]); }
        case 4u: { dx[i] = 2.0 * dy[i] * v[i]; }
        default: { dx[i] = select(Elem(0.0), dy[i], v[i] > Elem(0.0)); }
    }
}
