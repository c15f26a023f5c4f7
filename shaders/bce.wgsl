// bce — binary cross-entropy of every logit
// maths    loss = ln(1 + exp(x)) - y x, as max(x, 0) - y x + ln(1 + exp(-|x|))
// shapes   logits x, targets y in [0, 1], loss: any, of one length N
// grid     x: N / WG elements
// reads    logits and targets once, writes losses once: bandwidth bound
// backward bce_dx.wgsl
// knobs    WG
//!use lib/index.wgsl

const WG: u32 = 64u;

struct Params { n: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<f32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group, groups) * WG + lane;
    if i >= p.n {
        return;
    }
    let x = logits[i];
    let e = exp(-abs(x));
    // 1 + e rounds a small e away
    let tail = select(log(1.0 + e), e * (1.0 - e * (0.5 - e / 3.0)), e < 0.01);
    // what is not a number must show: max(NaN, 0) may be 0
    loss[i] = select(x * 0.0, x, x > 0.0) - targets[i] * x + tail;
}
