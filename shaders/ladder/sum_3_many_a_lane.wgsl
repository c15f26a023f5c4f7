// ladder/sum_3_many_a_lane — sums of 4096 elements: 64 a lane by itself, then the tree
// maths    y[g] = Σ x[4096 g + i], i < 4096; run again on y until one number is left
// shapes   x: [n]; y: [n / 4096], rounded up
// grid     x: n / 4096, folded into y
// reads    x once: neighbouring lanes take neighbouring elements, and the barriers come once for 64 elements a lane
// backward none: a rung of the ladder that `cola bench ladders` climbs
// knobs    none
//!use lib/index.wgsl

const WG: u32 = 64u;
const EACH: u32 = 64u;

struct Params { n: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

var<workgroup> sums: array<f32, 64>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let g = flat_group(group, groups);
    let first = g * WG * EACH;
    var sum = 0.0;
    for (var i = first + lane; i < min(first + WG * EACH, p.n); i += WG) {
        sum += x[i];
    }
    sums[lane] = sum;
    workgroupBarrier();
    for (var half = WG / 2u; half > 0u; half /= 2u) {
        if lane < half {
            sums[lane] += sums[lane + half];
        }
        workgroupBarrier();
    }
    if lane == 0u && first < p.n {
        y[g] = sums[0];
    }
}
