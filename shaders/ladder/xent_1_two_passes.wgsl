// ladder/xent_1_two_passes — softmax cross-entropy of a square of logits, a row a lane
// maths    loss[i] = m + ln Σ_j exp(x[i,j] - m) - x[i,i], m = max_j x[i,j]: sample i is of class i
// shapes   x [N,N]   loss [N]; N a multiple of 64
// grid     x: N / 64
// reads    x twice, and what neighbouring lanes read is a row apart: no two share a line of a cache
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
    for (var j = 1u; j < p.n; j++) {
        highest = max(highest, x[row + j]);
    }
    var sum = 0.0;
    for (var j = 0u; j < p.n; j++) {
        sum += exp(x[row + j] - highest);
    }
    loss[id.x] = log(sum) + (highest - x[row + id.x]);
}
