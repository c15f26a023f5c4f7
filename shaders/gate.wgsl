// gate — squeeze-excite's product
// maths    y[c,n,·] = x[c,n,·] sigmoid(g[c,n])
// shapes   x, y [C,N,H,W]   g [C,N]
// grid     x: C N H W / WG elements (of Elem)
// reads    x once, writes y once, g once a plane: bandwidth bound
// backward dx: this kernel with dy for x; dg: gate_dg.wgsl
// knobs    WG, PLANE
//!use lib/index.wgsl

alias Elem = vec4<f32>;
const WG: u32 = 64u;
// elements of a plane; a constant, because a division by it is made for every element
const PLANE: u32 = 384u;

struct Params { n: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<Elem>;
@group(0) @binding(1) var<storage, read> g: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<Elem>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group, groups) * WG + lane;
    if i < p.n {
        y[i] = x[i] / (1.0 + exp(-g[i / PLANE]));
    }
}
