// ladder/sum_4_vec4 — sums of 16384 elements: 64 vectors of four a lane, then the tree
// maths    y[g] = Σ x[16384 g + i], i < 16384
// shapes   x: [n], n a multiple of 4; y: [n / 16384], rounded up
// grid     x: n / 16384, folded into y
// reads    x once, by fours: a quarter of the load instructions
// backward none: a rung of the ladder that `cola bench ladders` climbs
// knobs    none
//!use lib/index.wgsl

const WG: u32 = 64u;
const EACH: u32 = 64u;

struct Params { n4: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

var<workgroup> sums: array<f32, 64>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let g = flat_group(group, groups);
    let first = g * WG * EACH;
    var four = vec4<f32>(0.0);
    for (var i = first + lane; i < min(first + WG * EACH, p.n4); i += WG) {
        four += x[i];
    }
    sums[lane] = dot(four, vec4<f32>(1.0));
    workgroupBarrier();
    for (var half = WG / 2u; half > 0u; half /= 2u) {
        if lane < half {
            sums[lane] += sums[lane + half];
        }
        workgroupBarrier();
    }
    if lane == 0u && first < p.n4 {
        y[g] = sums[0];
    }
}
