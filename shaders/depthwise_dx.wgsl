// depthwise_dx — gradient of depthwise.wgsl with respect to x
// maths    dx[c,n,r,s] = Σ_u Σ_v w[c,u,v] dy[c,n,i,j] over the (u, v) with i STRIDE = r + pad_y - u, j STRIDE = s + pad_x - v
// shapes   dy [C,N,Ho,Wo]   w [C,K,K]   dx [C,N,H,W]
// grid     x: N H W / WG   y: C
// reads    each dy K² / STRIDE² times, through the cache → bandwidth bound
// backward none
// knobs    K, STRIDE, WG
//
// A gather: each dx looks for the outputs it went into, so nothing is added by two lanes.

const K: u32 = 3u;
const STRIDE: u32 = 1u;
const WG: u32 = 64u;

struct Params { planes: u32, h: u32, w: u32, ho: u32, wo: u32, pad_y: u32, pad_x: u32, x_channel: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let c = group.y;
    let at = group.x * WG + lane;
    let inputs = p.h * p.w;
    if at >= p.planes * inputs {
        return;
    }
    let r = at % inputs / p.w;
    let s = at % p.w;
    let base = (c * p.planes + at / inputs) * p.ho * p.wo;
    // ANCHOR: gather
    var sum = 0.0;
    for (var u = 0u; u < K; u++) {
        // below zero wraps to a large number, which the comparison with Ho refuses
        let i = r + p.pad_y - u;
        for (var v = 0u; v < K; v++) {
            let j = s + p.pad_x - v;
            if i % STRIDE == 0u && j % STRIDE == 0u && i / STRIDE < p.ho && j / STRIDE < p.wo {
                sum += w[(c * K + u) * K + v] * dy[base + i / STRIDE * p.wo + j / STRIDE];
            }
        }
    }
    dx[c * p.planes * inputs + at] = sum;
    // ANCHOR_END: gather
}
