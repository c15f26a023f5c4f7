// matmul/lanes — matrix product for adapters that run on the CPU
// maths    y[m,n] (+)= Σ_k a[m,k] x[k,n], or a[k,m] with TRANSPOSE_A
// shapes   a [M,K] or [K,M], row stride lda, first element a0   x [K,N]   y [M,N]; K and N multiples of 4
// grid     x: N / (4 LANES) column blocks   y: M / ROWS row blocks
// reads    x M / ROWS times, a N / (4 LANES) times, y written once: bound by loads, which lavapipe does lane by lane
// backward dx: TRANSPOSE_A, with dy for x; da: matmul/lanes_nt.wgsl
// knobs    ROWS (8, 16, 32)
//
// A software adapter loads each lane by itself, so a load costs several times a multiply-add, and workgroup memory and
// barriers cost more than they save. Eight lanes stand along N, each with four columns; each lane also loads four k of
// one row of `a`, so that together they hold an 8 x 4 block of it, which broadcasts from constant lanes hand round.

const ROWS: u32 = 32u;
const TRANSPOSE_A: bool = false;
const LANES: u32 = 8u;

struct Params { m: u32, k: u32, n4: u32, lda: u32, a0: u32, accumulate: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

// a(row, k..k+4). Rows past the end repeat the last one: their sums are never written.
fn load_a(row: u32, k: u32) -> vec4<f32> {
    let r = min(row, p.m - 1u);
    if TRANSPOSE_A {
        let at = p.a0 + k * p.lda + r;
        return vec4<f32>(a[at], a[at + p.lda], a[at + 2u * p.lda], a[at + 3u * p.lda]);
    }
    let at = p.a0 + r * p.lda + k;
    return vec4<f32>(a[at], a[at + 1u], a[at + 2u], a[at + 3u]);
}

// Four columns of this lane, in ROWS rows.
var<private> sums: array<vec4<f32>, ROWS>;

fn add(row: u32, w: vec4<f32>, v: mat4x4<f32>) {
    sums[row] += w.x * v[0] + w.y * v[1] + w.z * v[2] + w.w * v[3];
}

// Rows row..row+8; v holds four rows of x.
fn add_block(row: u32, block: vec4<f32>, v: mat4x4<f32>) {
    add(row, subgroupBroadcast(block, 0u), v);
    add(row + 1u, subgroupBroadcast(block, 1u), v);
    add(row + 2u, subgroupBroadcast(block, 2u), v);
    add(row + 3u, subgroupBroadcast(block, 3u), v);
    add(row + 4u, subgroupBroadcast(block, 4u), v);
    add(row + 5u, subgroupBroadcast(block, 5u), v);
    add(row + 6u, subgroupBroadcast(block, 6u), v);
    add(row + 7u, subgroupBroadcast(block, 7u), v);
}

fn store(row: u32, first: u32, column: u32) {
    if first + row < p.m {
        let at = (first + row) * p.n4 + column;
        if p.accumulate == 1u {
            y[at] += sums[row];
        } else {
            y[at] = sums[row];
        }
    }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let column = group.x * LANES + lane;
    let first = group.y * ROWS;
    // lanes past the end stay, for the broadcasts, and read the last column
    let safe = min(column, p.n4 - 1u);
    for (var i = 0u; i < ROWS; i++) {
        sums[i] = vec4<f32>();
    }
    for (var k = 0u; k < p.k; k += 4u) {
        let at = k * p.n4 + safe;
        let v = mat4x4<f32>(x[at], x[at + p.n4], x[at + 2u * p.n4], x[at + 3u * p.n4]);
        add_block(0u, load_a(first + lane, k), v);
        if ROWS > 8u {
            add_block(8u, load_a(first + 8u + lane, k), v);
        }
        if ROWS > 16u {
            add_block(16u, load_a(first + 16u + lane, k), v);
            add_block(24u, load_a(first + 24u + lane, k), v);
        }
    }
    if column < p.n4 {
        for (var i = 0u; i < ROWS; i++) {
            store(i, first, column);
        }
    }
}
