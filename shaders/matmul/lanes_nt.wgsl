// matmul/lanes_nt — product with a transposed matrix over a long axis, for adapters that run on the CPU
// maths    part[s][m,j] = Σ_{n in chunk s} a[m,n] b[j,n]
// shapes   a [M,N]   b [J,N]   part [S,M,J]; N a multiple of 4
// grid     x: J / (8 BLOCKS) column blocks   y: M / ROWS row blocks   z: S chunks of N
// reads    a J / (8 BLOCKS) times, b M / ROWS times: loads, which lavapipe does lane by lane, and multiply-adds share
//          the time
// backward none: it is the weight gradient of matmul/lanes.wgsl
// knobs    ROWS (16, 24, 40), BLOCKS (2, 3, 5)
//
// Lane l owns the columns j = 8 b + l and loads four n of each of those rows of b; of `a` the eight lanes load one row
// each and hand them round by broadcast. The sums of the chunks are added by matmul/sum_parts.wgsl, in order.

const ROWS: u32 = 40u;
const BLOCKS: u32 = 5u;
const LANES: u32 = 8u;

struct Params { m: u32, j: u32, n4: u32, chunk4: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> part: array<f32>;

// One column of each block, in ROWS rows; they start as 0.
var<private> sums: array<array<f32, BLOCKS>, ROWS>;

fn add(row: u32, w: vec4<f32>, v: array<vec4<f32>, BLOCKS>) {
    for (var i = 0u; i < BLOCKS; i++) {
        sums[row][i] += w.x * v[i].x + w.y * v[i].y + w.z * v[i].z + w.w * v[i].w;
    }
}

// Rows row..row+8 of the results; the lanes hold one row of a each.
fn add_block(row: u32, block: vec4<f32>, v: array<vec4<f32>, BLOCKS>) {
    add(row, subgroupBroadcast(block, 0u), v);
    add(row + 1u, subgroupBroadcast(block, 1u), v);
    add(row + 2u, subgroupBroadcast(block, 2u), v);
    add(row + 3u, subgroupBroadcast(block, 3u), v);
    add(row + 4u, subgroupBroadcast(block, 4u), v);
    add(row + 5u, subgroupBroadcast(block, 5u), v);
    add(row + 6u, subgroupBroadcast(block, 6u), v);
    add(row + 7u, subgroupBroadcast(block, 7u), v);
}

// Rows past the end repeat the last one: their sums are never written.
fn row_of_a(row: u32, n: u32) -> vec4<f32> {
    return a[min(row, p.m - 1u) * p.n4 + n];
}

fn row_of_b(row: u32, n: u32) -> vec4<f32> {
    return b[min(row, p.j - 1u) * p.n4 + n];
}

// Rows block..block+8 of the workgroup's.
fn store_block(block: u32, group: vec3<u32>, j: u32) {
    for (var i = block; i < block + 8u; i++) {
        let m = group.y * ROWS + i;
        let at = (group.z * p.m + m) * p.j + j;
        for (var k = 0u; k < BLOCKS; k++) {
            if m < p.m && j + k * LANES < p.j {
                part[at + k * LANES] = sums[i][k];
            }
        }
    }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let j = group.x * LANES * BLOCKS + lane;
    let row = group.y * ROWS + lane;
    let start = group.z * p.chunk4;
    let end = min(start + p.chunk4, p.n4);
    for (var n = start; n < end; n++) {
        var v: array<vec4<f32>, BLOCKS>;
        for (var i = 0u; i < BLOCKS; i++) {
            v[i] = row_of_b(j + i * LANES, n);
        }
        // written out: the driver would not unroll a loop this large, and only constant indices stay in registers
        add_block(0u, row_of_a(row, n), v);
        add_block(8u, row_of_a(row + 8u, n), v);
        if ROWS > 16u {
            add_block(16u, row_of_a(row + 16u, n), v);
        }
        if ROWS > 24u {
            add_block(24u, row_of_a(row + 24u, n), v);
            add_block(32u, row_of_a(row + 32u, n), v);
        }
    }
    store_block(0u, group, j);
    store_block(8u, group, j);
    if ROWS > 16u {
        store_block(16u, group, j);
    }
    if ROWS > 24u {
        store_block(24u, group, j);
        store_block(32u, group, j);
    }
}
