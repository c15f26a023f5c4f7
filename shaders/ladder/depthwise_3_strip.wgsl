// ladder/depthwise_3_strip — 3 x 3 convolution, one filter a channel, eight outputs a lane from registers
// maths    y[c,n,i,j] = Σ_u Σ_v w[c,u,v] x[c,n,i+u-1,j+v-1], zero outside
// shapes   x, y [C,N,H,W]; H a multiple of 8   w [C,3,3]
// grid     x: N (H / 8) W / 64, rounded up   y: C
// reads    a lane walks down eight rows and keeps the last three: 30 loads of x and 9 of w for eight outputs, where
//          depthwise_1_naive.wgsl has 144; no workgroup memory, no barrier
// backward none: a rung of the ladder that `cola bench ladders` climbs
// knobs    none

const ROWS: u32 = 8u;

struct Params { planes: u32, h: u32, w: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

// Row r, columns j-1 .. j+1.
fn three(plane: u32, r: u32, j: u32) -> vec3<f32> {
    var row = vec3<f32>(0.0);
    if r < p.h {
        let at = plane + r * p.w + j;
        row.y = x[at];
        if j > 0u {
            row.x = x[at - 1u];
        }
        if j + 1u < p.w {
            row.z = x[at + 1u];
        }
    }
    return row;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let strips = p.planes * (p.h / ROWS);
    let strip = id.x / p.w;
    if strip >= strips {
        return;
    }
    let j = id.x % p.w;
    let plane = (id.y * p.planes + strip / (p.h / ROWS)) * p.h * p.w;
    let first = strip % (p.h / ROWS) * ROWS;
    let at = 9u * id.y;
    let w0 = vec3<f32>(w[at], w[at + 1u], w[at + 2u]);
    let w1 = vec3<f32>(w[at + 3u], w[at + 4u], w[at + 5u]);
    let w2 = vec3<f32>(w[at + 6u], w[at + 7u], w[at + 8u]);
    // ANCHOR: strip
    var above = three(plane, first - 1u, j);
    var here = three(plane, first, j);
    for (var i = first; i < first + ROWS; i++) {
        let below = three(plane, i + 1u, j);
        y[plane + i * p.w + j] = dot(w0, above) + dot(w1, here) + dot(w2, below);
        above = here;
        here = below;
    }
    // ANCHOR_END: strip
}
