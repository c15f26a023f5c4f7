// se_dx_stats — parameter gradients of the batch norm in front of the gate, and the means that its dx subtracts
// maths    with σ = sigmoid(g), q = dq / HW and (b, d, c, e) = sums: Σ dz = Σ_n (σ b + q c), Σ dz x̂ = Σ_n (σ d + q e);
//          dβ += Σ dz, dγ += Σ dz x̂; means[c] = (Σ dz, Σ dz x̂) / (N H W), or 0 where running statistics were used
// shapes   sums [C,N] of vec4   g, dq [C,N]   dgamma, dbeta [C]   means [C] of vec2
// grid     x: C / WG
// reads    all once: small
// backward none
// knobs    WG, TRAINING

const TRAINING: bool = true;
const WG: u32 = 64u;

struct Params { channels: u32, planes: u32, plane: f32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> sums: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> g: array<f32>;
@group(0) @binding(2) var<storage, read> dq: array<f32>;
@group(0) @binding(3) var<storage, read_write> dgamma: array<f32>;
@group(0) @binding(4) var<storage, read_write> dbeta: array<f32>;
@group(0) @binding(5) var<storage, read_write> means: array<vec2<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = id.x;
    if c >= p.channels {
        return;
    }
    var total = vec2<f32>();
    for (var n = c * p.planes; n < (c + 1u) * p.planes; n++) {
        let s = sums[n];
        total += s.xy / (1.0 + exp(-g[n])) + s.zw * (dq[n] / p.plane);
    }
    dbeta[c] += total.x;
    dgamma[c] += total.y;
    means[c] = select(vec2<f32>(), total / (p.plane * f32(p.planes)), TRAINING);
}
