// fft — Fourier transforms of rows
// maths    forward X[k] = sum_j x[j] exp(-2 pi i j k / n); inverse with +i and 1 / n
// shapes   complex: x, y [rows, POINTS] pairs. Real (REAL), n = 2 POINTS: values [rows, n] seen as pairs, and entries
//          0 .. n / 2 of the transform, [rows, POINTS + 1] pairs; twiddles [POINTS + 1] pairs
// grid     x: rows / ROWS
// reads    x once (the inverse of real rows twice), writes y once: bandwidth bound
// backward none: it prepares data
// knobs    ROWS (WG = ROWS POINTS / 8)
//!use lib/index.wgsl
//!use lib/fft.wgsl

const POINTS: u32 = 512u;
const ROWS: u32 = 1u;
const WG: u32 = 64u;
const REAL: bool = false;
const INVERSE: bool = false;

struct Params { rows: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<vec2<f32>>;
@group(0) @binding(1) var<storage, read> twiddles: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec2<f32>>;

// A half of a real transform has one entry more than the pairs it came from.
const ROW_IN: u32 = select(POINTS, POINTS + 1u, REAL && INVERSE);
const ROW_OUT: u32 = select(POINTS, POINTS + 1u, REAL && !INVERSE);

// The inverse is the forward transform between two conjugations.
fn load(row: u32, k: u32) -> vec2<f32> {
    let at = row * ROW_IN;
    if !INVERSE {
        return x[at + k];
    }
    var value = x[at + k];
    if REAL {
        var mirror = x[at + POINTS - k];
        if k == 0u {
            // the first and the last entry are real, whatever stands there
            value.y = 0.0;
            mirror.y = 0.0;
        }
        value = join_real(value, mirror, k);
    }
    return vec2(value.x, -value.y);
}

fn result(row_start: u32, k: u32) -> vec2<f32> {
    let value = points[row_start + k % POINTS];
    if INVERSE {
        return vec2(value.x, -value.y) / f32(POINTS);
    }
    if REAL {
        return split_real(value, points[row_start + (POINTS - k) % POINTS], k).bin;
    }
    return value;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let local_row = lane / LANES;
    let row = flat_group(group, groups) * ROWS + local_row;
    let row_start = local_row * POINTS;
    let first = lane % LANES;
    // rows past the end take part in the barriers
    var z: Eight;
    if row < p.rows {
        for (var j = 0u; j < 8u; j++) {
            z[j] = load(row, first + j * LANES);
        }
    }
    fft_forward(lane, z);
    if row < p.rows {
        for (var k = first; k < ROW_OUT; k += LANES) {
            y[row * ROW_OUT + k] = result(row_start, k);
        }
    }
}
