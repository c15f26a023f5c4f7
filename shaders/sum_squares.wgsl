// sum_squares — first stage of a sum of squares: one partial sum a workgroup
// maths    y[g] = sum over the g-th CHUNK of x²
// shapes   x: [n] vec4; y: [ceil(n / CHUNK)]; row_sum.wgsl adds the partials
// grid     x: n / CHUNK
// reads    x once: bandwidth bound
// backward none: it measures gradients
// knobs    WG, CHUNK (vec4 a workgroup)
//!use lib/index.wgsl
//!use lib/reduce.wgsl

const WG: u32 = 256u;
const CHUNK: u32 = 4096u;

struct Params { n: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let chunk = flat_group(group, groups);
    if chunk * CHUNK >= p.n {
        return;
    }
    let end = min((chunk + 1u) * CHUNK, p.n);
    var squares = vec4<f32>();
    for (var i = chunk * CHUNK + lane; i < end; i += WG) {
        squares += x[i] * x[i];
    }
    let sum = workgroup_sum(dot(squares, vec4<f32>(1.0)), lane);
    if lane == 0u {
        y[chunk] = sum;
    }
}
