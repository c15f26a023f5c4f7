// batch_norm_dx_sums — first stage of the two sums that batch norm's gradient needs
// maths    dz = dy, or dy swish'(z) with SWISH; part[c][s] = (Σ dz, Σ dz x̂) over the share of s, x̂ = (x - mean) / std
// shapes   x, dy [C,P]   stats [C] of vec4   part [C,S] of vec2
// grid     x: chunks of P   y: C
// reads    x and dy once: bandwidth bound
// backward none
// knobs    WG; REDUCE: one part a workgroup instead of one a lane
//!use lib/total.wgsl
//!use lib/reduce.wgsl
//!use lib/activation.wgsl
//!use lib/stored.wgsl

alias Elem = vec4<f32>;
const WIDTH: u32 = 4u;
const WG: u32 = 64u;
const SWISH: bool = false;
const REDUCE: bool = true;

struct Params { row: u32, chunk: u32, parts: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<Stored>;
@group(0) @binding(1) var<storage, read> dy: array<Elem>;
@group(0) @binding(2) var<storage, read> stats: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> part: array<vec2<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let base = group.y * p.row;
    let s = stats[group.y];
    var sum = Elem();
    var product = Elem();
    let end = min((group.x + 1u) * p.chunk, p.row);
    for (var i = group.x * p.chunk + lane; i < end; i += WG) {
        let v = widen(x[base + i]);
        var dz = dy[base + i];
        if SWISH {
            dz *= swish_slope(v * s.x + Elem(s.y));
        }
        sum += dz;
        product += dz * (v - Elem(s.z));
    }
    var both = vec2<f32>(total(sum), total(product) * s.w);
    if REDUCE {
        both = vec2<f32>(workgroup_sum(both.x, lane), workgroup_sum(both.y, lane));
        if lane == 0u {
            part[group.y * p.parts + group.x] = both;
        }
    } else {
        part[group.y * p.parts + group.x * WG + lane] = both;
    }
}
