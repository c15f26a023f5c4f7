// axpby — scaled sum, in place
// maths    y = a x + b y
// shapes   x, y: any, of the same length
// grid     x: n / WG elements (of Elem)
// reads    x and y once, writes y once: bandwidth bound
// backward of y = x1 + x2: the gradient goes to both
// knobs    WG
//!use lib/index.wgsl

alias Elem = vec4<f32>;
const WG: u32 = 64u;

struct Params { n: u32, a: f32, b: f32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<Elem>;
@group(0) @binding(1) var<storage, read_write> y: array<Elem>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group, groups) * WG + lane;
    if i >= p.n {
        return;
    }
    var sum = p.a * x[i];
    // b = 0 overwrites: what stood there may be NaN
    if p.b != 0.0 {
        sum += p.b * y[i];
    }
    y[i] = sum;
}
