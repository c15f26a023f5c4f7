// attention/forward — causal self-attention of every head; the T x T scores are never stored
// maths    s[t][u] = scale Σ_i q[i][t] k[i][u] for u <= t; y[i][t] = Σ_u exp(s[t][u] - lse[t]) v[i][u];
//          lse[t] = ln Σ_u exp s[t][u], by the online softmax of Milakov and Gimelshein (2018), four keys at a time
// shapes   qkv: [3][H][DH][B][T]; y: [H][DH][B][T]; lse: [H][B][T]; T a multiple of 4
// grid     x: T / WG queries   y: B   z: H
// reads    k and v of the head once a workgroup, four keys a load that all lanes share: compute bound, 2 DH
//          multiply-adds a query and key
// backward attention/dq.wgsl, attention/dkv.wgsl
// knobs    WG; DH (16, 32, 64) is the model's

const DH: u32 = 32u;
const WG: u32 = 64u;
const NEVER: f32 = -1e30;

struct Params { heads: u32, samples: u32, steps: u32, scale: f32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> qkv: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> lse: array<f32>;

fn row(at: u32, of_dy: bool) -> vec4<f32> {
    return qkv[at];
}
//!use lib/attention.wgsl

var<private> q: Own;
var<private> sums: Own;

fn store8(i: u32, at: u32, pitch: u32, factor: f32) {
    for (var j = i; j < i + 8u; j++) {
        y[at + j * pitch] = factor * sums[j];
    }
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    own_lane = lane;
    let t = group.x * WG + lane;
    // lanes past the end repeat the last query and write nothing
    let query = min(t, p.steps - 1u);
    let pitch = p.samples * p.steps / 4u;
    let part = p.heads * DH * pitch;
    let head = group.z * DH * pitch + group.y * p.steps / 4u;
    load(&q, head + query / 4u, pitch, false, query % 4u, p.scale);
    var highest = NEVER;
    var total = 0.0;
    let end = min((group.x + 1u) * WG, p.steps);
    for (var u = 0u; u < end; u += 4u) {
        let at = head + part + u / 4u;
        let seen = vec4<u32>(u, u + 1u, u + 2u, u + 3u) <= vec4<u32>(query);
        let scores = select(vec4<f32>(NEVER), dots(&q, at, pitch, false), seen);
        let now = max(highest, max(max(scores.x, scores.y), max(scores.z, scores.w)));
        let keep = exp(highest - now);
        let weights = exp(scores - vec4<f32>(now));
        total = keep * total + dot(weights, vec4<f32>(1.0));
        add(&sums, at + part, pitch, false, keep, weights);
        highest = now;
    }
    if t >= p.steps {
        return;
    }
    let at = (group.z * DH * p.samples + group.y) * p.steps + t;
    store8(0u, at, 4u * pitch, 1.0 / total);
    store8(8u, at, 4u * pitch, 1.0 / total);
    if DH > 16u {
        store8(16u, at, 4u * pitch, 1.0 / total);
        store8(24u, at, 4u * pitch, 1.0 / total);
    }
    if DH > 32u {
        store8(32u, at, 4u * pitch, 1.0 / total);
        store8(40u, at, 4u * pitch, 1.0 / total);
        store8(48u, at, 4u * pitch, 1.0 / total);
        store8(56u, at, 4u * pitch, 1.0 / total);
    }
    lse[(group.z * p.samples + group.y) * p.steps + t] = highest + log(total);
}
