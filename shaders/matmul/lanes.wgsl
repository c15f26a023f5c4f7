// matmul/lanes — matrix product for adapters that run on the CPU
// maths    y[m,n] (+)= Σ_k a[m,k] x[k,n], or a[k,m] with TRANSPOSE_A
// shapes   a [M,K] or [K,M], row stride 4 lda4, first element 4 a04   x [K,N]   y [M,N]; K, N and with TRANSPOSE_A M
//          multiples of 4
// grid     x: N / (8 LANES) column blocks   y: M / ROWS row blocks
// reads    x M / ROWS times, a N / (8 LANES) times, y written once: loads, which lavapipe does lane by lane, and
//          multiply-adds share the time
// backward dx: TRANSPOSE_A, with dy for x; da: matmul/lanes_nt.wgsl
// knobs    ROWS (16, 24, 40)
//
// A software adapter loads each lane by itself, so a load of four floats costs as much as dozens of multiply-adds, and
// workgroup memory and barriers cost more than they save. Eight lanes stand along N, each with eight columns.
// Each lane also loads four elements of `a`, so that together they hold an 8 x 4 block of it, which broadcasts from
// constant lanes hand round. With more than 40 rows the loop outgrows the instruction cache.
//!use lib/stored.wgsl
//!use lib/out.wgsl
//!use lib/wide.wgsl

alias Elem = vec4<f32>;
const ROWS: u32 = 40u;
const TRANSPOSE_A: bool = false;
const ACCUMULATE: bool = false;
const LANES: u32 = 8u;

struct Params { m: u32, k: u32, n4: u32, lda4: u32, a04: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> x: array<Wide>;
@group(0) @binding(2) var<storage, read_write> y: array<Out>;

// This lane's share of the block of eight rows and k..k+4: of row `lane` all four k, or, as rows are contiguous with
// TRANSPOSE_A, of k + lane / 2 rows 0..4 (even lanes) or 4..8. Rows past the end repeat the last: never written.
fn load_a(row: u32, k: u32, lane: u32) -> vec4<f32> {
    if TRANSPOSE_A {
        return a[p.a04 + (k + lane / 2u) * p.lda4 + min(row / 4u + lane % 2u, p.m / 4u - 1u)];
    }
    return a[p.a04 + min(row + lane, p.m - 1u) * p.lda4 + k / 4u];
}

// The first four columns of this lane, and the others, in ROWS rows; they start as 0.
var<private> sums0: array<vec4<f32>, ROWS>;
var<private> sums1: array<vec4<f32>, ROWS>;

fn add(row: u32, w: vec4<f32>, v0: mat4x4<f32>, v1: mat4x4<f32>) {
    sums0[row] += w.x * v0[0] + w.y * v0[1] + w.z * v0[2] + w.w * v0[3];
    sums1[row] += w.x * v1[0] + w.y * v1[1] + w.z * v1[2] + w.w * v1[3];
}

fn add4(row: u32, w: mat4x4<f32>, v0: mat4x4<f32>, v1: mat4x4<f32>) {
    add(row, w[0], v0, v1);
    add(row + 1u, w[1], v0, v1);
    add(row + 2u, w[2], v0, v1);
    add(row + 3u, w[3], v0, v1);
}

// Four vectors of the block, handed round.
fn even_lanes(block: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(subgroupBroadcast(block, 0u), subgroupBroadcast(block, 2u), subgroupBroadcast(block, 4u), subgroupBroadcast(block, 6u));
}

fn odd_lanes(block: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(subgroupBroadcast(block, 1u), subgroupBroadcast(block, 3u), subgroupBroadcast(block, 5u), subgroupBroadcast(block, 7u));
}

fn low_lanes(block: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(subgroupBroadcast(block, 0u), subgroupBroadcast(block, 1u), subgroupBroadcast(block, 2u), subgroupBroadcast(block, 3u));
}

fn high_lanes(block: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(subgroupBroadcast(block, 4u), subgroupBroadcast(block, 5u), subgroupBroadcast(block, 6u), subgroupBroadcast(block, 7u));
}

// Rows row..row+8 of the results; v holds four rows of x.
fn add_block(row: u32, block: vec4<f32>, v0: mat4x4<f32>, v1: mat4x4<f32>) {
    if TRANSPOSE_A {
        add4(row, transpose(even_lanes(block)), v0, v1);
        add4(row + 4u, transpose(odd_lanes(block)), v0, v1);
    } else {
        add4(row, low_lanes(block), v0, v1);
        add4(row + 4u, high_lanes(block), v0, v1);
    }
}

fn store(row: u32, column: u32, sum: vec4<f32>) {
    if row < p.m && column < p.n4 {
        let at = row * p.n4 + column;
        if ACCUMULATE {
            y[at] = out(widen(y[at]) + sum);
        } else {
            y[at] = out(sum);
        }
    }
}

// Rows block..block+8 of the workgroup's.
fn store_block(block: u32, first: u32, column: u32) {
    for (var i = block; i < block + 8u; i++) {
        store(first + i, column, sums0[i]);
        store(first + i, column + 1u, sums1[i]);
    }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let column = 2u * (group.x * LANES + lane);
    let first = group.y * ROWS;
    // lanes past the end stay, for the broadcasts, and read the last columns
    let safe = min(column, (p.n4 - 1u) / 2u * 2u);
    let next = min(p.n4 - 1u - safe, 1u);
    for (var k = 0u; k < p.k; k += 4u) {
        let x0 = wide(k * p.n4 + safe, next);
        let x1 = wide((k + 1u) * p.n4 + safe, next);
        let x2 = wide((k + 2u) * p.n4 + safe, next);
        let x3 = wide((k + 3u) * p.n4 + safe, next);
        let v0 = mat4x4<f32>(x0[0], x1[0], x2[0], x3[0]);
        let v1 = mat4x4<f32>(x0[1], x1[1], x2[1], x3[1]);
        // written out: the driver would not unroll a loop this large, and only constant indices stay in registers
        add_block(0u, load_a(first, k, lane), v0, v1);
        add_block(8u, load_a(first + 8u, k, lane), v0, v1);
        if ROWS > 16u {
            add_block(16u, load_a(first + 16u, k, lane), v0, v1);
        }
        if ROWS > 24u {
            add_block(24u, load_a(first + 24u, k, lane), v0, v1);
            add_block(32u, load_a(first + 32u, k, lane), v0, v1);
        }
    }
    store_block(0u, first, column);
    store_block(8u, first, column);
    if ROWS > 16u {
        store_block(16u, first, column);
    }
    if ROWS > 24u {
        store_block(24u, first, column);
        store_block(32u, first, column);
    }
}
