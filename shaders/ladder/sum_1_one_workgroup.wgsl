// ladder/sum_1_one_workgroup — the sum of a tensor by a single workgroup
// maths    y[0] = Σ x
// shapes   x: [n]; y: [1]
// grid     x: 1
// reads    x once: bandwidth bound on paper, but all of the device but one workgroup is idle
// backward none: a rung of the ladder that `cola bench ladders` climbs
// knobs    none

const WG: u32 = 64u;

struct Params { n: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

var<workgroup> sums: array<f32, 64>;

@compute @workgroup_size(WG)
fn main(@builtin(local_invocation_index) lane: u32) {
    var sum = 0.0;
    for (var i = lane; i < p.n; i += WG) {
        sum += x[i];
    }
    sums[lane] = sum;
    workgroupBarrier();
    if lane == 0u {
        for (var i = 1u; i < WG; i++) {
            sum += sums[i];
        }
        y[0] = sum;
    }
}
