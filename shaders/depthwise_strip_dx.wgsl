// depthwise_strip_dx — gradient of a stride-2 depthwise_strip.wgsl with respect to x
// maths    dx[c,n,r,s] = Σ_u Σ_v w[c,u,v] dy[c,n,i,j] over the (u, v) with 2 i = r + PAD_Y - u, 2 j = s + PAD_X - v
// shapes   dy [C,N,Ho,Wo]   w [C,K,K]   dx [C,N,H,W]; W = 2 Wo a multiple of 4, H = 2 Ho
// grid     x: N W / 4 strips, WG each   y: C
// reads    each dy about twice; w once a lane → bandwidth bound
// backward none
// knobs    K, WG
//
// A lane owns four columns of dx and writes two rows at a time, because which taps meet an output depends on the parity
// of row and column only: with both known at compile time every test below folds away. Under the two rows lie the rows
// i - 1, i, i + 1 of dy, and under the four columns 2 q … 2 q + 1 with one more on each side.

const K: u32 = 3u;
const PAD_Y: u32 = 0u;
const PAD_X: u32 = 0u;
const WG: u32 = 64u;

struct Params { planes: u32, ho: u32, wo: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> dy2: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<vec4<f32>>;
//!use lib/halo.wgsl

// columns of dy under a strip: two of its own, and one on each side
const SPAN: u32 = 4u;
const LEFT: u32 = 1u;
const OWN: u32 = 2u;

var<private> rows: array<array<f32, SPAN>, 3>;
var<private> taps: array<f32, K * K>;

fn single(i: u32) -> f32 {
    return dy[i];
}

// Columns 2 strip - 1 … 2 strip + 2 of a row of dy; zeros outside. A row below zero comes as a large number.
fn span(base: u32, row: u32, strip: u32) -> array<f32, SPAN> {
    var s = array<f32, SPAN>(0.0, 0.0, 0.0, 0.0);
    if row >= p.ho {
        return s;
    }
    let first = base + row * p.wo;
    let v = dy2[first / 2u + strip];
    s[1] = v.x;
    s[2] = v.y;
    return halo(s, first, strip * OWN, p.wo);
}

// r: 0 or 1, the row in the pair; s: 0 … 3, the column in the strip.
fn gradient(r: u32, s: u32) -> f32 {
    var sum = 0.0;
    for (var u = 0u; u < K; u++) {
        for (var v = 0u; v < K; v++) {
            // + 2 keeps the differences above zero; rows[1] is row i and column 1 is 2 q
            let i = r + PAD_Y + 2u - u;
            let j = s + PAD_X + 2u - v;
            if r + PAD_Y + 2u >= u && s + PAD_X + 2u >= v && i % 2u == 0u && j % 2u == 0u {
                sum += taps[u * K + v] * rows[i / 2u][j / 2u];
            }
        }
    }
    return sum;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let c = group.y;
    let strips = p.wo / 2u;
    let at = group.x * WG + lane;
    if at >= p.planes * strips {
        return;
    }
    let strip = at % strips;
    for (var t = 0u; t < K * K; t++) {
        taps[t] = w[c * K * K + t];
    }
    let plane = c * p.planes + at / strips;
    let base = plane * p.ho * p.wo;
    let first_out = plane * 2u * p.ho * strips + strip;
    rows[1] = array<f32, SPAN>(0.0, 0.0, 0.0, 0.0);
    rows[2] = span(base, 0u, strip);
    for (var i = 0u; i < p.ho; i++) {
        rows[0] = rows[1];
        rows[1] = rows[2];
        rows[2] = span(base, i + 1u, strip);
        dx[first_out + 2u * i * strips] = vec4<f32>(gradient(0u, 0u), gradient(0u, 1u), gradient(0u, 2u), gradient(0u, 3u));
        dx[first_out + (2u * i + 1u) * strips] = vec4<f32>(gradient(1u, 0u), gradient(1u, 1u), gradient(1u, 2u), gradient(1u, 3u));
    }
}
