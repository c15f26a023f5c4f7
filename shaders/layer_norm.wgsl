// layer_norm — normalises every column over its features
// maths    y[f][n] = gamma[f] (x[f][n] - mean[n]) rstd[n] + beta[f], rstd = 1 / sqrt(var + eps); the variance is biased
//          and taken about the mean in a second pass, so a large mean costs no digits
// shapes   x, y: [F][N]; gamma, beta: [F]; stats: [2][N], mean then rstd
// grid     x: N / COLUMNS elements (of Elem)
// reads    x three times, twice from cache
// backward layer_norm_dx.wgsl, layer_norm_dw.wgsl
// knobs    COLUMNS, STRANDS
//!use lib/index.wgsl
//!use lib/reduce_columns.wgsl

alias Elem = f32;
const COLUMNS: u32 = 16u;
const STRANDS: u32 = 16u;

struct Params { features: u32, columns: u32, eps: f32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<Elem>;
@group(0) @binding(1) var<storage, read> gamma: array<f32>;
@group(0) @binding(2) var<storage, read> beta: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<Elem>;
@group(0) @binding(4) var<storage, read_write> stats: array<Elem>;

@compute @workgroup_size(COLUMNS, STRANDS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>) {
    let n = flat_group(group, groups) * COLUMNS + lane.x;
    // barriers want every lane: those past the end repeat the last column and write nothing
    let column = min(n, p.columns - 1u);
    var sum = Elem();
    for (var f = lane.y; f < p.features; f += STRANDS) {
        sum += x[f * p.columns + column];
    }
    let mean = column_sum(sum, lane.xy) / f32(p.features);
    var squares = Elem();
    for (var f = lane.y; f < p.features; f += STRANDS) {
        let d = x[f * p.columns + column] - mean;
        squares += d * d;
    }
    let rstd = Elem(1.0) / sqrt(column_sum(squares, lane.xy) / f32(p.features) + Elem(p.eps));
    if n >= p.columns {
        return;
    }
    for (var f = lane.y; f < p.features; f += STRANDS) {
        y[f * p.columns + n] = gamma[f] * (x[f * p.columns + n] - mean) * rstd + Elem(beta[f]);
    }
    if lane.y == 0u {
        stats[n] = mean;
        stats[p.columns + n] = rstd;
    }
}
