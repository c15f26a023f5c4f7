// attention/forward — causal self-attention of every head; the T x T scores are never stored
// maths    s[t][u] = scale Σ_i q[i][t] k[i][u] for u <= t; y[i][t] = Σ_u exp(s[t][u] - lse[t]) v[i][u];
//          lse[t] = ln Σ_u exp s[t][u], by the online softmax of Milakov and Gimelshein (2018), four keys at a time
// shapes   qkv: [3][H][DH][B][T]; y: [H][DH][B][T]; lse: [H][B][T]; T a multiple of 4
// grid     x: T / (WG EACH) queries, EACH a lane   y: B   z: H
// reads    k and v of the head once a workgroup, four keys a load that all lanes share: compute bound, 2 DH
//          multiply-adds a query and key
// backward attention/dq.wgsl, attention/dkv.wgsl
// knobs    WG, EACH (lib/own_positions*.wgsl); DH (16, 32, 64) is the model's

const DH: u32 = 32u;
const WG: u32 = 64u;
const NEVER: f32 = -1e30;

struct Params { heads: u32, samples: u32, steps: u32, scale: f32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> qkv: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y: array<Q>;
@group(0) @binding(2) var<storage, read_write> lse: array<Q>;

fn row(at: u32, of_dy: bool) -> vec4<f32> {
    return qkv[at];
}
//!use lib/attention.wgsl

var<private> q: Own;
var<private> sums: Own;

fn store8(i: u32, at: u32, pitch: u32, factor: Q) {
    for (var j = i; j < i + 8u; j++) {
        y[at + j * pitch] = factor * sums[j];
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
    // ANCHOR: online_softmax
    var highest = Q(NEVER);
    var total = Q(0.0);
    let end = min((group.x + 1u) * WG * EACH, p.steps);
    for (var u = 0u; u < end; u += 4u) {
        let at = head + part + u / 4u;
        var scores = dots(&q, at, pitch, false);
        scores[0] = select(Q(NEVER), scores[0], Places(u) <= places(query));
        scores[1] = select(Q(NEVER), scores[1], Places(u + 1u) <= places(query));
        scores[2] = select(Q(NEVER), scores[2], Places(u + 2u) <= places(query));
        scores[3] = select(Q(NEVER), scores[3], Places(u + 3u) <= places(query));
        let now = max(highest, max(max(scores[0], scores[1]), max(scores[2], scores[3])));
        let keep = exp(highest - now);
        let weights = Four(exp(scores[0] - now), exp(scores[1] - now), exp(scores[2] - now), exp(scores[3] - now));
        total = keep * total + (weights[0] + weights[1] + (weights[2] + weights[3]));
        add(&sums, at + part, pitch, false, keep, weights);
        highest = now;
    }
    // ANCHOR_END: online_softmax
    if first >= p.steps {
        return;
    }
    let step = p.steps / EACH;
    let at = (group.z * DH * p.samples + group.y) * step + first / EACH;
    let y_pitch = p.samples * step;
    let factor = Q(1.0) / total;
    store8(0u, at, y_pitch, factor);
    store8(8u, at, y_pitch, factor);
    if DH > 16u {
        store8(16u, at, y_pitch, factor);
        store8(24u, at, y_pitch, factor);
    }
    if DH > 32u {
        store8(32u, at, y_pitch, factor);
        store8(40u, at, y_pitch, factor);
        store8(48u, at, y_pitch, factor);
        store8(56u, at, y_pitch, factor);
    }
    lse[(group.z * p.samples + group.y) * step + first / EACH] = highest + log(total);
}
