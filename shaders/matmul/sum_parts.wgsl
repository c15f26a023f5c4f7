// matmul/sum_parts — the second stage of a split product: adds the chunks' sums, in order
// maths    y[y0 + m ldy + j] (+)= Σ_s part[s][m,j]
// shapes   part [S,M,J]   y: any matrix that holds the block, row stride ldy, first element y0; all counted in Elem
// grid     x: J / WG   y: M
// reads    part once, y once: bandwidth bound, small
// backward none: it ends a weight gradient
// knobs    WG

alias Elem = vec4<f32>;
const ACCUMULATE: bool = true;
const WG: u32 = 64u;

struct Params { m: u32, j: u32, parts: u32, ldy: u32, y0: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> part: array<Elem>;
@group(0) @binding(1) var<storage, read_write> y: array<Elem>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let j = group.x * WG + lane;
    if j >= p.j {
        return;
    }
    let i = group.y * p.j + j;
    var sum = Elem();
    for (var s = 0u; s < p.parts; s++) {
        sum += part[s * p.m * p.j + i];
    }
    let at = p.y0 + group.y * p.ldy + j;
    if ACCUMULATE {
        y[at] += sum;
    } else {
        y[at] = sum;
    }
}
