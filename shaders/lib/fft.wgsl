// fft: complex transforms of POINTS points in workgroup memory, ROWS of them side by side
// Stockham's self-sorting stages: the first of radix 2, 4 or 8, the others of radix 8. Each lane holds eight points. In
// place: all lanes read, meet, and only then write, so POINTS = 2048 needs 16 KiB of workgroup memory, not 32.
// Expects of the including file: const POINTS (a power of two from 16 on), ROWS, WG = ROWS * POINTS / 8, and a storage
// array twiddles[t] = exp(-pi i t / POINTS), t = 0 .. POINTS. It comes from the host because WGSL allows cos and sin
// an error of 5e-4. Call fft_forward from uniform control flow.

const LANES: u32 = POINTS / 8u; // of a row
const LOG2_POINTS: u32 = countTrailingZeros(POINTS);
const SQRT_HALF: f32 = 0.70710678;

alias Four = array<vec2<f32>, 4>;
alias Eight = array<vec2<f32>, 8>;

var<workgroup> points: array<vec2<f32>, ROWS * POINTS>;

fn complex_mul(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    return vec2(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x);
}

// -i a
fn quarter_turn(a: vec2<f32>) -> vec2<f32> {
    return vec2(a.y, -a.x);
}

// The transform of four points.
fn fft_4(a: vec2<f32>, b: vec2<f32>, c: vec2<f32>, d: vec2<f32>) -> Four {
    let even_sum = a + c;
    let even_difference = a - c;
    let odd_sum = b + d;
    let odd_difference = quarter_turn(b - d);
    return Four(even_sum + odd_sum, even_difference + odd_difference, even_sum - odd_sum, even_difference - odd_difference);
}

// The transform of eight points, from those of the even and of the odd ones.
fn fft_8(z: Eight) -> Eight {
    let even = fft_4(z[0], z[2], z[4], z[6]);
    let odd = fft_4(z[1], z[3], z[5], z[7]);
    // the odd ones turn by one, two, three eighths
    let odd_1 = SQRT_HALF * vec2(odd[1].x + odd[1].y, odd[1].y - odd[1].x);
    let odd_2 = quarter_turn(odd[2]);
    let odd_3 = SQRT_HALF * vec2(odd[3].y - odd[3].x, -odd[3].x - odd[3].y);
    return Eight(
        even[0] + odd[0], even[1] + odd_1, even[2] + odd_2, even[3] + odd_3,
        even[0] - odd[0], even[1] - odd_1, even[2] - odd_2, even[3] - odd_3,
    );
}

fn write_eight(to: u32, stride: u32, z: Eight) {
    points[to] = z[0];
    points[to + stride] = z[1];
    points[to + 2u * stride] = z[2];
    points[to + 3u * stride] = z[3];
    points[to + 4u * stride] = z[4];
    points[to + 5u * stride] = z[5];
    points[to + 6u * stride] = z[6];
    points[to + 7u * stride] = z[7];
}

// Leaves in `points` the transform of every row: the sum over j of z[j] exp(-2 pi i j k / POINTS), unscaled. Lane i of
// a row brings its points i, i + LANES, .. i + 7 LANES.
fn fft_forward(lane: u32, z: Eight) {
    let row = (lane / LANES) * POINTS;
    let i = lane % LANES;
    var span = 8u; // points that each transform spans so far
    if LOG2_POINTS % 3u == 0u {
        write_eight(row + 8u * i, 1u, fft_8(z));
    }
    if LOG2_POINTS % 3u == 1u {
        // four of radix 2
        span = 2u;
        for (var k = 0u; k < 4u; k++) {
            let to = row + 2u * (i + k * LANES);
            points[to] = z[k] + z[k + 4u];
            points[to + 1u] = z[k] - z[k + 4u];
        }
    }
    if LOG2_POINTS % 3u == 2u {
        // two of radix 4
        span = 4u;
        for (var k = 0u; k < 2u; k++) {
            let out = fft_4(z[k], z[k + 2u], z[k + 4u], z[k + 6u]);
            let to = row + 4u * (i + k * LANES);
            points[to] = out[0];
            points[to + 1u] = out[1];
            points[to + 2u] = out[2];
            points[to + 3u] = out[3];
        }
    }
    for (; span < POINTS; span *= 8u) {
        // point j turns by exp(-2 pi i j turn / (8 span)); products of more than two would lose a digit
        let turn = i & (span - 1u);
        let step = turn * (POINTS / 4u / span);
        let w1 = twiddles[step];
        let w2 = twiddles[2u * step];
        let w3 = twiddles[3u * step];
        let w4 = twiddles[4u * step];
        workgroupBarrier(); // the previous stage is written
        let at = row + i;
        let out = fft_8(Eight(
            points[at],
            complex_mul(points[at + LANES], w1),
            complex_mul(points[at + 2u * LANES], w2),
            complex_mul(points[at + 3u * LANES], w3),
            complex_mul(points[at + 4u * LANES], w4),
            complex_mul(points[at + 5u * LANES], complex_mul(w1, w4)),
            complex_mul(points[at + 6u * LANES], complex_mul(w3, w3)),
            complex_mul(points[at + 7u * LANES], complex_mul(w3, w4)),
        ));
        workgroupBarrier(); // everybody has read
        write_eight(row + 8u * i - 7u * turn, span, out);
    }
    workgroupBarrier(); // the transforms stand in points
}

// Bin k < POINTS of the transform of 2 POINTS real values, and the conjugate of bin POINTS - k: from entries k and
// POINTS - k of the transform of their POINTS pairs (even + i odd). With e and o the transforms of the even and the odd
// values, X[k] = e[k] + exp(-pi i k / POINTS) o[k], and X[POINTS - k] is the conjugate of the difference.
struct Bins { bin: vec2<f32>, mirror_conjugate: vec2<f32> }

fn split_real(z: vec2<f32>, mirror: vec2<f32>, k: u32) -> Bins {
    let conjugate = vec2(mirror.x, -mirror.y);
    let even = 0.5 * (z + conjugate);
    let odd = complex_mul(twiddles[k], 0.5 * quarter_turn(z - conjugate));
    return Bins(even + odd, even - odd);
}

// The way back: the transform of the pairs at k from bins k and POINTS - k.
fn join_real(x: vec2<f32>, mirror: vec2<f32>, k: u32) -> vec2<f32> {
    let conjugate = vec2(mirror.x, -mirror.y);
    let even = 0.5 * (x + conjugate);
    let w = twiddles[k];
    let odd = complex_mul(vec2(w.x, -w.y), 0.5 * (x - conjugate));
    return even - quarter_turn(odd);
}
