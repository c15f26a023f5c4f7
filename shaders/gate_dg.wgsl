// gate_dg — gradient of gate.wgsl with respect to the gate
// maths    dg[c,n] = s (1 - s) Σ_hw dy x, s = sigmoid(g[c,n])
// shapes   x, dy [C,N,H,W]   g, dg [C,N]
// grid     x: C N / WG
// reads    x and dy once: bandwidth bound
// backward none
// knobs    WG
//!use lib/total.wgsl
//!use lib/index.wgsl

alias Elem = vec4<f32>;
const WIDTH: u32 = 4u;
const WG: u32 = 64u;

struct Params { planes: u32, plane: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<Elem>;
@group(0) @binding(1) var<storage, read> dy: array<Elem>;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read_write> dg: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group, groups) * WG + lane;
    if i >= p.planes {
        return;
    }
    var sum = Elem();
    for (var j = i * p.plane; j < (i + 1u) * p.plane; j++) {
        sum += dy[j] * x[j];
    }
    let s = 1.0 / (1.0 + exp(-g[i]));
    dg[i] = s * (1.0 - s) * total(sum);
}
