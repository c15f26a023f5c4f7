// ladder/xent_4_vec4 — softmax cross-entropy of a square of logits, a row a workgroup by vectors of four
// maths    as xent_3_workgroup.wgsl; a lane keeps four maxima and four sums, joined once at the end
// shapes   x [N,N]   loss [N]; N a multiple of 64
// grid     x: N
// reads    x once, by fours: a quarter of the load instructions, and four exponentials that do not wait for each other
// backward none: a rung of the ladder that `cola bench ladders` climbs
// knobs    none

const WG: u32 = 16u;

struct Params { n4: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> loss: array<f32>;

// Largest logit, and the sum relative to it.
var<workgroup> parts: array<vec2<f32>, 16>;

fn join(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    let smaller = exp(-abs(a.x - b.x));
    return vec2<f32>(max(a.x, b.x), select(a.y + b.y * smaller, a.y * smaller + b.y, b.x > a.x));
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group.x * p.n4;
    var highest = x[row + lane];
    var sum = vec4<f32>(1.0);
    for (var j = lane + WG; j < p.n4; j += WG) {
        let value = x[row + j];
        let smaller = exp(-abs(value - highest));
        sum = select(sum + smaller, sum * smaller + 1.0, value > highest);
        highest = max(highest, value);
    }
    let low = join(vec2<f32>(highest.x, sum.x), vec2<f32>(highest.y, sum.y));
    let high = join(vec2<f32>(highest.z, sum.z), vec2<f32>(highest.w, sum.w));
    parts[lane] = join(low, high);
    workgroupBarrier();
    for (var half = WG / 2u; half > 0u; half /= 2u) {
        if lane < half {
            parts[lane] = join(parts[lane], parts[lane + half]);
        }
        workgroupBarrier();
    }
    if lane == 0u {
        loss[group.x] = log(parts[0].y) + (parts[0].x - x[row + group.x / 4u][group.x % 4u]);
    }
}
