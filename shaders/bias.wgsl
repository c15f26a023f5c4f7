// bias — adds a number to every row
// maths    y[f][n] = x[f][n] + b[f]
// shapes   x, y: [F][N]; b: [F]
// grid     x: F N / WG elements (of Elem)
// reads    x once, writes y once: bandwidth bound
// backward dx = dy; db is a row_sum.wgsl
// knobs    WG
//!use lib/index.wgsl

alias Elem = vec4<f32>;
const WG: u32 = 64u;

// columns: Elem a row
struct Params { n: u32, columns: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<Elem>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<Elem>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group, groups) * WG + lane;
    if i >= p.n {
        return;
    }
    y[i] = x[i] + Elem(b[i / p.columns]);
}
