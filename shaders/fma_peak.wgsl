// fma_peak — nothing but multiply-adds in registers: the peak that `cola doctor` and `cola bench step` compare with
// maths    v <- scale v + shift, 4 rounds times; y[i] = the sum of 16 such v, which began at lane, lane + 1, ...
// shapes   y: [n]
// grid     x: n / WG
// reads    nothing; one float written an invocation: bound by arithmetic
// backward none: it is a measurement
// knobs    WG
//
// Sixteen sums are independent of each other, so that the latency of one hides behind the others.
//!use lib/index.wgsl

const WG: u32 = 64u;

struct Params { n: u32, rounds: u32, scale: f32, shift: f32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group, groups) * WG + lane;
    if i >= p.n {
        return;
    }
    let scale = vec4<f32>(p.scale);
    let shift = vec4<f32>(p.shift);
    var a = vec4<f32>(0.0, 1.0, 2.0, 3.0) + f32(lane);
    var b = a + 4.0;
    var c = a + 8.0;
    var d = a + 12.0;
    for (var round = 0u; round < p.rounds; round++) {
        // by hand, since drivers need not unroll
        a = fma(a, scale, shift);
        b = fma(b, scale, shift);
        c = fma(c, scale, shift);
        d = fma(d, scale, shift);
        a = fma(a, scale, shift);
        b = fma(b, scale, shift);
        c = fma(c, scale, shift);
        d = fma(d, scale, shift);
        a = fma(a, scale, shift);
        b = fma(b, scale, shift);
        c = fma(c, scale, shift);
        d = fma(d, scale, shift);
        a = fma(a, scale, shift);
        b = fma(b, scale, shift);
        c = fma(c, scale, shift);
        d = fma(d, scale, shift);
    }
    y[i] = dot(a + b + c + d, vec4<f32>(1.0));
}
