// softmax_xent — softmax cross-entropy of every sample, and whether its largest logit is the target's
// maths    lse = m + ln sum_c exp(x[c] - m), m = max_c x[c]; loss = w (lse - x[target]);
//          correct = 1 where the target is the first class that reaches m, else 0
// shapes   logits: [S][C], or [C][S] with CLASSES_FIRST; targets: [S], below C; loss, lse, correct: [S];
//          weights w: [S], read only when WEIGHTED, else 1
// grid     x: S, one workgroup a sample
// reads    logits three times, twice from cache
// backward softmax_xent_dx.wgsl
// knobs    WG
//!use lib/index.wgsl
//!use lib/reduce.wgsl

const CLASSES_FIRST: bool = false;
const WEIGHTED: bool = false;
const WG: u32 = 64u;

struct Params { samples: u32, classes: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;
@group(0) @binding(4) var<storage, read_write> correct: array<f32>;
@group(0) @binding(5) var<storage, read> weights: array<f32>;

fn logit(sample: u32, c: u32) -> f32 {
    if CLASSES_FIRST {
        return logits[c * p.samples + sample];
    }
    return logits[sample * p.classes + c];
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let sample = flat_group(group, groups);
    if sample >= p.samples {
        return;
    }
    let wanted = targets[sample];
    var highest = logit(sample, min(lane, p.classes - 1u));
    for (var c = lane; c < p.classes; c += WG) {
        highest = max(highest, logit(sample, c));
    }
    highest = workgroup_max(highest, lane);
    var sum = 0.0;
    var earlier = 0.0;
    for (var c = lane; c < p.classes; c += WG) {
        let x = logit(sample, c);
        sum += exp(x - highest);
        if c < wanted && x == highest {
            earlier += 1.0;
        }
    }
    sum = workgroup_sum(sum, lane);
    earlier = workgroup_sum(earlier, lane);
    if lane == 0u {
        let at_target = logit(sample, min(wanted, p.classes - 1u));
        let value = highest + log(sum);
        lse[sample] = value;
        // in this order, because highest may be large beside what the loss is
        var own = log(sum) + (highest - at_target);
        if WEIGHTED {
            own *= weights[sample];
        }
        loss[sample] = own;
        correct[sample] = select(0.0, 1.0, at_target == highest && earlier == 0.0);
    }
}
