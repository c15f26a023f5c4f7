// mean_pool_dx — gradient of mean_pool.wgsl
// maths    dx[c][n][i] = dy[c][n] / size, on top of what stands there with ADD
// shapes   dy: [planes]; dx: [planes][size]
// grid     x: planes size / WG elements (of Elem)
// reads    dy once a plane, writes dx once (and reads it with ADD): bandwidth bound
// backward none
// knobs    WG, PLANE
//!use lib/index.wgsl

alias Elem = vec4<f32>;
const WIDTH: u32 = 4u;
const WG: u32 = 64u;
const ADD: bool = false;
// elements of a plane; a constant, because a division by it is made for every element
const PLANE: u32 = 384u;

struct Params { n: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> dx: array<Elem>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group, groups) * WG + lane;
    if i >= p.n {
        return;
    }
    var share = Elem(dy[i / PLANE] / f32(PLANE * WIDTH));
    if ADD {
        share += dx[i];
    }
    dx[i] = share;
}
