// residual — a block's output on top of its input, with stochastic depth
// maths    y[c,n,·] = shortcut[c,n,·] + scale[n] branch[c,n,·]; without a shortcut (SHORTCUT false) the gradient of branch
// shapes   branch, shortcut, y [C,N,H,W]   scale [N]: 0 where the branch is dropped, else 1 / (1 - p)
// grid     x: C N H W / WG elements (of Elem)
// reads    branch and shortcut once, writes y once: bandwidth bound
// backward d shortcut = dy; d branch: this kernel with SHORTCUT false, and dy for branch
// knobs    WG, PLANE; SCALED false: every scale is 1 and none is read
//!use lib/index.wgsl

alias Elem = vec4<f32>;
const SHORTCUT: bool = true;
const SCALED: bool = true;
const WG: u32 = 64u;
// elements of a plane; a constant, because a division by it is made for every element
const PLANE: u32 = 384u;

struct Params { n: u32, samples: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> branch: array<Elem>;
@group(0) @binding(1) var<storage, read> shortcut: array<Elem>;
@group(0) @binding(2) var<storage, read> scale: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<Elem>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group, groups) * WG + lane;
    if i >= p.n {
        return;
    }
    var sum = branch[i];
    if SCALED {
        sum *= scale[i / PLANE % p.samples];
    }
    if SHORTCUT {
        sum += shortcut[i];
    }
    y[i] = sum;
}
