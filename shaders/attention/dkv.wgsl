// attention/dkv — gradients of causal self-attention with respect to keys and values
// maths    w[t][u] = exp(s[t][u] - lse[t]) computed again; dv[i][u] = Σ_t>=u w[t][u] dy[i][t];
//          dk[i][u] = scale Σ_t>=u w[t][u] (Σ_j dy[j][t] v[j][u] - delta[t]) q[i][t]   (Dao 2023, FlashAttention-2)
// shapes   qkv, dqkv: [3][H][DH][B][T], of dqkv the last two thirds are written; dy: [H][DH][B][T];
//          lse, delta: [H][B][T]; T a multiple of 4
// grid     x: T / WG keys   y: B   z: H
// reads    q and dy of the head once a workgroup: compute bound, 4 DH multiply-adds a query and key
// backward none
// knobs    WG, a multiple of 4; DH (16, 32, 64) is the model's

const DH: u32 = 32u;
const WG: u32 = 64u;

struct Params { heads: u32, samples: u32, steps: u32, scale: f32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> qkv: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> lse: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> delta: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> dqkv: array<f32>;

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
    let u = group.x * WG + lane;
    // lanes past the end repeat the last key and write nothing
    let key = min(u, p.steps - 1u);
    let pitch = p.samples * p.steps / 4u;
    let part = p.heads * DH * pitch;
    let head = group.z * DH * pitch + group.y * p.steps / 4u;
    let stats = (group.z * p.samples + group.y) * p.steps / 4u;
    load(&k, head + part + key / 4u, pitch, false, key % 4u, p.scale);
    load(&v, head + 2u * part + key / 4u, pitch, false, key % 4u, 1.0);
    for (var t = group.x * WG; t < p.steps; t += 4u) {
        let at = head + t / 4u;
        let seen = vec4<u32>(t, t + 1u, t + 2u, t + 3u) >= vec4<u32>(key);
        let weights = select(vec4<f32>(), exp(dots(&k, at, pitch, false) - lse[stats + t / 4u]), seen);
        add(&dv, at, pitch, true, 1.0, weights);
        let ds = weights * (dots(&v, at, pitch, true) - delta[stats + t / 4u]);
        add(&dk, at, pitch, false, 1.0, p.scale * ds);
    }
    if u >= p.steps {
        return;
    }
    let at = ((p.heads + group.z) * DH * p.samples + group.y) * p.steps + u;
    store8(0u, at, 4u * pitch, 4u * part);
    store8(8u, at, 4u * pitch, 4u * part);
    if DH > 16u {
        store8(16u, at, 4u * pitch, 4u * part);
        store8(24u, at, 4u * pitch, 4u * part);
    }
    if DH > 32u {
        store8(32u, at, 4u * pitch, 4u * part);
        store8(40u, at, 4u * pitch, 4u * part);
        store8(48u, at, 4u * pitch, 4u * part);
        store8(56u, at, 4u * pitch, 4u * part);
    }
}
