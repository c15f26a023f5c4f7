// unary — an elementwise function
// maths    y = f(x); OP 0 swish, 1 sigmoid, 2 tanh, 3 gelu, 4 square, 5 relu
// shapes   x, y: any, of the same length
// grid     x: n / WG elements (of Elem)
// reads    x once, writes y once: bandwidth bound
// backward unary_dx.wgsl
// knobs    WG
//!use lib/index.wgsl
//!use lib/activation.wgsl

alias Elem = vec4<f32>;
const OP: u32 = 0u;
const WG: u32 = 64u;

struct Params { n: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<Elem>;
@group(0) @binding(1) var<storage, read_write> y: array<Elem>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group, groups) * WG + lane;
    if i >= p.n {
        return;
    }
    switch OP {
        case 0u: { y[i] = swish(x[i]); }
        case 1u: { y[i] = sigmoid(x[i]); }
        case 2u: { y[i] = tanh(x[i]); }
        case 3u: { y[i] = gelu(x[i]); }
        case 4u: { y[i] = x[i] * x[i]; }
        // max() may drop a NaN, which must reach the loss
        default: { y[i] = select(x[i], Elem(0.0), x[i] < Elem(0.0)); }
    }
}
