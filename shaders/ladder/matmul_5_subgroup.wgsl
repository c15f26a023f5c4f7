// ladder/matmul_5_subgroup — matrix product, numbers handed round within a subgroup
// maths    y[m,n] = Σ_k a[m,k] x[k,n]
// shapes   a [M,K]   x [K,N]   y [M,N]; M and K multiples of 8, N of 64
// grid     x: N / 64   y: M / 8
// reads    a lane has eight rows of four columns. Of a each loads one of eight k and gets the others by broadcast: no workgroup
//          memory, no barrier, and an eighth of the loads of a
// backward none: a rung of the ladder that `cola bench ladders` climbs
// knobs    none

const WG: u32 = 16u;

struct Params { m: u32, k: u32, n: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

var<private> sums: array<vec4<f32>, 8>;

// One k: what rows 0..4 and 4..8 of a have there, times four columns of x.
fn add(low: vec4<f32>, high: vec4<f32>, v: vec4<f32>) {
    sums[0] += low.x * v;
    sums[1] += low.y * v;
    sums[2] += low.z * v;
    sums[3] += low.w * v;
    sums[4] += high.x * v;
    sums[5] += high.y * v;
    sums[6] += high.z * v;
    sums[7] += high.w * v;
}

fn four_rows(row: u32, k: u32) -> vec4<f32> {
    let at = row * p.k + k;
    return vec4<f32>(a[at], a[at + p.k], a[at + 2u * p.k], a[at + 3u * p.k]);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32, @builtin(subgroup_invocation_id) own: u32) {
    let n4 = p.n / 4u;
    let column = group.x * WG + lane;
    let row = 8u * group.y;
    for (var k = 0u; k < p.k; k += 8u) {
        let low = four_rows(row, k + own % 8u);
        let high = four_rows(row + 4u, k + own % 8u);
        let at = k * n4 + column;
        // written out, because the lane of a broadcast has to be a constant
        add(subgroupBroadcast(low, 0u), subgroupBroadcast(high, 0u), x[at]);
        add(subgroupBroadcast(low, 1u), subgroupBroadcast(high, 1u), x[at + n4]);
        add(subgroupBroadcast(low, 2u), subgroupBroadcast(high, 2u), x[at + 2u * n4]);
        add(subgroupBroadcast(low, 3u), subgroupBroadcast(high, 3u), x[at + 3u * n4]);
        add(subgroupBroadcast(low, 4u), subgroupBroadcast(high, 4u), x[at + 4u * n4]);
        add(subgroupBroadcast(low, 5u), subgroupBroadcast(high, 5u), x[at + 5u * n4]);
        add(subgroupBroadcast(low, 6u), subgroupBroadcast(high, 6u), x[at + 6u * n4]);
        add(subgroupBroadcast(low, 7u), subgroupBroadcast(high, 7u), x[at + 7u * n4]);
    }
    let to = row * n4 + column;
    for (var r = 0u; r < 8u; r++) {
        y[to + r * n4] = sums[r];
    }
}
