// ladder/sum_2_tree — sums of 64 elements, by a tree in workgroup memory
// maths    y[g] = Σ x[64 g + i], i < 64; run again on y until one number is left
// shapes   x: [n]; y: [n / 64], rounded up
// grid     x: n / 64, folded into y
// reads    x once: all of the device works, but a lane adds one number between two barriers, and at each level half of the
//          lanes that were left have nothing to do
// backward none: a rung of the ladder that `cola bench ladders` climbs
// knobs    none
//!use lib/index.wgsl

const WG: u32 = 64u;

struct Params { n: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

var<workgroup> sums: array<f32, 64>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let g = flat_group(group, groups);
    let i = g * WG + lane;
    // a lane past the end adds nothing
    sums[lane] = select(0.0, x[min(i, p.n - 1u)], i < p.n);
    workgroupBarrier();
    for (var half = WG / 2u; half > 0u; half /= 2u) {
        if lane < half {
            sums[lane] += sums[lane + half];
        }
        workgroupBarrier();
    }
    if lane == 0u && g * WG < p.n {
        y[g] = sums[0];
    }
}
