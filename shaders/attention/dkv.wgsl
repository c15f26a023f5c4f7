// attention/dkv — gradients of causal self-attention with respect to keys and values
// maths    w[t][u] = exp(s[t][u] - lse[t]) computed again; dv[i][u] = Σ_t>=u w[t][u] dy[i][t];
//          dk[i][u] = scale Σ_t>=u w[t][u] (Σ_j dy[j][t] v[j][u] - delta[t]) q[i][t]   (Dao 2023, FlashAttention-2)
// shapes   qkv, dqkv: [3][H][DH][B][T], of dqkv the last two thirds are written; dy: [H][DH][B][T];
//          lse, delta: [H][B][T]; T a multiple of 4
// grid     x: T / (WG EACH) keys, EACH a lane   y: B   z: H
// reads    q and dy of the head once a workgroup: compute bound, 4 DH multiply-adds a query and key
// backward none
// knobs    WG, a multiple of 4, EACH (lib/own_positions*.wgsl); DH (16, 32, 64) is the model's

const DH: u32 = 32u;
const WG: u32 = 64u;

struct Params { heads: u32, samples: u32, steps: u32, scale: f32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> qkv: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> lse: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> delta: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> dqkv: array<Q>;

fn row(at: u32, of_dy: bool) -> vec4<f32> {
    if of_dy {
        return dy[at];
    }
    return qkv[at];
}
//!use lib/attention.wgsl

var<private> k: Own;
var<private> v: Own;
var<private> dk: Own;
var<private> dv: Own;

fn store8(i: u32, at: u32, pitch: u32, part: u32) {
    for (var j = i; j < i + 8u; j++) {
        dqkv[at + j * pitch] = dk[j];
        dqkv[at + part + j * pitch] = dv[j];
    }
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    own_lane = lane;
    let first = EACH * (group.x * WG + lane);
    // lanes past the end repeat the last keys and write nothing
    let key = min(first, p.steps - EACH);
    let pitch = p.samples * p.steps / 4u;
    let part = p.heads * DH * pitch;
    let head = group.z * DH * pitch + group.y * p.steps / 4u;
    let stats = (group.z * p.samples + group.y) * p.steps / 4u;
    load(&k, head + part + key / 4u, pitch, false, lane, p.scale);
    load(&v, head + 2u * part + key / 4u, pitch, false, lane, 1.0);
    for (var t = group.x * WG * EACH; t < p.steps; t += 4u) {
        let at = head + t / 4u;
        // ANCHOR: slopes
        let scores = dots(&k, at, pitch, false);
        let slopes = dots(&v, at, pitch, true);
        let norm = lse[stats + t / 4u];
        let of_t = delta[stats + t / 4u];
        var weights: Four;
        weights[0] = select(Q(0.0), exp(scores[0] - norm.x), Places(t) >= places(key));
        weights[1] = select(Q(0.0), exp(scores[1] - norm.y), Places(t + 1u) >= places(key));
        weights[2] = select(Q(0.0), exp(scores[2] - norm.z), Places(t + 2u) >= places(key));
        weights[3] = select(Q(0.0), exp(scores[3] - norm.w), Places(t + 3u) >= places(key));
        add(&dv, at, pitch, true, Q(1.0), weights);
        var ds: Four;
        ds[0] = p.scale * weights[0] * (slopes[0] - of_t.x);
        ds[1] = p.scale * weights[1] * (slopes[1] - of_t.y);
        ds[2] = p.scale * weights[2] * (slopes[2] - of_t.z);
        ds[3] = p.scale * weights[3] * (slopes[3] - of_t.w);
        add(&dk, at, pitch, false, Q(1.0), ds);
        // ANCHOR_END: slopes
    }
    if first >= p.steps {
        return;
    }
    let step = p.steps / EACH;
    let y_pitch = p.samples * step;
    let at = ((p.heads + group.z) * DH * p.samples + group.y) * step + first / EACH;
    let values = p.heads * DH * y_pitch;
    store8(0u, at, y_pitch, values);
    store8(8u, at, y_pitch, values);
    if DH > 16u {
        store8(16u, at, y_pitch, values);
        store8(24u, at, y_pitch, values);
    }
    if DH > 32u {
        store8(32u, at, y_pitch, values);
        store8(40u, at, y_pitch, values);
        store8(48u, at, y_pitch, values);
        store8(56u, at, y_pitch, values);
    }
}
