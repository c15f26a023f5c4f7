// ladder/depthwise_2_workgroup_tile — 3 x 3 convolution, one filter a channel, from a tile in workgroup memory
// maths    y[c,n,i,j] = Σ_u Σ_v w[c,u,v] x[c,n,i+u-1,j+v-1], zero outside
// shapes   x, y [C,N,H,W]; H a multiple of 8, W of 16   w [C,3,3]
// grid     x: N (H / 8) (W / 16)   y: C
// reads    a tile with its edge once: 180 loads for 128 outputs instead of 1152, and an edge is tested once a load; then nine
//          reads of workgroup memory an output
// backward none: a rung of the ladder that `cola bench ladders` climbs
// knobs    none

const WIDE: u32 = 16u;
const HIGH: u32 = 8u;
const TILE: u32 = 180u;

struct Params { planes: u32, h: u32, w: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

var<workgroup> tile: array<f32, 180>;

@compute @workgroup_size(WIDE, HIGH)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) own: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let across = p.w / WIDE;
    let tiles = across * (p.h / HIGH);
    let plane = (group.y * p.planes + group.x / tiles) * p.h * p.w;
    let i = group.x % tiles / across * HIGH;
    let j = group.x % across * WIDE;
    for (var at = lane; at < TILE; at += WIDE * HIGH) {
        let r = i + at / (WIDE + 2u) - 1u;
        let s = j + at % (WIDE + 2u) - 1u;
        var value = 0.0;
        if r < p.h && s < p.w {
            value = x[plane + r * p.w + s];
        }
        tile[at] = value;
    }
    workgroupBarrier();
    var sum = 0.0;
    for (var u = 0u; u < 3u; u++) {
        for (var v = 0u; v < 3u; v++) {
            sum += w[(group.y * 3u + u) * 3u + v] * tile[(own.y + u) * (WIDE + 2u) + own.x + v];
        }
    }
    y[plane + (i + own.y) * p.w + j + own.x] = sum;
}
