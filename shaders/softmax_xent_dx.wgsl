// softmax_xent_dx — gradient of the mean cross-entropy
// maths    dx[c] = w dloss / S (exp(x[c] - lse) - [c = target])
// shapes   logits, dx: [S][C], or [C][S] with CLASSES_FIRST; targets, lse: [S]; dloss: [1];
//          weights w: [S], read only when WEIGHTED, else 1
// grid     x: S C / WG elements
// reads    logits once, writes dx once: bandwidth bound
// backward none
// knobs    WG
//!use lib/index.wgsl

const CLASSES_FIRST: bool = false;
const WEIGHTED: bool = false;
const WG: u32 = 64u;

struct Params { samples: u32, classes: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read> lse: array<f32>;
@group(0) @binding(3) var<storage, read> dloss: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;
@group(0) @binding(5) var<storage, read> weights: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group, groups) * WG + lane;
    if i >= p.samples * p.classes {
        return;
    }
    var sample = i / p.classes;
    var c = i % p.classes;
    if CLASSES_FIRST {
        sample = i % p.samples;
        c = i / p.samples;
    }
    // ANCHOR: gradient
    let hit = select(0.0, 1.0, c == targets[sample]);
    var weight = dloss[0] / f32(p.samples);
    if WEIGHTED {
        weight *= weights[sample];
    }
    dx[i] = weight * (exp(logits[i] - lse[sample]) - hit);
    // ANCHOR_END: gradient
}
