// impose_magnitude — spectra with magnitudes that are given and the phases that they have
// maths    y = m z / |z|; m where |z| is 0
// shapes   z, y: [n] pairs; m: [n]
// grid     x: n / WG
// reads    z and m once, writes y once: bandwidth bound
// backward none
// knobs    WG
// source   Griffin and Lim (1984), equation 6: the step between two transforms
//!use lib/index.wgsl

const WG: u32 = 64u;

struct Params { n: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> z: array<vec2<f32>>;
@group(0) @binding(1) var<storage, read> m: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<vec2<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group, groups) * WG + lane;
    if i >= p.n {
        return;
    }
    let size = length(z[i]);
    var direction = vec2(1.0, 0.0);
    if size > 1e-20 {
        direction = z[i] / size;
    }
    y[i] = m[i] * direction;
}
