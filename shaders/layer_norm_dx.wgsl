// layer_norm_dx — gradient of layer_norm with respect to its input
// maths    dx = rstd (g - mean_f g - xh mean_f(g xh)), with g = gamma dy and xh = (x - mean) rstd
// shapes   x, dy, dx: [F][N]; gamma: [F]; stats: [2][N], mean then rstd
// grid     x: N / COLUMNS elements (of Elem)
// reads    x and dy twice, once from cache
// backward none
// knobs    COLUMNS, STRANDS
//!use lib/index.wgsl
//!use lib/reduce_columns.wgsl

alias Elem = f32;
const COLUMNS: u32 = 16u;
const STRANDS: u32 = 16u;

struct Params { features: u32, columns: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<Elem>;
@group(0) @binding(1) var<storage, read> dy: array<Elem>;
@group(0) @binding(2) var<storage, read> gamma: array<f32>;
@group(0) @binding(3) var<storage, read> stats: array<Elem>;
@group(0) @binding(4) var<storage, read_write> dx: array<Elem>;

@compute @workgroup_size(COLUMNS, STRANDS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>) {
    let n = flat_group(group, groups) * COLUMNS + lane.x;
    // barriers want every lane: those past the end repeat the last column and write nothing
    let column = min(n, p.columns - 1u);
    let mean = stats[column];
    let rstd = stats[p.columns + column];
    var sum = Elem();
    var sum_xh = Elem();
    for (var f = lane.y; f < p.features; f += STRANDS) {
        let i = f * p.columns + column;
        let g = gamma[f] * dy[i];
        sum += g;
        sum_xh += g * (x[i] - mean) * rstd;
    }
    let mean_g = column_sum(sum, lane.xy) / f32(p.features);
    let mean_g_xh = column_sum(sum_xh, lane.xy) / f32(p.features);
    if n >= p.columns {
        return;
    }
    for (var f = lane.y; f < p.features; f += STRANDS) {
        let i = f * p.columns + n;
        let xh = (x[i] - mean) * rstd;
        dx[i] = rstd * (gamma[f] * dy[i] - mean_g - xh * mean_g_xh);
    }
}
