// ladder/matmul_2_workgroup_tile — matrix product, tiles of both matrices shared by a workgroup
// maths    y[m,n] = Σ_k a[m,k] x[k,n]
// shapes   a [M,K]   x [K,N]   y [M,N]; all multiples of 16
// grid     x: N / 16   y: M / 16
// reads    a N / 16 times, x M / 16 times: each lane loads one element of either tile, and all 16 lanes of a row or column
//          use it. A multiply-add still waits for two loads, now from workgroup memory
// backward none: a rung of the ladder that `cola bench ladders` climbs
// knobs    none

const SIDE: u32 = 16u;

struct Params { m: u32, k: u32, n: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

var<workgroup> tile_a: array<f32, 256>;
var<workgroup> tile_x: array<f32, 256>;

@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_id) own: vec3<u32>) {
    var sum = 0.0;
    for (var k0 = 0u; k0 < p.k; k0 += SIDE) {
        tile_a[own.y * SIDE + own.x] = a[id.y * p.k + k0 + own.x];
        tile_x[own.y * SIDE + own.x] = x[(k0 + own.y) * p.n + id.x];
        workgroupBarrier();
        for (var k = 0u; k < SIDE; k++) {
            sum += tile_a[own.y * SIDE + k] * tile_x[k * SIDE + own.x];
        }
        workgroupBarrier();
    }
    y[id.y * p.n + id.x] = sum;
}
