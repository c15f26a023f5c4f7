// row_sum — sums of rows, scaled, on top of what stands there
// maths    y[r] = a sum_n x[r][n] + b y[r]
// shapes   x: [R][N]; y: [R]
// grid     x: R, one workgroup a row
// reads    x once: bandwidth bound where N is long
// backward none: it is the backward of a bias, and ends a loss that has its own
// knobs    WG
//!use lib/index.wgsl
//!use lib/reduce.wgsl

const WG: u32 = 64u;

struct Params { rows: u32, columns: u32, a: f32, b: f32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = flat_group(group, groups);
    if row >= p.rows {
        return;
    }
    var sum = 0.0;
    for (var n = lane; n < p.columns; n += WG) {
        sum += x[row * p.columns + n];
    }
    sum = p.a * workgroup_sum(sum, lane);
    if lane == 0u {
        // b = 0 overwrites: what stood there may be NaN
        if p.b != 0.0 {
            sum += p.b * y[row];
        }
        y[row] = sum;
    }
}
