// matmul/sum_parts — the second stage of a split product: adds the chunks' sums, in order
// maths    y[y0 + m ldy + j] (+)= Σ_s part[s][m,j]
// shapes   part [S,M,J]   y: any matrix that holds the block, row stride ldy, first element y0
// grid     x: M J / WG
// reads    part once, y once: bandwidth bound, small
// backward none: it ends a weight gradient
// knobs    WG
//!use lib/index.wgsl

const WG: u32 = 64u;

struct Params { m: u32, j: u32, parts: u32, ldy: u32, y0: u32, accumulate: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> part: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group, groups) * WG + lane;
    let size = p.m * p.j;
    if i >= size {
        return;
    }
    var sum = 0.0;
    for (var s = 0u; s < p.parts; s++) {
        sum += part[s * size + i];
    }
    let at = p.y0 + (i / p.j) * p.ldy + i % p.j;
    if p.accumulate == 1u {
        y[at] += sum;
    } else {
        y[at] = sum;
    }
}
