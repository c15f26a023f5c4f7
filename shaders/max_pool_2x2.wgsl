// max_pool_2x2 — the largest of every two by two elements
// maths    y[r][j] = max of x[2 r][2 j], x[2 r][2 j + 1], x[2 r + 1][2 j], x[2 r + 1][2 j + 1]; winner: which of them, the first
//          of equals
// shapes   x: [2 R][2 WO], the rows of all planes one below the other; y, winner: [R][WO]
// grid     x: R WO / WG
// reads    x once, writes y and winner once: bandwidth bound
// backward max_pool_2x2_dx.wgsl
// knobs    WG
//!use lib/index.wgsl
//!use lib/finite.wgsl

const WG: u32 = 64u;
const WO: u32 = 2u;

struct Params { n: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<vec2<f32>>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> winner: array<u32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group, groups) * WG + lane;
    if i >= p.n {
        return;
    }
    // the rows above it have 2 WO pairs each
    let above = i + i / WO * WO;
    let upper = x[above];
    let lower = x[above + WO];
    let four = vec4<f32>(upper, lower);
    var value = four.x;
    var at = 0u;
    for (var k = 1u; k < 4u; k++) {
        // a NaN wins and stays: it must reach the loss, where it is noticed
        if four[k] > value || is_nan(four[k]) {
            value = four[k];
            at = k;
        }
    }
    y[i] = value;
    winner[i] = at;
}
