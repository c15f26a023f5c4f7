// matmul/tile — matrix product of any shape, in workgroup memory
// maths    y[m,n] (+)= Σ_k a(m,k) x(k,n); TRANSPOSE_A: a is stored [K][M], TRANSPOSE_X: x is stored [N][K]
// shapes   a [M,K] or [K,M], first element a0   x [K,N] or [N,K]   y [S,M,N] for S chunks of K
// grid     x: N / COLUMNS   y: M / ROWS   z: S
// reads    a N / COLUMNS times, x M / ROWS times: compute bound for large tiles
// backward the same kernel with the other transposes
// knobs    ROWS, COLUMNS (multiples of 4), EACH (4 or 8), STEP; each invocation has EACH x 4 results. None changes the
//          order of a sum, which is that of k
//
// Per step the workgroup copies a ROWS x STEP block of a and a STEP x COLUMNS block of x, so that each element comes
// from memory once a tile, not once a result. Rows are padded by one element against bank conflicts.

const TRANSPOSE_A: bool = false;
const TRANSPOSE_X: bool = false;
const ROWS: u32 = 64u;
const COLUMNS: u32 = 64u;
const EACH: u32 = 4u;
const STEP: u32 = 16u;
const SIDE: u32 = COLUMNS / 4u;
const WG: u32 = SIDE * (ROWS / EACH);
const PITCH_A: u32 = ROWS + 1u;
const PITCH_X: u32 = COLUMNS + 1u;

struct Params { m: u32, k: u32, n: u32, lda: u32, a0: u32, ldx: u32, chunk: u32, accumulate: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<Word>;
//!use lib/words.wgsl

var<workgroup> tile_a: array<f32, STEP * PITCH_A>;
var<workgroup> tile_x: array<f32, STEP * PITCH_X>;

fn load_a(m: u32, k: u32, end: u32) -> f32 {
    if m >= p.m || k >= end {
        return 0.0;
    }
    return a[p.a0 + select(m * p.lda + k, k * p.lda + m, TRANSPOSE_A)];
}

fn load_x(k: u32, n: u32, end: u32) -> f32 {
    if n >= p.n || k >= end {
        return 0.0;
    }
    return x[select(k * p.ldx + n, n * p.ldx + k, TRANSPOSE_X)];
}

fn four(at: u32) -> vec4<f32> {
    return vec4<f32>(tile_x[at], tile_x[at + 1u], tile_x[at + 2u], tile_x[at + 3u]);
}

fn store(m: u32, n: u32, z: u32, sums: vec4<f32>) {
    if m >= p.m {
        return;
    }
    for (var i = 0u; i < 4u; i += PER_WORD) {
        if n + i < p.n {
            let at = (z * p.m + m) * p.n + n + i;
            var first = sums[i];
            var second = sums[i + PER_WORD - 1u];
            if p.accumulate == 1u {
                first += element(y[at / PER_WORD], at);
                second += element(y[at / PER_WORD], at + PER_WORD - 1u);
            }
            y[at / PER_WORD] = word_of(first, second);
        }
    }
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let m0 = group.y * ROWS;
    let n0 = group.x * COLUMNS;
    let row = (lane / SIDE) * EACH;
    let column = (lane % SIDE) * 4u;
    let start = group.z * p.chunk;
    let end = min(start + p.chunk, p.k);
    var s0 = vec4<f32>();
    var s1 = vec4<f32>();
    var s2 = vec4<f32>();
    var s3 = vec4<f32>();
    var s4 = vec4<f32>();
    var s5 = vec4<f32>();
    var s6 = vec4<f32>();
    var s7 = vec4<f32>();
    for (var k0 = start; k0 < end; k0 += STEP) {
        // neighbouring lanes read neighbouring addresses, whichever way the operand is stored
        for (var i = lane; i < ROWS * STEP; i += WG) {
            let m = select(i / STEP, i % ROWS, TRANSPOSE_A);
            let k = select(i % STEP, i / ROWS, TRANSPOSE_A);
            tile_a[k * PITCH_A + m] = load_a(m0 + m, k0 + k, end);
        }
        for (var i = lane; i < COLUMNS * STEP; i += WG) {
            let n = select(i % COLUMNS, i / STEP, TRANSPOSE_X);
            let k = select(i / COLUMNS, i % STEP, TRANSPOSE_X);
            tile_x[k * PITCH_X + n] = load_x(k0 + k, n0 + n, end);
        }
        workgroupBarrier(); // both blocks are complete
        for (var k = 0u; k < STEP; k++) {
            let v = four(k * PITCH_X + column);
            let at = k * PITCH_A + row;
            s0 += tile_a[at] * v;
            s1 += tile_a[at + 1u] * v;
            s2 += tile_a[at + 2u] * v;
            s3 += tile_a[at + 3u] * v;
            if EACH > 4u {
                s4 += tile_a[at + 4u] * v;
                s5 += tile_a[at + 5u] * v;
                s6 += tile_a[at + 6u] * v;
                s7 += tile_a[at + 7u] * v;
            }
        }
        workgroupBarrier(); // nobody reads the blocks any more
    }
    store(m0 + row, n0 + column, group.z, s0);
    store(m0 + row + 1u, n0 + column, group.z, s1);
    store(m0 + row + 2u, n0 + column, group.z, s2);
    store(m0 + row + 3u, n0 + column, group.z, s3);
    if EACH > 4u {
        store(m0 + row + 4u, n0 + column, group.z, s4);
        store(m0 + row + 5u, n0 + column, group.z, s5);
        store(m0 + row + 6u, n0 + column, group.z, s6);
        store(m0 + row + 7u, n0 + column, group.z, s7);
    }
}
