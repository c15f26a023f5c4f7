// depthwise_strip_backward — the whole way back through a depthwise_strip.wgsl of stride 1 with ACTIVATE, in one pass
// maths    z = batch_norm(x), a = swish(z); da[c,n,i,j] = Σ_u Σ_v w[c,u,v] dy[c,n, i + PAD_Y' - u, j + PAD_X' - v] with the
//          padding of the way forward, PAD' = K - 1 - PAD; dz = da swish'(z);
//          dw[s][c,u,v] = Σ a dy[i + PAD_Y' - u, j + PAD_X' - v] and dz_sums[c][s] = (Σ dz, Σ dz x̂) over the share of s
// shapes   x, dy, dz [C,N,H,W]   w [C,K,K]   stats [C] of vec4   dw [S,C,K,K]   dz_sums [C,T] of vec2; W a multiple of 4
// grid     x: S / WG   y: C
// reads    x once; dy once, edges twice; w once a lane   → bandwidth bound
// backward none
// knobs    K, WG; REDUCE: one pair of sums a workgroup (T = S / WG) instead of one a lane (T = S)
//
// Both gradients meet at a pixel of x: the outputs that it went into are those that da sums up, and those that its share
// of dw multiplies. So a lane walks down four columns of a plane of dy as in depthwise_strip.wgsl, with the filter turned
// round, and uses each row for both; then it goes on S strips further. The sums are what batch_norm_dx.wgsl needs.
//!use lib/activation.wgsl
//!use lib/reduce.wgsl
//!use lib/stored.wgsl
//!use lib/halo.wgsl
//!use lib/strip.wgsl

alias Elem = vec4<f32>;
const K: u32 = 3u;
const STRIDE: u32 = 1u;
const PAD_X: u32 = 1u;
const WG: u32 = 64u;
const REDUCE: bool = true;

struct Params { planes: u32, h: u32, w: u32, pad_y: u32, channels: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<Stored>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> dy4: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> w: array<f32>;
@group(0) @binding(4) var<storage, read> stats: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> dz: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> dw: array<f32>;
@group(0) @binding(7) var<storage, read_write> dz_sums: array<vec2<f32>>;

fn single(i: u32) -> f32 {
    return dy[i];
}

fn quad(i: u32) -> vec4<f32> {
    return dy4[i];
}

var<private> rows: array<array<f32, SPAN>, K>;
var<private> taps: array<f32, K * K>;
var<private> products: array<f32, K * K>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let c = group.y;
    let share = group.x * WG + lane;
    let strips = p.w / 4u;
    let s = stats[c];
    for (var t = 0u; t < K * K; t++) {
        taps[t] = w[(c + 1u) * K * K - 1u - t];
        products[t] = 0.0;
    }
    var sum = Elem();
    var product = Elem();
    for (var at = share; at < p.planes * strips; at += groups.x * WG) {
        let strip = at % strips;
        let first = (c * p.planes + at / strips) * p.h * strips;
        // what the first turn of the loop moves up
        for (var u = 1u; u < K; u++) {
            rows[u] = span(4u * first, u - 1u - p.pad_y, strip);
        }
        for (var i = 0u; i < p.h; i++) {
            for (var u = 0u; u < K - 1u; u++) {
                rows[u] = rows[u + 1u];
            }
            rows[K - 1u] = span(4u * first, i + K - 1u - p.pad_y, strip);
            let v = widen(x[first + i * strips + strip]);
            let z = v * s.x + Elem(s.y);
            let sig = sigmoid(z);
            let a = z * sig;
            var d = Elem();
            for (var u = 0u; u < K; u++) {
                for (var t = 0u; t < K; t++) {
                    let under = Elem(rows[u][t], rows[u][t + 1u], rows[u][t + 2u], rows[u][t + 3u]);
                    d += taps[u * K + t] * under;
                    products[u * K + t] += dot(a, under);
                }
            }
            d *= sig + a * (Elem(1.0) - sig);
            sum += d;
            product += d * (v - Elem(s.z));
            dz[first + i * strips + strip] = d;
        }
    }
    for (var t = 0u; t < K * K; t++) {
        dw[(share * p.channels + c + 1u) * K * K - 1u - t] = products[t];
    }
    var both = vec2<f32>(dot(sum, Elem(1.0)), dot(product, Elem(1.0)) * s.w);
    if REDUCE {
        both = vec2<f32>(workgroup_sum(both.x, lane), workgroup_sum(both.y, lane));
        if lane == 0u {
            dz_sums[c * groups.x + group.x] = both;
        }
    } else {
        dz_sums[c * groups.x * WG + share] = both;
    }
}
