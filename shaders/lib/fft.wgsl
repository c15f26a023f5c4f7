// fft: complex transforms of POINTS points in workgroup memory, ROWS of them side by side
// Stockham's self-sorting stages of radix 8, after one of radix 2 or 4 where POINTS is no power of 8. In place: every
// lane reads eight points into registers, all lanes meet, and only then write, so POINTS = 2048 needs 16 KiB, not 32.
// Expects of the including file: const POINTS (a power of two from 8 on), ROWS, WG = ROWS * POINTS / 8, and a storage
// array twiddles[t] = exp(-pi i t / POINTS), t = 0 .. POINTS. It comes from the host because WGSL allows cos and sin
// an error of 5e-4. Call fft_forward from uniform control flow.

const LANES: u32 = POINTS / 8u; // of a row
const LOG2_POINTS: u32 = countTrailingZeros(POINTS);
const SQRT_HALF: f32 = 0.70710678;

var<workgroup> points: array<vec2<f32>, ROWS * POINTS>;

fn complex_mul(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    return vec2(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x);
}

// -i a
fn quarter_turn(a: vec2<f32>) -> vec2<f32> {
    return vec2(a.y, -a.x);
}

alias Four = array<vec2<f32>, 4>;

// The transform of four points.
fn fft_4(a: vec2<f32>, b: vec2<f32>, c: vec2<f32>, d: vec2<f32>) -> Four {
    let even_sum = a + c;
    let even_difference = a - c;
    let odd_sum = b + d;
    let odd_difference = quarter_turn(b - d);
    return Four(even_sum + odd_sum, even_difference + odd_difference, even_sum - odd_sum, even_difference - odd_difference);
}

// Replaces every row of `points` by its transform, sum over j of points[j] exp(-2 pi i j k / POINTS), unscaled.
// Meets before it reads and after it has written.
fn fft_forward(lane: u32) {
    let row = (lane / LANES) * POINTS;
    let i = lane % LANES;
    let at = row + i;
    var span = 1u; // points that each transform spans so far
    if LOG2_POINTS % 3u == 1u {
        workgroupBarrier(); // the caller's points are written
        let a = points[at];
        let b = points[at + LANES];
        let c = points[at + 2u * LANES];
        let d = points[at + 3u * LANES];
        let e = points[at + 4u * LANES];
        let f = points[at + 5u * LANES];
        let g = points[at + 6u * LANES];
        let h = points[at + 7u * LANES];
        workgroupBarrier(); // everybody has read
        let to = row + 2u * i;
        points[to] = a + e;
        points[to + 1u] = a - e;
        points[to + 2u * LANES] = b + f;
        points[to + 2u * LANES + 1u] = b - f;
        points[to + 4u * LANES] = c + g;
        points[to + 4u * LANES + 1u] = c - g;
        points[to + 6u * LANES] = d + h;
        points[to + 6u * LANES + 1u] = d - h;
        span = 2u;
    }
    if LOG2_POINTS % 3u == 2u {
        workgroupBarrier(); // the caller's points are written
        let even = fft_4(points[at], points[at + 2u * LANES], points[at + 4u * LANES], points[at + 6u * LANES]);
        let odd = fft_4(points[at + LANES], points[at + 3u * LANES], points[at + 5u * LANES], points[at + 7u * LANES]);
        workgroupBarrier(); // everybody has read
        let to = row + 4u * i;
        points[to] = even[0];
        points[to + 1u] = even[1];
        points[to + 2u] = even[2];
        points[to + 3u] = even[3];
        points[to + 4u * LANES] = odd[0];
        points[to + 4u * LANES + 1u] = odd[1];
        points[to + 4u * LANES + 2u] = odd[2];
        points[to + 4u * LANES + 3u] = odd[3];
        span = 4u;
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
        let even = fft_4(
            points[at],
            complex_mul(points[at + 2u * LANES], w2),
            complex_mul(points[at + 4u * LANES], w4),
            complex_mul(points[at + 6u * LANES], complex_mul(w3, w3)),
        );
        let odd = fft_4(
            complex_mul(points[at + LANES], w1),
            complex_mul(points[at + 3u * LANES], w3),
            complex_mul(points[at + 5u * LANES], complex_mul(w1, w4)),
            complex_mul(points[at + 7u * LANES], complex_mul(w3, w4)),
        );
        // the odd ones turn by one, two, three eighths
        let odd_1 = SQRT_HALF * vec2(odd[1].x + odd[1].y, odd[1].y - odd[1].x);
        let odd_2 = quarter_turn(odd[2]);
        let odd_3 = SQRT_HALF * vec2(odd[3].y - odd[3].x, -odd[3].x - odd[3].y);
        workgroupBarrier(); // everybody has read
        let to = row + 8u * i - 7u * turn;
        points[to] = even[0] + odd[0];
        points[to + span] = even[1] + odd_1;
        points[to + 2u * span] = even[2] + odd_2;
        points[to + 3u * span] = even[3] + odd_3;
        points[to + 4u * span] = even[0] - odd[0];
        points[to + 5u * span] = even[1] - odd_1;
        points[to + 6u * span] = even[2] - odd_2;
        points[to + 7u * span] = even[3] - odd_3;
    }
    workgroupBarrier(); // the transforms stand in points
}

// The transform of 2 POINTS real values from that of their POINTS pairs (even + i odd): entry k from those at k and
// POINTS - k. With e and o the transforms of the even and the odd values, X[k] = e[k] + exp(-pi i k / POINTS) o[k].
fn split_real(z: vec2<f32>, mirror: vec2<f32>, k: u32) -> vec2<f32> {
    let conjugate = vec2(mirror.x, -mirror.y);
    let even = 0.5 * (z + conjugate);
    let odd = 0.5 * quarter_turn(z - conjugate);
    return even + complex_mul(twiddles[k], odd);
}

// The way back: the transform of the pairs at k from entries k and POINTS - k of a real transform.
fn join_real(x: vec2<f32>, mirror: vec2<f32>, k: u32) -> vec2<f32> {
    let conjugate = vec2(mirror.x, -mirror.y);
    let even = 0.5 * (x + conjugate);
    let w = twiddles[k];
    let odd = complex_mul(vec2(w.x, -w.y), 0.5 * (x - conjugate));
    return even - quarter_turn(odd);
}
