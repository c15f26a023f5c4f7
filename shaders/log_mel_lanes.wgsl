// log_mel_lanes — log-mel spectrogram of short frames, for adapters that run on the CPU
// maths    as log_mel.wgsl, with frames of 400 samples in a transform of 1024
// shapes   samples [N, 4 samples4]; table [8][48]; bands [BANDS + 2] of (first bin, first of weights) above each edge,
//          where the next edge's first ends an edge's; weights, of two bins (falling, rising) each; y [1][N][frames][BANDS]
// grid     x: N frames / WG
// reads    samples FRAME_LEN / HOP times (cached), the tables once a workgroup, writes y once: bound by workgroup memory
// backward none: it prepares data
// knobs    HOP, BANDS
//
// Each lane transforms a frame of its own, so nothing waits and no choice depends on the lane. With n = 32 i + j and
// bin = k + 32 l: X[k + 32 l] = sum_j e(j l / 32) e(j k / 1024) sum_i x[32 i + j] e(i k / 32), e(t) = exp(-2 pi i t).
// The inner sum is of real values, so k = 0 .. 16 will do: the other bins are mirror images. Each sum of 32 is again
// one of 8 and one of 4. `table` holds, for each of the eight j / 4, what is the same for all frames: 13 vec4s of the
// window, then the pairs (real, imaginary) of e(j k / 1024), k = 1 .. 16, four j in a vec4.
//!use lib/index.wgsl

const FRAME_LEN: u32 = 400u;
const HOP: u32 = 160u;
const BANDS: u32 = 64u;
const WG: u32 = 8u;
// Cosines and sines of 2 pi k / 32.
const C1: f32 = 0.98078528;
const C2: f32 = 0.92387953;
const C3: f32 = 0.83146961;
const C4: f32 = 0.70710678;
const C5: f32 = 0.55557023;
const C6: f32 = 0.38268343;
const C7: f32 = 0.19509032;
const C9: f32 = -C7;
const C12: f32 = -C4;
const S1: f32 = C7;
const S2: f32 = C6;
const S3: f32 = C5;
const S4: f32 = C4;
const S6: f32 = C2;
const S9: f32 = C1;
const S12: f32 = C4;

