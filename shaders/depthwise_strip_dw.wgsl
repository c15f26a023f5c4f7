// depthwise_strip_dw — gradient of depthwise_strip.wgsl with respect to the filters, first stage
// maths    part[s][c,u,v] = Σ dy[c,n,i,j] x[c,n, i STRIDE + u - pad_y, j STRIDE + v - PAD_X] over the share of lane s
//          with ACTIVATE x stands for swish(batch_norm(x)), applied on load
// shapes   x [C,N,H,W] or [1,N,H,W]   dy [C,N,Ho,Wo]   stats [C] of vec4   part [S,C,K,K]; W = Wo STRIDE, Wo a multiple of 4
// grid     x: S / WG   y: C
// reads    dy and x once, edges twice → bandwidth bound
// backward none
// knobs    K, STRIDE, WG
//
// As in depthwise_strip.wgsl a lane walks down four columns of a plane, then goes on S strips further;
// matmul/sum_parts.wgsl adds the parts, in order.

alias Elem = vec4<f32>;
const K: u32 = 3u;
const STRIDE: u32 = 1u;
const PAD_X: u32 = 1u;
const ACTIVATE: bool = false;
const WG: u32 = 64u;

struct Params { planes: u32, h: u32, w: u32, ho: u32, wo: u32, pad_y: u32, x_channel: u32, channels: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<Word>;
@group(0) @binding(1) var<storage, read> x4: array<Stored>;
@group(0) @binding(2) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> stats: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> part: array<f32>;
//!use lib/stored.wgsl
//!use lib/words.wgsl
//!use lib/on_load.wgsl
//!use lib/raw_strip.wgsl
//!use lib/halo.wgsl
//!use lib/strip.wgsl

var<private> rows: array<array<f32, SPAN>, K>;
var<private> sums: array<f32, K * K>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let c = group.y;
    let s = group.x * WG + lane;
    let strips = p.wo / 4u;
    on_load_of(c);
    for (var t = 0u; t < K * K; t++) {
        sums[t] = 0.0;
    }
    for (var at = s; at < p.planes * strips; at += groups.x * WG) {
        let strip = at % strips;
        let base = (c * p.x_channel * p.planes + at / strips) * p.h * p.w;
        let first_out = (c * p.planes + at / strips) * p.ho * strips + strip;
        // what the first turn of the loop moves up
        for (var u = STRIDE; u < K; u++) {
            rows[u] = span(base, u - STRIDE - p.pad_y, strip);
        }
        for (var i = 0u; i < p.ho; i++) {
            for (var u = 0u; u < K - STRIDE; u++) {
                rows[u] = rows[u + STRIDE];
            }
            for (var u = K - STRIDE; u < K; u++) {
                rows[u] = span(base, i * STRIDE + u - p.pad_y, strip);
            }
            let g = dy[first_out + i * strips];
            for (var u = 0u; u < K; u++) {
                for (var v = 0u; v < K; v++) {
                    sums[u * K + v] += g.x * rows[u][v] + g.y * rows[u][STRIDE + v] + g.z * rows[u][2u * STRIDE + v] + g.w * rows[u][3u * STRIDE + v];
                }
            }
        }
    }
    for (var t = 0u; t < K * K; t++) {
        part[(s * p.channels + c) * K * K + t] = sums[t];
    }
}
