// layer_norm_dw — gradients of layer_norm's scale and offset, added to what stands there
// maths    dgamma[f] += sum_n dy[f][n] (x[f][n] - mean[n]) rstd[n]; dbeta[f] += sum_n dy[f][n]
// shapes   x, dy: [F][N]; stats: [2][N], mean then rstd; dgamma, dbeta: [F]
// grid     x: F, one workgroup a feature
// reads    x and dy once: bandwidth bound
// backward none
// knobs    WG
//!use lib/index.wgsl
//!use lib/reduce.wgsl

const WG: u32 = 64u;

struct Params { features: u32, columns: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> stats: array<f32>;
@group(0) @binding(3) var<storage, read_write> dgamma: array<f32>;
@group(0) @binding(4) var<storage, read_write> dbeta: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let f = flat_group(group, groups);
    if f >= p.features {
        return;
    }
    var sum = 0.0;
    var sum_xh = 0.0;
    for (var n = lane; n < p.columns; n += WG) {
        let i = f * p.columns + n;
        sum += dy[i];
        sum_xh += dy[i] * (x[i] - stats[n]) * stats[p.columns + n];
    }
    sum = workgroup_sum(sum, lane);
    sum_xh = workgroup_sum(sum_xh, lane);
    if lane == 0u {
        dgamma[f] += sum_xh;
        dbeta[f] += sum;
    }
}
