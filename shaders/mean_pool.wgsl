// mean_pool — the mean of every plane
// maths    y[c][n] = (Σ_i x[c][n][i]) / size
// shapes   x: [planes][size]; y: [planes], with planes = C N and size = H W
// grid     x: planes / WG
// reads    x once: bandwidth bound
// backward mean_pool_dx.wgsl
// knobs    WG
//!use lib/total.wgsl
//!use lib/index.wgsl

alias Elem = vec4<f32>;
const WIDTH: u32 = 4u;
const WG: u32 = 64u;

struct Params { planes: u32, plane: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<Elem>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group, groups) * WG + lane;
    if i >= p.planes {
        return;
    }
    var sum = Elem();
    for (var j = i * p.plane; j < (i + 1u) * p.plane; j++) {
        sum += x[j];
    }
    y[i] = total(sum) / f32(p.plane * WIDTH);
}
