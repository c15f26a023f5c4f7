// spectral_convolve — convolution of signals with responses, both cut into blocks and transformed
// maths    y[r][b][k] = sum over p <= b, p < parts of x[r][b - p][k] h[r][p][k], complex
// shapes   x, y: [R, blocks, BINS] pairs, h: [R, parts, BINS] pairs
// grid     x: BINS / WG, y: blocks, z: R
// reads    x and h min(blocks, parts) times, writes y once
// backward none: it prepares data
// knobs    WG
// source   uniformly partitioned convolution (Stockham 1966, Wefers 2015, chapter 5)

const WG: u32 = 64u;
const BINS: u32 = 513u;

struct Params { blocks: u32, parts: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<vec2<f32>>;
@group(0) @binding(1) var<storage, read> h: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec2<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let k = group.x * WG + lane;
    let block = group.y;
    let row = group.z;
    if k >= BINS {
        return;
    }
    var sum = vec2(0.0);
    for (var part = 0u; part < min(block + 1u, p.parts); part++) {
        let a = x[(row * p.blocks + block - part) * BINS + k];
        let b = h[(row * p.parts + part) * BINS + k];
        sum += vec2(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x);
    }
    y[(row * p.blocks + block) * BINS + k] = sum;
}
