// ladder/depthwise_4_vec4 — 3 x 3 convolution, one filter a channel, 32 outputs a lane by vectors of four
// maths    y[c,n,i,j] = Σ_u Σ_v w[c,u,v] x[c,n,i+u-1,j+v-1], zero outside
// shapes   x, y [C,N,H,W]; H a multiple of 8, W of 4   w [C,3,3]
// grid     x: N (H / 8) (W / 4) / 64, rounded up   y: C
// reads    as depthwise_3_strip.wgsl, by fours: three loads of a vector a row serve four outputs, and a multiply-add does
//          four at once
// backward none: a rung of the ladder that `cola bench ladders` climbs
// knobs    none

const ROWS: u32 = 8u;

struct Params { planes: u32, h: u32, w4: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

// Four columns, as they are and moved by one to either side.
struct Row { left: vec4<f32>, mid: vec4<f32>, right: vec4<f32> }

fn load(plane: u32, r: u32, j: u32) -> Row {
    var mid = vec4<f32>(0.0);
    var before = 0.0;
    var after = 0.0;
    if r < p.h {
        let at = plane + r * p.w4 + j;
        mid = x[at];
        if j > 0u {
            before = x[at - 1u].w;
        }
        if j + 1u < p.w4 {
            after = x[at + 1u].x;
        }
    }
    return Row(vec4<f32>(before, mid.xyz), mid, vec4<f32>(mid.yzw, after));
}

fn filtered(w: vec3<f32>, row: Row) -> vec4<f32> {
    return w.x * row.left + w.y * row.mid + w.z * row.right;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let strips = p.planes * (p.h / ROWS);
    let strip = id.x / p.w4;
    if strip >= strips {
        return;
    }
    let j = id.x % p.w4;
    let plane = (id.y * p.planes + strip / (p.h / ROWS)) * p.h * p.w4;
    let first = strip % (p.h / ROWS) * ROWS;
    let at = 9u * id.y;
    let w0 = vec3<f32>(w[at], w[at + 1u], w[at + 2u]);
    let w1 = vec3<f32>(w[at + 3u], w[at + 4u], w[at + 5u]);
    let w2 = vec3<f32>(w[at + 6u], w[at + 7u], w[at + 8u]);
    var above = load(plane, first - 1u, j);
    var here = load(plane, first, j);
    for (var i = first; i < first + ROWS; i++) {
        let below = load(plane, i + 1u, j);
        y[plane + i * p.w4 + j] = filtered(w0, above) + filtered(w1, here) + filtered(w2, below);
        above = here;
        here = below;
    }
}
