// attention/dq — gradient of causal self-attention with respect to the queries
// maths    delta[t] = Σ_i y[i][t] dy[i][t]; w[t][u] = exp(s[t][u] - lse[t]) computed again;
//          dq[i][t] = scale Σ_u<=t w[t][u] (Σ_j dy[j][t] v[j][u] - delta[t]) k[i][u]   (Dao 2023, FlashAttention-2)
// shapes   qkv, dqkv: [3][H][DH][B][T], of dqkv the first third is written; y, dy: [H][DH][B][T];
//          lse, delta: [H][B][T]; T a multiple of 4
// grid     x: T / (WG EACH) queries, EACH a lane   y: B   z: H
// reads    k and v of the head once a workgroup: compute bound, 3 DH multiply-adds a query and key
// backward none
// knobs    WG, EACH (lib/own_positions*.wgsl); DH (16, 32, 64) is the model's

const DH: u32 = 32u;
const WG: u32 = 64u;

struct Params { heads: u32, samples: u32, steps: u32, scale: f32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> qkv: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> y: array<Q>;
@group(0) @binding(2) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> lse: array<Q>;
@group(0) @binding(4) var<storage, read_write> dqkv: array<Q>;
@group(0) @binding(5) var<storage, read_write> delta: array<Q>;

fn row(at: u32, of_dy: bool) -> vec4<f32> {
    if of_dy {
        return dy[at];
    }
    return qkv[at];
}
//!use lib/attention.wgsl

var<private> q: Own;
var<private> g: Own;
var<private> sums: Own;

// This lane's share of delta: eight features.
fn delta8(i: u32, at: u32, pitch: u32) -> Q {
    var sum = Q(0.0);
    for (var j = i; j < i + 8u; j++) {
        sum += g[j] * y[at + j * pitch];
    }
    return sum;
}

fn store8(i: u32, at: u32, pitch: u32) {
    for (var j = i; j < i + 8u; j++) {
        dqkv[at + j * pitch] = p.scale * sums[j];
    }
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    own_lane = lane;
    let first = EACH * (group.x * WG + lane);
    // lanes past the end repeat the last queries and write nothing
    let query = min(first, p.steps - EACH);
    let pitch = p.samples * p.steps / 4u;
    let part = p.heads * DH * pitch;
    let head = group.z * DH * pitch + group.y * p.steps / 4u;
    load(&q, head + query / 4u, pitch, false, lane, p.scale);
    load(&g, head + query / 4u, pitch, true, lane, 1.0);
    let step = p.steps / EACH;
    let y_pitch = p.samples * step;
    let at_y = (group.z * DH * p.samples + group.y) * step + query / EACH;
    let at_lse = (group.z * p.samples + group.y) * step + query / EACH;
    var own = delta8(0u, at_y, y_pitch) + delta8(8u, at_y, y_pitch);
    if DH > 16u {
        own += delta8(16u, at_y, y_pitch) + delta8(24u, at_y, y_pitch);
    }
    if DH > 32u {
        own += delta8(32u, at_y, y_pitch) + delta8(40u, at_y, y_pitch);
        own += delta8(48u, at_y, y_pitch) + delta8(56u, at_y, y_pitch);
    }
    let norm = lse[at_lse];
    let end = min((group.x + 1u) * WG * EACH, p.steps);
    for (var u = 0u; u < end; u += 4u) {
        let at = head + part + u / 4u;
        let scores = dots(&q, at, pitch, false);
        let slopes = dots(&g, at + part, pitch, false);
        var ds: Four;
        ds[0] = select(Q(0.0), exp(scores[0] - norm) * (slopes[0] - own), Places(u) <= places(query));
        ds[1] = select(Q(0.0), exp(scores[1] - norm) * (slopes[1] - own), Places(u + 1u) <= places(query));
        ds[2] = select(Q(0.0), exp(scores[2] - norm) * (slopes[2] - own), Places(u + 2u) <= places(query));
        ds[3] = select(Q(0.0), exp(scores[3] - norm) * (slopes[3] - own), Places(u + 3u) <= places(query));
        add(&sums, at, pitch, false, Q(1.0), ds);
    }
    if first >= p.steps {
        return;
    }
    store8(0u, at_y, y_pitch);
    store8(8u, at_y, y_pitch);
    if DH > 16u {
        store8(16u, at_y, y_pitch);
        store8(24u, at_y, y_pitch);
    }
    if DH > 32u {
        store8(32u, at_y, y_pitch);
        store8(40u, at_y, y_pitch);
        store8(48u, at_y, y_pitch);
        store8(56u, at_y, y_pitch);
    }
    delta[at_lse] = own;
}
