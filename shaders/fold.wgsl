// fold — gradient of unfold.wgsl
// maths    dx[c][n][i][j] = Σ over u, v of dy[9 c + 3 u + v][n, i - u + 1, j - v + 1], zeros outside the plane
// shapes   dy: [9 C][N H W]; dx: [C][N][H][W]; W a multiple of 4
// grid     x: N H W / (4 WG)   y: C
// reads    dy once, writes dx once: bandwidth bound
// backward none
// knobs    WG

const WG: u32 = 64u;
const H: u32 = 6u;
const W: u32 = 4u;

struct Params { quads: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> words: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let quad = group.x * WG + lane;
    if quad >= p.quads {
        return;
    }
    let column = quad % (W / 4u);
    let i = quad / (W / 4u) % H;
    var sum = vec4<f32>(0.0);
    for (var u = 0u; u < 3u; u++) {
        if i + 1u >= u && i + 1u - u < H {
            // the same columns of the row where this filter row looked at row i, for v = 0
            let at = (9u * group.y + 3u * u) * p.quads + quad + W / 4u - u * (W / 4u);
            let last = at + 2u * p.quads;
            var right = 0.0;
            var left = 0.0;
            if column + 1u < W / 4u {
                right = words[4u * at + 4u];
            }
            if column > 0u {
                left = words[4u * last - 1u];
            }
            sum += vec4<f32>(dy[at].yzw, right) + dy[at + p.quads] + vec4<f32>(left, dy[last].xyz);
        }
    }
    dx[group.y * p.quads + quad] = sum;
}
