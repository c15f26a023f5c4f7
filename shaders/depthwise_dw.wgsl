// depthwise_dw — gradient of depthwise.wgsl with respect to the filters, first stage
// maths    part[s][c,u,v] = Σ dy[c,n,i,j] x[c,n, i STRIDE + u - pad_y, j STRIDE + v - pad_x] over the share of lane s
//          with ACTIVATE x stands for swish(batch_norm(x)), applied on load
// shapes   x [C,N,H,W] or [1,N,H,W]   dy [C,N,Ho,Wo]   stats [C] of vec4   part [S,C,K,K], S = lanes a channel
// grid     x: S / WG   y: C
// reads    dy once, each x K² / STRIDE² times, through the cache → bandwidth bound
// backward none
// knobs    K, STRIDE, WG
//
// Lane s takes every S-th output; matmul/sum_parts.wgsl adds the parts, in order.

const K: u32 = 3u;
const STRIDE: u32 = 1u;
const ACTIVATE: bool = false;
const WG: u32 = 64u;

struct Params { planes: u32, h: u32, w: u32, ho: u32, wo: u32, pad_y: u32, pad_x: u32, x_channel: u32, channels: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> stats: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> part: array<f32>;
//!use lib/on_load.wgsl

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let c = group.y;
    let s = group.x * WG + lane;
    let outputs = p.ho * p.wo;
    on_load_of(c);
    var sums: array<f32, K * K>;
    for (var t = 0u; t < K * K; t++) {
        sums[t] = 0.0;
    }
    for (var at = s; at < p.planes * outputs; at += groups.x * WG) {
        let g = dy[c * p.planes * outputs + at];
        let i = at % outputs / p.wo;
        let j = at % p.wo;
        let base = (c * p.x_channel * p.planes + at / outputs) * p.h * p.w;
        for (var u = 0u; u < K; u++) {
            let row = i * STRIDE + u - p.pad_y;
            for (var v = 0u; v < K; v++) {
                let column = j * STRIDE + v - p.pad_x;
                if row < p.h && column < p.w {
                    sums[u * K + v] += g * on_load(x[base + row * p.w + column]);
                }
            }
        }
    }
    for (var t = 0u; t < K * K; t++) {
        part[(s * p.channels + c) * K * K + t] = sums[t];
    }
}
