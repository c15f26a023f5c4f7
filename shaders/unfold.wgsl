// unfold — what a 3x3 filter sees at every place, as the columns of a matrix
// maths    y[9 c + 3 u + v][n, i, j] = x[c][n][i + u - 1][j + v - 1], zeros outside the plane
// shapes   x: [C][N][H][W]; y: [9 C][N H W]; W a multiple of 4
// grid     x: N H W / (4 WG)   y: 3 C
// reads    x three times, writes y once: bandwidth bound, 9 words written a word of x. A lane has four neighbours of a row
//          and writes them for the three v: one load serves three rows of y
// backward fold.wgsl
// knobs    WG

const WG: u32 = 64u;
const H: u32 = 6u;
const W: u32 = 4u;

struct Params { quads: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> words: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let quad = group.x * WG + lane;
    if quad >= p.quads {
        return;
    }
    let u = group.y % 3u;
    let row = quad / (W / 4u);
    let i = row % H + u;
    var here = vec4<f32>(0.0);
    var left = 0.0;
    var right = 0.0;
    if i >= 1u && i <= H {
        let at = group.y / 3u * p.quads + quad + u * (W / 4u) - W / 4u;
        let column = quad % (W / 4u);
        here = x[at];
        if column > 0u {
            left = words[4u * at - 1u];
        }
        if column + 1u < W / 4u {
            right = words[4u * at + 4u];
        }
    }
    let to = 3u * group.y * p.quads + quad;
    y[to] = vec4<f32>(left, here.xyz);
    y[to + p.quads] = here;
    y[to + 2u * p.quads] = vec4<f32>(here.yzw, right);
}
