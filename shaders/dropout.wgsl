// dropout — sets elements to 0 by chance and scales the others up to keep the mean (Srivastava et al. 2014)
// maths    y[i] = x[i] / (1 - rate) where u[i] >= rate, else 0; u uniform, a function of the key and i alone
// shapes   x, y: any, of the same length
// grid     x: n / WG elements
// reads    x once, writes y once: bandwidth bound
// backward the same with dy for x, which draws the same u
// knobs    WG
//!use lib/index.wgsl
//!use lib/random.wgsl

const WG: u32 = 64u;

struct Params { n: u32, key: u32, rate: f32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group, groups) * WG + lane;
    if i < p.n {
        let stays = random(p.key, i / 16u, i % 16u) >= p.rate;
        y[i] = select(0.0, x[i] / (1.0 - p.rate), stays);
    }
}
