// bce_dx — gradient of the mean binary cross-entropy
// maths    dx = dloss / N (sigmoid(x) - y)
// shapes   logits x, targets y, dx: any, of one length N; dloss: [1]
// grid     x: N / WG elements
// reads    logits and targets once, writes dx once: bandwidth bound
// backward none
// knobs    WG
//!use lib/index.wgsl

const WG: u32 = 64u;

struct Params { n: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<f32>;
@group(0) @binding(2) var<storage, read> dloss: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group, groups) * WG + lane;
    if i >= p.n {
        return;
    }
    let x = logits[i];
    // exp of a positive number may overflow; of a negative one it cannot
    let e = exp(-abs(x));
    let y = select(e, 1.0, x >= 0.0) / (1.0 + e);
    dx[i] = dloss[0] / f32(p.n) * (y - targets[i]);
}