struct Params { samples4: u32, frames: u32, rows: u32, floor: f32, ceil: f32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> samples: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> table: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> bands: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

// Four complex numbers.
struct Four { re: vec4<f32>, im: vec4<f32> }

fn plus(a: Four, b: Four) -> Four {
    return Four(a.re + b.re, a.im + b.im);
}

fn minus(a: Four, b: Four) -> Four {
    return Four(a.re - b.re, a.im - b.im);
}

fn times(a: Four, b: Four) -> Four {
    return Four(a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re);
}

// a times (c - i s)
fn turned(a: Four, c: f32, s: f32) -> Four {
    return Four(c * a.re + s * a.im, c * a.im - s * a.re);
}

// -i a
fn quarter_turn(a: Four) -> Four {
    return Four(a.im, -a.re);
}

fn conjugate(a: Four) -> Four {
    return Four(a.re, -a.im);
}

// The inner sums of each lane's frame, [k][j / 4]; those of k = 0 and of k = 16 before it is turned are real, and
// share a row. Later the magnitudes of the bins that come from k, in the first half of its row; of k = 16, in the second
// half of row 0.
var<workgroup> memory: array<vec4<f32>, 16u * 16u * WG>;

fn place(k: u32, q: u32, lane: u32) -> u32 {
    return (k * 16u + q) * WG + lane;
}

fn at(k: u32, q: u32, lane: u32) -> Four {
    return Four(memory[place(k, q, lane)], memory[place(k, q + 8u, lane)]);
}

fn put(k: u32, q: u32, lane: u32, z: Four) {
    memory[place(k, q, lane)] = z.re;
    memory[place(k, q + 8u, lane)] = z.im;
}

// Bins 0 .. 4 of the transform of eight real values, of which the last four are 0.
struct Half { k0: vec4<f32>, k1: Four, k2: Four, k3: Four, k4: vec4<f32> }

fn half_transform(a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>) -> Half {
    let difference = C4 * (b - d);
    let sum = C4 * (b + d);
    return Half(
        (a + c) + (b + d),
        Four(a + difference, -c - sum),
        Four(a - c, d - b),
        Four(a - difference, c - sum),
        (a + c) - (b + d),
    );
}

alias Eight = array<Four, 8>;

struct Quartet { k0: Four, k8: Four, k16: Four, k24: Four }

// Bins k, k + 8, k + 16, k + 24 of 32, from the turned bins k of four transforms of eight.
fn quartet(a: Four, b: Four, c: Four, d: Four) -> Quartet {
    let even_sum = plus(a, c);
    let even_difference = minus(a, c);
    let odd_sum = plus(b, d);
    let odd_difference = quarter_turn(minus(b, d));
    return Quartet(plus(even_sum, odd_sum), plus(even_difference, odd_difference), minus(even_sum, odd_sum), minus(even_difference, odd_difference));
}

fn inner_sums(start: u32, q: u32, lane: u32) {
    let at = q * 48u + lane;
    let t0 = table[at];
    let t1 = table[at + 8u];
    let t2 = table[at + 16u];
    let t3 = table[at + 24u];
    let t4 = table[at + 32u];
    let t5 = table[at + 40u];
    let x = start + q;
    var last = vec4<f32>();
    if 384u + 4u * q < FRAME_LEN {
        last = samples[x + 96u] * subgroupBroadcast(t1, 4u);
    }
    let none = vec4<f32>();
    let f0 = half_transform(samples[x] * subgroupBroadcast(t0, 0u), samples[x + 32u] * subgroupBroadcast(t0, 4u), samples[x + 64u] * subgroupBroadcast(t1, 0u), last);
    let f1 = half_transform(samples[x + 8u] * subgroupBroadcast(t0, 1u), samples[x + 40u] * subgroupBroadcast(t0, 5u), samples[x + 72u] * subgroupBroadcast(t1, 1u), none);
    let f2 = half_transform(samples[x + 16u] * subgroupBroadcast(t0, 2u), samples[x + 48u] * subgroupBroadcast(t0, 6u), samples[x + 80u] * subgroupBroadcast(t1, 2u), none);
    let f3 = half_transform(samples[x + 24u] * subgroupBroadcast(t0, 3u), samples[x + 56u] * subgroupBroadcast(t0, 7u), samples[x + 88u] * subgroupBroadcast(t1, 3u), none);

    let k0 = quartet(Four(f0.k0, none), Four(f1.k0, none), Four(f2.k0, none), Four(f3.k0, none));
    let k1 = quartet(f0.k1, turned(f1.k1, C1, S1), turned(f2.k1, C2, S2), turned(f3.k1, C3, S3));
    let k2 = quartet(f0.k2, turned(f1.k2, C2, S2), turned(f2.k2, C4, S4), turned(f3.k2, C6, S6));
    let k3 = quartet(f0.k3, turned(f1.k3, C3, S3), turned(f2.k3, C6, S6), turned(f3.k3, C9, S9));
    let k4 = quartet(Four(f0.k4, none), turned(Four(f1.k4, none), C4, S4), turned(Four(f2.k4, none), 0.0, 1.0), turned(Four(f3.k4, none), C12, S12));

    put(0u, q, lane, Four(k0.k0.re, k0.k16.re));
    put(1u, q, lane, times(k1.k0, Four(subgroupBroadcast(t1, 5u), subgroupBroadcast(t1, 6u))));
    put(2u, q, lane, times(k2.k0, Four(subgroupBroadcast(t1, 7u), subgroupBroadcast(t2, 0u))));
    put(3u, q, lane, times(k3.k0, Four(subgroupBroadcast(t2, 1u), subgroupBroadcast(t2, 2u))));
    put(4u, q, lane, times(k4.k0, Four(subgroupBroadcast(t2, 3u), subgroupBroadcast(t2, 4u))));
    put(5u, q, lane, times(conjugate(k3.k24), Four(subgroupBroadcast(t2, 5u), subgroupBroadcast(t2, 6u))));
    put(6u, q, lane, times(conjugate(k2.k24), Four(subgroupBroadcast(t2, 7u), subgroupBroadcast(t3, 0u))));
    put(7u, q, lane, times(conjugate(k1.k24), Four(subgroupBroadcast(t3, 1u), subgroupBroadcast(t3, 2u))));
    put(8u, q, lane, times(k0.k8, Four(subgroupBroadcast(t3, 3u), subgroupBroadcast(t3, 4u))));
    put(9u, q, lane, times(k1.k8, Four(subgroupBroadcast(t3, 5u), subgroupBroadcast(t3, 6u))));
    put(10u, q, lane, times(k2.k8, Four(subgroupBroadcast(t3, 7u), subgroupBroadcast(t4, 0u))));
    put(11u, q, lane, times(k3.k8, Four(subgroupBroadcast(t4, 1u), subgroupBroadcast(t4, 2u))));
    put(12u, q, lane, times(k4.k8, Four(subgroupBroadcast(t4, 3u), subgroupBroadcast(t4, 4u))));
    put(13u, q, lane, times(conjugate(k3.k16), Four(subgroupBroadcast(t4, 5u), subgroupBroadcast(t4, 6u))));
    put(14u, q, lane, times(conjugate(k2.k16), Four(subgroupBroadcast(t4, 7u), subgroupBroadcast(t5, 0u))));
    put(15u, q, lane, times(conjugate(k1.k16), Four(subgroupBroadcast(t5, 1u), subgroupBroadcast(t5, 2u))));
}

// The four numbers are entries l of the transforms of every fourth j; turned by `w` they give the magnitudes of bins
// k + 32 l + 256 c, c = 0 .. 4. Those above 512 are the mirror images of 1024 less as many.
fn magnitudes(z: Four, w: Four) -> vec4<f32> {
    let t = times(z, w);
    let even_sum = vec2(t.re.x + t.re.z, t.im.x + t.im.z);
    let even_difference = vec2(t.re.x - t.re.z, t.im.x - t.im.z);
    let odd_sum = vec2(t.re.y + t.re.w, t.im.y + t.im.w);
    let odd_difference = vec2(t.im.y - t.im.w, t.re.w - t.re.y);
    return vec4(
        length(even_sum + odd_sum),
        length(even_difference + odd_difference),
        length(even_sum - odd_sum),
        length(even_difference - odd_difference),
    );
}

// The magnitudes of all bins that come from one k, by l, from its inner sums, turned.
fn outer_sums(z: Eight) -> array<vec4<f32>, 8> {
    let even = quartet(z[0], z[2], z[4], z[6]);
    let odd = quartet(z[1], z[3], z[5], z[7]);
    let odd_1 = turned(odd.k8, C4, S4);
    let odd_2 = quarter_turn(odd.k16);
    let odd_3 = turned(odd.k24, C12, S12);
    return array<vec4<f32>, 8>(
        magnitudes(plus(even.k0, odd.k0), Four(vec4(1.0), vec4(0.0))),
        magnitudes(plus(even.k8, odd_1), Four(vec4(1.0, C1, C2, C3), -vec4(0.0, S1, S2, S3))),
        magnitudes(plus(even.k16, odd_2), Four(vec4(1.0, C2, C4, C6), -vec4(0.0, S2, S4, S6))),
        magnitudes(plus(even.k24, odd_3), Four(vec4(1.0, C3, C6, C9), -vec4(0.0, S3, S6, S9))),
        magnitudes(minus(even.k0, odd.k0), Four(vec4(1.0, C4, 0.0, C12), -vec4(0.0, S4, 1.0, S12))),
        magnitudes(minus(even.k8, odd_1), Four(vec4(1.0, C5, -C6, -C1), -vec4(0.0, C3, C2, C7))),
        magnitudes(minus(even.k16, odd_2), Four(vec4(1.0, C6, -C4, -C2), -vec4(0.0, C2, C4, -C6))),
        magnitudes(minus(even.k24, odd_3), Four(vec4(1.0, C7, -C2, -C5), -vec4(0.0, C1, C6, -C3))),
    );
}

fn load(k: u32, lane: u32) -> Eight {
    return Eight(
        at(k, 0u, lane), at(k, 1u, lane), at(k, 2u, lane), at(k, 3u, lane),
        at(k, 4u, lane), at(k, 5u, lane), at(k, 6u, lane), at(k, 7u, lane),
    );
}

// The magnitude of a bin, from where `main` left it.
fn magnitude(bin: u32, lane: u32) -> f32 {
    let k = min(bin % 32u, 32u - bin % 32u);
    // l + 8 c: of the bin, or of the one whose mirror image it is
    let slot = select(bin / 32u, 31u - bin / 32u, bin % 32u > 16u);
    return memory[place(k % 16u, slot % 8u + (k / 16u) * 8u, lane)][slot / 8u];
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = flat_group(group, groups) * WG + lane; // the frame, counted through all signals
    // lanes past the end stay, for the broadcasts, and do the last frame
    let safe = min(row, p.rows - 1u);
    let start = (safe / p.frames) * p.samples4 + (safe % p.frames) * (HOP / 4u);
    for (var q = 0u; q < 8u; q++) {
        inner_sums(start, q, lane);
    }
    for (var k = 1u; k < 16u; k++) {
        let bins = outer_sums(load(k, lane));
        for (var l = 0u; l < 8u; l++) {
            memory[place(k, l, lane)] = bins[l];
        }
    }
    var k0 = load(0u, lane);
    var k16: Eight;
    for (var q = 0u; q < 8u; q++) {
        k16[q] = times(Four(k0[q].im, vec4<f32>()), Four(table[q * 48u + 43u], table[q * 48u + 44u]));
        k0[q].im = vec4<f32>();
    }
    let bins0 = outer_sums(k0);
    let bins16 = outer_sums(k16);
    for (var l = 0u; l < 8u; l++) {
        put(0u, l, lane, Four(bins0[l], bins16[l]));
    }
    // Between two edges the bins rise towards one band and fall away from the one before it. What is the same for all
    // frames each lane loads an eighth of, and a shuffle hands round.
    var rising = 0.0;
    for (var edges = 0u; edges <= BANDS; edges += WG) {
        let here = bands[min(edges + lane, BANDS)];
        let ends = bands[min(edges + lane, BANDS) + 1u].y;
        for (var edge = edges; edge < min(edges + WG, BANDS + 1u); edge++) {
            var bin = subgroupShuffle(here.x, edge - edges);
            let end = subgroupShuffle(ends, edge - edges);
            var sums = vec2(rising, 0.0); // of the band that ends, and of the one that begins
            for (var first = subgroupShuffle(here.y, edge - edges); first < end; first += WG) {
                let eight = weights[min(first + lane, end - 1u)];
                for (var i = first; i < min(first + WG, end); i++) {
                    let w = subgroupShuffle(eight, i - first);
                    sums += w.xy * magnitude(bin, lane) + w.zw * magnitude(bin + 1u, lane);
                    bin += 2u;
                }
            }
            rising = sums.y;
            if edge > 0u && row < p.rows {
                y[row * BANDS + edge - 1u] = log(clamp(sums.x, p.floor, p.ceil));
            }
        }
    }
}
