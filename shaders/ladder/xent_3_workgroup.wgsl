// ladder/xent_3_workgroup — softmax cross-entropy of a square of logits, a row a workgroup
// maths    as xent_2_online.wgsl in every lane; two lanes join by m' = max(m0, m1), s' = s0 exp(m0 - m') + s1 exp(m1 - m')
// shapes   x [N,N]   loss [N]; N a multiple of 64
// grid     x: N
// reads    x once, and neighbouring lanes take neighbouring logits: a line of a cache serves as many lanes as it has numbers;
//          64 times as many lanes work, for six barriers a row
// backward none: a rung of the ladder that `cola bench ladders` climbs
// knobs    none

const WG: u32 = 64u;

struct Params { n: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> loss: array<f32>;

// Largest logit, and the sum relative to it.
var<workgroup> parts: array<vec2<f32>, 64>;

fn join(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    let smaller = exp(-abs(a.x - b.x));
    return vec2<f32>(max(a.x, b.x), select(a.y + b.y * smaller, a.y * smaller + b.y, b.x > a.x));
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group.x * p.n;
    var part = vec2<f32>(x[row + lane], 1.0);
    for (var j = lane + WG; j < p.n; j += WG) {
        part = join(part, vec2<f32>(x[row + j], 1.0));
    }
    parts[lane] = part;
    workgroupBarrier();
    for (var half = WG / 2u; half > 0u; half /= 2u) {
        if lane < half {
            parts[lane] = join(parts[lane], parts[lane + half]);
        }
        workgroupBarrier();
    }
    if lane == 0u {
        loss[group.x] = log(parts[0].y) + (parts[0].x - x[row + group.x]);
    }
}
