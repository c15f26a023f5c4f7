// row_sum_lane — sums of rows, scaled, on top of what stands there; a lane a row, for adapters that run on the CPU
// maths    y[r] = a sum_n x[r][n] + b y[r]
// shapes   x: [R][N], N counted in Elem; y: [R]
// grid     x: R / WG
// reads    x once: bound by loads
// backward none, as row_sum.wgsl
// knobs    WG
//!use lib/index.wgsl
//!use lib/total.wgsl

alias Elem = vec4<f32>;
const WIDTH: u32 = 4u;
const WG: u32 = 8u;

struct Params { rows: u32, columns: u32, a: f32, b: f32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<Elem>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = flat_group(group, groups) * WG + lane;
    if row >= p.rows {
        return;
    }
    var sums = Elem();
    for (var n = 0u; n < p.columns; n++) {
        sums += x[row * p.columns + n];
    }
    var sum = p.a * total(sums);
    // b = 0 overwrites: what stood there may be NaN
    if p.b != 0.0 {
        sum += p.b * y[row];
    }
    y[row] = sum;
}
