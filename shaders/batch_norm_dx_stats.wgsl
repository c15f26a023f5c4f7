// batch_norm_dx_stats — second stage: parameter gradients, and the means that dx subtracts
// maths    dβ += Σ dz, dγ += Σ dz x̂; means[c] = (Σ dz, Σ dz x̂) / count, or 0 where running statistics were used
// shapes   part [C,S] of vec2   means [C] of vec2   dgamma, dbeta [C]
// grid     x: C / WG
// reads    parts once: small
// backward none
// knobs    WG, TRAINING

const TRAINING: bool = true;
const WG: u32 = 64u;

struct Params { channels: u32, parts: u32, count: f32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> part: array<vec2<f32>>;
@group(0) @binding(1) var<storage, read_write> dgamma: array<f32>;
@group(0) @binding(2) var<storage, read_write> dbeta: array<f32>;
@group(0) @binding(3) var<storage, read_write> means: array<vec2<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = id.x;
    if c >= p.channels {
        return;
    }
    var total = vec2<f32>();
    for (var s = 0u; s < p.parts; s++) {
        total += part[c * p.parts + s];
    }
    dbeta[c] += total.x;
    dgamma[c] += total.y;
    means[c] = select(vec2<f32>(), total / p.count, TRAINING);
}
