// matmul/lanes_nt — product with a transposed matrix over a long axis, for adapters that run on the CPU
// maths    part[s][m,j] = Σ_{n in chunk s} a[m,n] b[j,n]
// shapes   a [M,N]   b [J,N]   part [S,M,J]; N a multiple of 4
// grid     x: J / (8 BLOCKS) column blocks   y: M / ROWS row blocks   z: S chunks of N
// reads    a J / (8 BLOCKS) times, b M / ROWS times: bound by loads, which lavapipe does lane by lane
// backward none: it is the weight gradient of matmul/lanes.wgsl
// knobs    ROWS (8, 16, 32), BLOCKS (1, 2)
//
// Lane l owns the columns j = 8 b + l and loads four n of each of those rows of b; of `a` the eight lanes load one row
// each and hand them round by broadcast. The sums of the chunks are added by matmul/sum_parts.wgsl, in order.

const ROWS: u32 = 32u;
const BLOCKS: u32 = 2u;
const LANES: u32 = 8u;

struct Params { m: u32, j: u32, n4: u32, chunk4: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> part: array<f32>;

var<private> sums0: array<f32, ROWS>;
var<private> sums1: array<f32, ROWS>;

fn add(row: u32, w: vec4<f32>, v0: vec4<f32>, v1: vec4<f32>) {
    sums0[row] += w.x * v0.x + w.y * v0.y + w.z * v0.z + w.w * v0.w;
    if BLOCKS > 1u {
        sums1[row] += w.x * v1.x + w.y * v1.y + w.z * v1.z + w.w * v1.w;
    }
}

fn add_block(row: u32, block: vec4<f32>, v0: vec4<f32>, v1: vec4<f32>) {
    add(row, subgroupBroadcast(block, 0u), v0, v1);
    add(row + 1u, subgroupBroadcast(block, 1u), v0, v1);
    add(row + 2u, subgroupBroadcast(block, 2u), v0, v1);
    add(row + 3u, subgroupBroadcast(block, 3u), v0, v1);
    add(row + 4u, subgroupBroadcast(block, 4u), v0, v1);
    add(row + 5u, subgroupBroadcast(block, 5u), v0, v1);
    add(row + 6u, subgroupBroadcast(block, 6u), v0, v1);
    add(row + 7u, subgroupBroadcast(block, 7u), v0, v1);
}

fn row_of_a(row: u32, n: u32) -> vec4<f32> {
    return a[min(row, p.m - 1u) * p.n4 + n];
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let j0 = group.x * LANES * BLOCKS + lane;
    let j1 = j0 + LANES;
    let first = group.y * ROWS;
    for (var i = 0u; i < ROWS; i++) {
        sums0[i] = 0.0;
        sums1[i] = 0.0;
    }
    let start = group.z * p.chunk4;
    let end = min(start + p.chunk4, p.n4);
    // rows past the end repeat the last one: their sums are never written
    let at0 = min(j0, p.j - 1u) * p.n4;
    let at1 = min(j1, p.j - 1u) * p.n4;
    for (var n = start; n < end; n++) {
        let v0 = b[at0 + n];
        var v1 = vec4<f32>();
        if BLOCKS > 1u {
            v1 = b[at1 + n];
        }
        add_block(0u, row_of_a(first + lane, n), v0, v1);
        if ROWS > 8u {
            add_block(8u, row_of_a(first + 8u + lane, n), v0, v1);
        }
        if ROWS > 16u {
            add_block(16u, row_of_a(first + 16u + lane, n), v0, v1);
            add_block(24u, row_of_a(first + 24u + lane, n), v0, v1);
        }
    }
    for (var i = 0u; i < ROWS; i++) {
        let m = first + i;
        if m < p.m {
            let at = (group.z * p.m + m) * p.j;
            if j0 < p.j {
                part[at + j0] = sums0[i];
            }
            if BLOCKS > 1u && j1 < p.j {
                part[at + j1] = sums1[i];
            }
        }
    }
}
