// l2_normalise — columns of unit length
// maths    y[f][n] = x[f][n] / sqrt(max(squares[n], eps)), squares[n] = sum_f x[f][n]²
// shapes   x, y: [F][N]; squares: [N]
// grid     x: N / COLUMNS
// reads    x twice, once from cache
// backward l2_normalise_dx.wgsl
// knobs    COLUMNS, STRANDS
//!use lib/index.wgsl
//!use lib/reduce_columns.wgsl

alias Elem = f32;
const COLUMNS: u32 = 16u;
const STRANDS: u32 = 16u;

struct Params { features: u32, columns: u32, eps: f32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> squares: array<f32>;

@compute @workgroup_size(COLUMNS, STRANDS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>) {
    let n = flat_group(group, groups) * COLUMNS + lane.x;
    // barriers want every lane: those past the end repeat the last column and write nothing
    let column = min(n, p.columns - 1u);
    var sum = 0.0;
    for (var f = lane.y; f < p.features; f += STRANDS) {
        let v = x[f * p.columns + column];
        sum += v * v;
    }
    sum = column_sum(sum, lane.xy);
    if n >= p.columns {
        return;
    }
    let length = sqrt(max(sum, p.eps));
    for (var f = lane.y; f < p.features; f += STRANDS) {
        y[f * p.columns + n] = x[f * p.columns + n] / length;
    }
    if lane.y == 0u {
        squares[n] = sum;
    }
}
