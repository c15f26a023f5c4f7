// depthwise_plane — depthwise.wgsl and its dx for small planes, a whole plane a lane
// maths    y[i,j] = Σ_u Σ_v w[c,u,v] x[r,s] with r = i STRIDE + u - PAD_Y, s = j STRIDE + v - PAD_X inside the plane;
//          with ACTIVATE x stands for swish(batch_norm(x)), applied on load;
//          with DX the same pairs the other way: dx[r,s] = Σ w[c,u,v] dy[i,j]
// shapes   x [C,N,H,W]   w [C,K,K]   stats [C] of vec4   y [C,N,HO,WO]; with DX `x` is dy and `y` is dx
// grid     x: N / WG   y: C
// reads    x once, w once a lane   → bandwidth bound
// backward DX; depthwise_plane_dw.wgsl
// knobs    WG; all sizes are constants, so that loops unroll and the tests at the edges fold away

const K: u32 = 3u;
const STRIDE: u32 = 1u;
const PAD_Y: u32 = 1u;
const PAD_X: u32 = 1u;
const H: u32 = 3u;
const W: u32 = 2u;
const HO: u32 = 3u;
const WO: u32 = 2u;
const DX: bool = false;
const ACTIVATE: bool = false;
const WG: u32 = 64u;
const IN: u32 = select(H * W, HO * WO, DX);
const OUT: u32 = select(HO * WO, H * W, DX);

struct Params { planes: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<Word>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read> stats: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<Word>;
//!use lib/words.wgsl
//!use lib/on_load.wgsl

var<private> source: array<f32, IN>;
var<private> sums: array<f32, OUT>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let at = group.x * WG + lane;
    if at >= p.planes {
        return;
    }
    let plane = group.y * p.planes + at;
    on_load_of(group.y);
    for (var i = 0u; i < IN; i += PER_WORD) {
        let word = x[(plane * IN + i) / PER_WORD];
        for (var j = 0u; j < PER_WORD; j++) {
            source[i + j] = on_load(element(word, j));
        }
    }
    for (var i = 0u; i < OUT; i++) {
        sums[i] = 0.0;
    }
    for (var u = 0u; u < K; u++) {
        for (var v = 0u; v < K; v++) {
            let tap = w[(group.y * K + u) * K + v];
            for (var i = 0u; i < HO; i++) {
                for (var j = 0u; j < WO; j++) {
                    let r = i * STRIDE + u;
                    let s = j * STRIDE + v;
                    if r >= PAD_Y && r < H + PAD_Y && s >= PAD_X && s < W + PAD_X {
                        let inside = (r - PAD_Y) * W + s - PAD_X;
                        if DX {
                            sums[inside] += tap * source[i * WO + j];
                        } else {
                            sums[i * WO + j] += tap * source[inside];
                        }
                    }
                }
            }
        }
    }
    for (var i = 0u; i < OUT; i += PER_WORD) {
        y[(plane * OUT + i) / PER_WORD] = word_of(sums[i], sums[i + PER_WORD - 1u]);
    }
}
