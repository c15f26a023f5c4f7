// batch_norm_sums — first stage of a channel's statistics
// maths    part[c][s] = (Σ (x - x₀), Σ (x - x₀)²) over the share of s, with x₀ the channel's first element
// shapes   x [C,P], P = N H W   part [C,S] of vec2
// grid     x: chunks of P   y: C
// reads    x once: bandwidth bound
// backward batch_norm_dx_sums.wgsl
// knobs    WG; REDUCE: one part a workgroup instead of one a lane (barriers are dear on CPU adapters)
//
// Subtracting x₀ before squaring keeps the digits that Σ x² - (Σ x)² / P would lose when the mean is large.
//!use lib/total.wgsl
//!use lib/reduce.wgsl
//!use lib/stored.wgsl

alias Elem = vec4<f32>;
const WIDTH: u32 = 4u;
const WG: u32 = 64u;
const REDUCE: bool = true;

struct Params { row: u32, chunk: u32, parts: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<Stored>;
@group(0) @binding(1) var<storage, read_write> part: array<vec2<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let base = group.y * p.row;
    let origin = Elem(vec4<f32>(widen(x[base])).x);
    var sum = Elem();
    var square = Elem();
    let end = min((group.x + 1u) * p.chunk, p.row);
    for (var i = group.x * p.chunk + lane; i < end; i += WG) {
        let d = widen(x[base + i]) - origin;
        sum += d;
        square += d * d;
    }
    var both = vec2<f32>(total(sum), total(square));
    if REDUCE {
        both = vec2<f32>(workgroup_sum(both.x, lane), workgroup_sum(both.y, lane));
        if lane == 0u {
            part[group.y * p.parts + group.x] = both;
        }
    } else {
        part[group.y * p.parts + group.x * WG + lane] = both;
    }
}
