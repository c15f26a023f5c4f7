// depthwise_plane_dw — depthwise_dw.wgsl for small planes, a whole plane a lane
// maths    part[t][c,u,v] = Σ dy[c,n,i,j] x[c,n,r,s], r = i STRIDE + u - PAD_Y, s = j STRIDE + v - PAD_X, over the
//          planes of lane t
//          with ACTIVATE x stands for swish(batch_norm(x)), applied on load
// shapes   x [C,N,H,W]   dy [C,N,HO,WO]   stats [C] of vec4   part [T,C,K,K], T = lanes a channel
// grid     x: T / WG   y: C
// reads    x and dy once → bandwidth bound
// backward none
// knobs    WG; all sizes are constants, as in depthwise_plane.wgsl

const K: u32 = 3u;
const STRIDE: u32 = 1u;
const PAD_Y: u32 = 1u;
const PAD_X: u32 = 1u;
const H: u32 = 3u;
const W: u32 = 2u;
const HO: u32 = 3u;
const WO: u32 = 2u;
const ACTIVATE: bool = false;
const WG: u32 = 64u;

struct Params { planes: u32, channels: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<Word>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> stats: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> part: array<f32>;
//!use lib/words.wgsl
//!use lib/on_load.wgsl

var<private> source: array<f32, H * W>;
var<private> sums: array<f32, K * K>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let t = group.x * WG + lane;
    on_load_of(group.y);
    for (var i = 0u; i < K * K; i++) {
        sums[i] = 0.0;
    }
    for (var at = t; at < p.planes; at += groups.x * WG) {
        let plane = group.y * p.planes + at;
        for (var i = 0u; i < H * W; i += PER_WORD) {
            let word = x[(plane * H * W + i) / PER_WORD];
            for (var j = 0u; j < PER_WORD; j++) {
                source[i + j] = on_load(element(word, j));
            }
        }
        for (var i = 0u; i < HO; i++) {
            for (var j = 0u; j < WO; j++) {
                let g = dy[plane * HO * WO + i * WO + j];
                for (var u = 0u; u < K; u++) {
                    for (var v = 0u; v < K; v++) {
                        let r = i * STRIDE + u;
                        let s = j * STRIDE + v;
                        if r >= PAD_Y && r < H + PAD_Y && s >= PAD_X && s < W + PAD_X {
                            sums[u * K + v] += g * source[(r - PAD_Y) * W + s - PAD_X];
                        }
                    }
                }
            }
        }
    }
    for (var i = 0u; i < K * K; i++) {
        part[(t * p.channels + group.y) * K * K + i] = sums[i];
    }
}
