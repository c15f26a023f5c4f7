// adam — one step of Adam or AdamW over whole slabs
// maths    g = grad min(1, max_norm / |grad|); m += (1 - beta1) (g - m); v += (1 - beta2) (g² - v);
//          w = w (1 - decay mask) - rate m / (sqrt(v) scale_v + eps)
//          The host folds bias correction and the meaning of eps into rate and scale_v (see optim/adam.rs).
//          A gradient whose norm is not finite changes nothing.
// shapes   w, grad, m, v: [n] (of Elem); mask: [n / BLOCK], 0 or 1, one number a block; squares: [1] = |grad|²
// grid     x: n / WG
// reads    w, grad, m, v once, writes w, m, v once: bandwidth bound
// backward none
// knobs    WG
//!use lib/index.wgsl
//!use lib/finite.wgsl

alias Elem = vec4<f32>;
// Elem in the 64 elements to which parameters are aligned
const BLOCK: u32 = 16u;
const WG: u32 = 256u;

struct Params {
    n: u32,
    rate: f32,
    scale_v: f32,
    eps: f32,
    one_minus_beta1: f32,
    one_minus_beta2: f32,
    decay: f32,
    max_norm: f32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read_write> w: array<Elem>;
@group(0) @binding(1) var<storage, read> grad: array<Elem>;
@group(0) @binding(2) var<storage, read_write> m: array<Elem>;
@group(0) @binding(3) var<storage, read_write> v: array<Elem>;
@group(0) @binding(4) var<storage, read> mask: array<f32>;
@group(0) @binding(5) var<storage, read> squares: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group, groups) * WG + lane;
    if i >= p.n || !is_finite(squares[0]) {
        return;
    }
    let norm = sqrt(squares[0]);
    var g = grad[i];
    if norm > p.max_norm {
        g *= p.max_norm / norm;
    }
    let first = m[i] + p.one_minus_beta1 * (g - m[i]);
    let second = v[i] + p.one_minus_beta2 * (g * g - v[i]);
    m[i] = first;
    v[i] = second;
    w[i] = w[i] * (1.0 - p.decay * mask[i / BLOCK]) - p.rate * first / (sqrt(second) * p.scale_v + Elem(p.eps));
}
