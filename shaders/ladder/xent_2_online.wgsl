// ladder/xent_2_online — softmax cross-entropy of a square of logits, a row a lane in one pass
// maths    as xent_1_two_passes.wgsl; the sum is kept relative to the largest logit so far, and scaled down when a larger one
//          comes: m' = max(m, x), s' = s exp(m - m') + exp(x - m')
// shapes   x [N,N]   loss [N]; N a multiple of 64
// grid     x: N / 64
// reads    x once; still a row apart. One of the two exponents is always 0, so that one exp is enough
// backward none: a rung of the ladder that `cola bench ladders` climbs
// knobs    none

struct Params { n: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> loss: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x * p.n;
    var highest = x[row];
    var sum = 1.0;
    for (var j = 1u; j < p.n; j++) {
        let value = x[row + j];
        let smaller = exp(-abs(value - highest));
        sum = select(sum + smaller, sum * smaller + 1.0, value > highest);
        highest = max(highest, value);
    }
    loss[id.x] = log(sum) + (highest - x[row + id.x]);
}
