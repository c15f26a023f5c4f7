// ladder/depthwise_1_naive — 3 x 3 convolution, one filter a channel, one output a lane
// maths    y[c,n,i,j] = Σ_u Σ_v w[c,u,v] x[c,n,i+u-1,j+v-1], zero outside
// shapes   x, y [C,N,H,W]; N H W a multiple of 64   w [C,3,3]
// grid     x: N H W / 64   y: C
// reads    nine values of x and nine of w an output, two tests of an edge for each
// backward none: a rung of the ladder that `cola bench ladders` climbs
// knobs    none

struct Params { planes: u32, h: u32, w: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let channel = id.y * p.planes * p.h * p.w;
    let i = id.x / p.w % p.h;
    let j = id.x % p.w;
    let plane = channel + id.x - i * p.w - j;
    var sum = 0.0;
    for (var u = 0u; u < 3u; u++) {
        for (var v = 0u; v < 3u; v++) {
            // below zero wraps to a large number, so one comparison finds both edges
            let r = i + u - 1u;
            let s = j + v - 1u;
            if r < p.h && s < p.w {
                sum += w[(id.y * 3u + u) * 3u + v] * x[plane + r * p.w + s];
            }
        }
    }
    y[channel + id.x] = sum;
}
