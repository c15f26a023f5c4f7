// rotary — turns pairs of features of queries and keys by angles that grow with their position (Su et al. 2021, RoFormer)
// maths    y[i] = x[i] c - x[i'] s; y[i'] = x[i'] c + x[i] s, with i' = i + DH / 2, c and s of angle t 10000^(-2i / DH);
//          BACK turns the other way; v is copied
// shapes   x, y: [3][H][DH][B][T]; table: [2][DH / 2][T], cosines then sines; T a multiple of 4
// grid     x: 3 H (DH / 2) B T / 4 / WG, four neighbouring positions each
// reads    x once, writes y once: bandwidth bound
// backward the same with BACK
// knobs    WG
//!use lib/index.wgsl

const BACK: bool = false;
const WG: u32 = 64u;

struct Params { heads: u32, pairs: u32, samples: u32, steps4: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> table: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let n = flat_group(group, groups) * WG + lane;
    let pitch = p.samples * p.steps4;
    let pair = n / pitch;
    if pair >= 3u * p.heads * p.pairs {
        return;
    }
    let i = pair % p.pairs;
    let first = (pair / p.pairs * 2u * p.pairs + i) * pitch + n % pitch;
    let second = first + p.pairs * pitch;
    let a = x[first];
    let b = x[second];
    if pair >= 2u * p.heads * p.pairs {
        y[first] = a;
        y[second] = b;
        return;
    }
    let angle = i * p.steps4 + n % p.steps4;
    let c = table[angle];
    var s = table[p.pairs * p.steps4 + angle];
    if BACK {
        s = -s;
    }
    y[first] = a * c - b * s;
    y[second] = b * c + a * s;
}
