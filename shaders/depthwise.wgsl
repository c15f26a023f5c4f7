// depthwise — 2-D convolution, one filter a channel
// maths    y[c,n,i,j] = Σ_u Σ_v w[c,u,v] x[c,n, i STRIDE + u - pad_y, j STRIDE + v - pad_x], zero outside
//          with ACTIVATE x stands for swish(batch_norm(x)), applied on load
// shapes   x [C,N,H,W] (or [1,N,H,W], the same for every channel: x_channel 0)   w [C,K,K]   stats [C] of vec4   y [C,N,Ho,Wo]
// grid     x: N Ho Wo / WG   y: C
// reads    each x K² / STRIDE² times, through the cache; w K² a lane   → bandwidth bound
// backward depthwise_dx.wgsl, depthwise_dw.wgsl
// knobs    K, STRIDE, WG
//
// Any size, one output a lane. Planes whose width is a multiple of 4 go to depthwise_strip.wgsl.

const K: u32 = 3u;
const STRIDE: u32 = 1u;
const ACTIVATE: bool = false;
const WG: u32 = 64u;

struct Params { planes: u32, h: u32, w: u32, ho: u32, wo: u32, pad_y: u32, pad_x: u32, x_channel: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read> stats: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
//!use lib/on_load.wgsl

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let c = group.y;
    let at = group.x * WG + lane;
    let outputs = p.ho * p.wo;
    if at >= p.planes * outputs {
        return;
    }
    let plane = at / outputs;
    on_load_of(c);
    let i = at % outputs / p.wo;
    let j = at % p.wo;
    let base = (c * p.x_channel * p.planes + plane) * p.h * p.w;
    var sum = 0.0;
    for (var u = 0u; u < K; u++) {
        // below zero wraps to a large number, so one comparison finds both edges
        let r = i * STRIDE + u - p.pad_y;
        for (var v = 0u; v < K; v++) {
            let s = j * STRIDE + v - p.pad_x;
            if r < p.h && s < p.w {
                sum += w[(c * K + u) * K + v] * on_load(x[base + r * p.w + s]);
            }
        }
    }
    y[c * p.planes * outputs + at] = sum;
}
