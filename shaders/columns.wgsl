// columns — a range of columns, or the same put back among zeros
// maths    y[r][c] = x[r][c + shift] where that column exists, else 0
// shapes   x: [R][from]; y: [R][to]
// grid     x: R to / WG elements
// reads    x once, writes y once: bandwidth bound
// backward itself, with from and to swapped and -shift
// knobs    WG
//!use lib/index.wgsl

const WG: u32 = 64u;

struct Params { rows: u32, columns_from: u32, columns_to: u32, shift: i32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group, groups) * WG + lane;
    if i >= p.rows * p.columns_to {
        return;
    }
    let row = i / p.columns_to;
    let column = i32(i - row * p.columns_to) + p.shift;
    var value = 0.0;
    if column >= 0 && column < i32(p.columns_from) {
        value = x[row * p.columns_from + u32(column)];
    }
    y[i] = value;
}
