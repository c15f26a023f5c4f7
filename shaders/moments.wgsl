// moments — sums for a mean and a variance, about a shift
// maths    sums[g] = (sum of d, sum of d²), d = x - shift, over the CHUNK elements of workgroup g
// shapes   x: any, n elements; sums [n / CHUNK, 2]
// grid     x: n / CHUNK
// reads    x once: bandwidth bound. The host adds the sums in f64, in order, so a rerun gives the same bits
// backward none: it measures data
// knobs    WG, CHUNK
//!use lib/index.wgsl
//!use lib/reduce.wgsl

const WG: u32 = 64u;
const CHUNK: u32 = 8192u;

struct Params { n: u32, shift: f32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> sums: array<vec2<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let chunk = flat_group(group, groups);
    let end = min(p.n, (chunk + 1u) * CHUNK);
    var first = 0.0;
    var second = 0.0;
    for (var i = chunk * CHUNK + lane; i < end; i += WG) {
        let d = x[i] - p.shift;
        first += d;
        second += d * d;
    }
    first = workgroup_sum(first, lane);
    second = workgroup_sum(second, lane);
    // folding the grid may leave workgroups without elements
    if lane == 0u && chunk * CHUNK < p.n {
        sums[chunk] = vec2(first, second);
    }
}
