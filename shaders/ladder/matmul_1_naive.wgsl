// ladder/matmul_1_naive — matrix product, one result a lane
// maths    y[m,n] = Σ_k a[m,k] x[k,n]
// shapes   a [M,K]   x [K,N]   y [M,N]; M and N multiples of 16
// grid     x: N / 16   y: M / 16
// reads    a N times and x M times: every multiply-add waits for two loads, and only a cache makes them bearable
// backward none: a rung of the ladder that `cola bench ladders` climbs
// knobs    none

struct Params { m: u32, k: u32, n: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    var sum = 0.0;
    for (var k = 0u; k < p.k; k++) {
        sum += a[id.y * p.k + k] * x[k * p.n + id.x];
    }
    y[id.y * p.n + id.x] = sum;
}
