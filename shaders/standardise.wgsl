// standardise — shift and scale of the input
// maths    y = (x - mean) scale
// shapes   x, y: any, of the same length
// grid     x: n / WG elements (of Elem)
// reads    x once, writes y once: bandwidth bound
// backward none: it prepares data
// knobs    WG
//!use lib/index.wgsl

alias Elem = vec4<f32>;
const WG: u32 = 64u;

struct Params { n: u32, mean: f32, scale: f32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<Elem>;
@group(0) @binding(1) var<storage, read_write> y: array<Elem>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group, groups) * WG + lane;
    if i >= p.n {
        return;
    }
    y[i] = (x[i] - Elem(p.mean)) * p.scale;
}
