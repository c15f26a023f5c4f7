// l2_normalise_dx — gradient of l2_normalise
// maths    dx = (dy - y sum_f(y dy)) / sqrt(squares); where squares <= eps the length is constant: dx = dy / sqrt(eps)
// shapes   y, dy, dx: [F][N]; squares: [N]
// grid     x: N / COLUMNS
// reads    y and dy twice, once from cache
// backward none
// knobs    COLUMNS, STRANDS
//!use lib/index.wgsl
//!use lib/reduce_columns.wgsl

alias Elem = f32;
const COLUMNS: u32 = 16u;
const STRANDS: u32 = 16u;

struct Params { features: u32, columns: u32, eps: f32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> y: array<f32>;
@group(0) @binding(1) var<storage, read> squares: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(COLUMNS, STRANDS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>) {
    let n = flat_group(group, groups) * COLUMNS + lane.x;
    // barriers want every lane: those past the end repeat the last column and write nothing
    let column = min(n, p.columns - 1u);
    var sum = 0.0;
    for (var f = lane.y; f < p.features; f += STRANDS) {
        sum += y[f * p.columns + column] * dy[f * p.columns + column];
    }
    sum = column_sum(sum, lane.xy);
    if n >= p.columns {
        return;
    }
    let along = select(0.0, sum, squares[n] > p.eps);
    let length = sqrt(max(squares[n], p.eps));
    for (var f = lane.y; f < p.features; f += STRANDS) {
        let i = f * p.columns + n;
        dx[i] = (dy[i] - y[i] * along) / length;
    }
}
