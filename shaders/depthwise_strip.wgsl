// depthwise_strip — depthwise.wgsl where the width allows four outputs at a time
// maths    y[c,n,i,j] = Σ_u Σ_v w[c,u,v] x[c,n, i STRIDE + u - pad_y, j STRIDE + v - PAD_X], zero outside;
//          with ACTIVATE x stands for swish(batch_norm(x)), applied on load;
//          with FLIP the filter is turned by 180 degrees: the gradient with respect to x where STRIDE is 1
// shapes   x [C,N,H,W] (or [1,N,H,W]: x_channel 0)   w [C,K,K]   stats [C] of vec4   y [C,N,Ho,Wo]; W = Wo STRIDE, Wo a multiple of 4
// grid     x: N Wo / 4 strips, WG each   y: C
// reads    each row of x once, edges twice; w once a lane   → bandwidth bound
// backward this kernel with FLIP, or depthwise_strip_dx.wgsl; depthwise_strip_dw.wgsl
// knobs    K, STRIDE, WG
//
// A lane owns four columns of one plane and walks down its rows. The K rows of x under an output row stay in
// registers, so each is loaded once. No barrier, no workgroup memory: the same kernel serves GPUs and CPU adapters.

alias Elem = vec4<f32>;
const K: u32 = 3u;
const STRIDE: u32 = 1u;
const PAD_X: u32 = 1u;
const FLIP: bool = false;
const ACTIVATE: bool = false;
const WG: u32 = 64u;

struct Params { planes: u32, h: u32, w: u32, ho: u32, wo: u32, pad_y: u32, x_channel: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<Word>;
@group(0) @binding(1) var<storage, read> x4: array<Stored>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> stats: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> y: array<Out>;
//!use lib/stored.wgsl
//!use lib/out.wgsl
//!use lib/words.wgsl
//!use lib/on_load.wgsl
//!use lib/raw_strip.wgsl
//!use lib/halo.wgsl
//!use lib/strip.wgsl

var<private> rows: array<array<f32, SPAN>, K>;
var<private> taps: array<f32, K * K>;

fn output(column: u32) -> f32 {
    var sum = 0.0;
    for (var u = 0u; u < K; u++) {
        for (var v = 0u; v < K; v++) {
            sum += taps[u * K + v] * rows[u][column * STRIDE + v];
        }
    }
    return sum;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let c = group.y;
    let strips = p.wo / 4u;
    let at = group.x * WG + lane;
    if at >= p.planes * strips {
        return;
    }
    let strip = at % strips;
    on_load_of(c);
    for (var t = 0u; t < K * K; t++) {
        taps[t] = w[c * K * K + select(t, K * K - 1u - t, FLIP)];
    }
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
        y[first_out + i * strips] = out(vec4<f32>(output(0u), output(1u), output(2u), output(3u)));
    }
}
