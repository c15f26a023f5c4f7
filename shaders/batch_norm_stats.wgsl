// batch_norm_stats — second stage: what the other batch-norm kernels need of a channel
// maths    mean, var from the parts (TRAINING) or from the running statistics; i = 1 / sqrt(var + eps)
//          stats[c] = (γ i, β - mean γ i, mean, i); running = (1 - momentum) running + momentum batch, with the
//          unbiased variance, as torch does
// shapes   first [C] (x₀ of each channel, stride row)   part [C,S] of vec2   stats [C] of vec4   the rest [C]
// grid     x: C / WG
// reads    parts once: small
// sparse   x
// backward batch_norm_dx_stats.wgsl
// knobs    WG, TRAINING
//!use lib/words.wgsl

const TRAINING: bool = true;
const WG: u32 = 64u;

struct Params { channels: u32, parts: u32, row: u32, count: f32, eps: f32, momentum: f32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<Word>;
@group(0) @binding(1) var<storage, read> part: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read> gamma: array<f32>;
@group(0) @binding(3) var<storage, read> beta: array<f32>;
@group(0) @binding(4) var<storage, read_write> running_mean: array<f32>;
@group(0) @binding(5) var<storage, read_write> running_var: array<f32>;
@group(0) @binding(6) var<storage, read_write> stats: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = id.x;
    if c >= p.channels {
        return;
    }
    // ANCHOR: modes
    var mean = running_mean[c];
    var variance = running_var[c];
    if TRAINING {
        var total = vec2<f32>();
        for (var s = 0u; s < p.parts; s++) {
            total += part[c * p.parts + s];
        }
        let d = total.x / p.count;
        variance = max(total.y / p.count - d * d, 0.0);
        let batch_mean = element(x[c * p.row / PER_WORD], c * p.row) + d;
        running_mean[c] = mix(mean, batch_mean, p.momentum);
        running_var[c] = mix(running_var[c], variance * p.count / max(p.count - 1.0, 1.0), p.momentum);
        mean = batch_mean;
    }
    let inv_std = inverseSqrt(variance + p.eps);
    let scale = gamma[c] * inv_std;
    stats[c] = vec4<f32>(scale, beta[c] - mean * scale, mean, inv_std);
    // ANCHOR_END: modes
}
