// ladder/matmul_4_vec4 — matrix product, sixteen results a lane by vectors of four
// maths    y[m,n] = Σ_k a[m,k] x[k,n]
// shapes   a [M,K]   x [K,N]   y [M,N]; M and N multiples of 64, K of 16
// grid     x: N / 64   y: M / 64
// reads    as matmul_3_register_tile.wgsl, by fours: a quarter of the load and store instructions, and the four columns of a
//          lane are one vector that stays in registers
// backward none: a rung of the ladder that `cola bench ladders` climbs
// knobs    none

const SIDE4: u32 = 16u;
const DEPTH: u32 = 16u;

struct Params { m: u32, k: u32, n: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

// Rows of a by four k, and rows of x by four columns.
var<workgroup> tile_a: array<vec4<f32>, 256>;
var<workgroup> tile_x: array<vec4<f32>, 256>;

fn add(sum: vec4<f32>, w: vec4<f32>, v: mat4x4<f32>) -> vec4<f32> {
    return sum + w.x * v[0] + w.y * v[1] + w.z * v[2] + w.w * v[3];
}

@compute @workgroup_size(16, 16)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) own: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    var sum0 = vec4<f32>(0.0);
    var sum1 = vec4<f32>(0.0);
    var sum2 = vec4<f32>(0.0);
    var sum3 = vec4<f32>(0.0);
    for (var k0 = 0u; k0 < p.k; k0 += DEPTH) {
        tile_a[lane] = a[(group.y * 64u + lane / 4u) * (p.k / 4u) + k0 / 4u + lane % 4u];
        tile_x[lane] = x[(k0 + own.y) * (p.n / 4u) + group.x * SIDE4 + own.x];
        workgroupBarrier();
        for (var k = 0u; k < DEPTH; k += 4u) {
            let v = mat4x4<f32>(
                tile_x[k * SIDE4 + own.x],
                tile_x[(k + 1u) * SIDE4 + own.x],
                tile_x[(k + 2u) * SIDE4 + own.x],
                tile_x[(k + 3u) * SIDE4 + own.x],
            );
            let start = 16u * own.y + k / 4u;
            sum0 = add(sum0, tile_a[start], v);
            sum1 = add(sum1, tile_a[start + 4u], v);
            sum2 = add(sum2, tile_a[start + 8u], v);
            sum3 = add(sum3, tile_a[start + 12u], v);
        }
        workgroupBarrier();
    }
    let to = (group.y * 64u + 4u * own.y) * (p.n / 4u) + group.x * SIDE4 + own.x;
    y[to] = sum0;
    y[to + p.n / 4u] = sum1;
    y[to + 2u * (p.n / 4u)] = sum2;
    y[to + 3u * (p.n / 4u)] = sum3;
}
