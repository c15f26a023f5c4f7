// ladder/matmul_3_register_tile — matrix product, sixteen results a lane
// maths    y[m,n] = Σ_k a[m,k] x[k,n]
// shapes   a [M,K]   x [K,N]   y [M,N]; M and N multiples of 64, K of 16
// grid     x: N / 64   y: M / 64
// reads    a N / 64 times, x M / 64 times. A lane loads four numbers of either tile from workgroup memory and makes
//          sixteen multiply-adds of them in registers: half a load each instead of two
// backward none: a rung of the ladder that `cola bench ladders` climbs
// knobs    none

const SIDE: u32 = 64u;
const DEPTH: u32 = 16u;

struct Params { m: u32, k: u32, n: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

var<workgroup> tile_a: array<f32, 1024>;
var<workgroup> tile_x: array<f32, 1024>;

@compute @workgroup_size(16, 16)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) own: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    var sums: array<array<f32, 4>, 4>;
    for (var k0 = 0u; k0 < p.k; k0 += DEPTH) {
        for (var i = lane; i < SIDE * DEPTH; i += 256u) {
            tile_a[i] = a[(group.y * SIDE + i / DEPTH) * p.k + k0 + i % DEPTH];
            tile_x[i] = x[(k0 + i / SIDE) * p.n + group.x * SIDE + i % SIDE];
        }
        workgroupBarrier();
        for (var k = 0u; k < DEPTH; k++) {
            for (var r = 0u; r < 4u; r++) {
                let from_a = tile_a[(4u * own.y + r) * DEPTH + k];
                for (var c = 0u; c < 4u; c++) {
                    sums[r][c] += from_a * tile_x[k * SIDE + 4u * own.x + c];
                }
            }
        }
        workgroupBarrier();
    }
    for (var r = 0u; r < 4u; r++) {
        for (var c = 0u; c < 4u; c++) {
            y[(group.y * SIDE + 4u * own.y + r) * p.n + group.x * SIDE + 4u * own.x + c] = sums[r][c];
        }
    }
}
