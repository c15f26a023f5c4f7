// augment/resample — signals at another speed, as of a tape: time and pitch together
// maths    y[t] = sum_k x[k] c g(c (v - k)), v = m + (t - m') s with m and m' the middles and s the signal's step, c = min(1, 1 / s);
//          g a sinc under a Hann window of ZEROS zero crossings to each side, from a table of FINENESS points between two of
//          them, linear in between
// shapes   x: [R, samples], steps: [R] pairs whose sum is s, the first a multiple of 2^-9, table: [ZEROS FINENESS + 2], y: [R, samples_out]
// grid     x: samples_out / WG, y: R
// reads    x 2 ZEROS / c times (cached), writes y once: bound by the table
// backward none: it prepares data
// knobs    WG
// source   band-limited interpolation (Smith and Gossett 1984)

const WG: u32 = 64u;
const ZEROS: u32 = 8u;
const FINENESS: u32 = 512u;

struct Params { samples: u32, samples_out: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> steps: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read> table: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let t = group.x * WG + lane;
    let row = group.y;
    if t >= p.samples_out {
        return;
    }
    let step = steps[row];
    let cut = min(1.0, 1.0 / (step.x + step.y));
    let reach = f32(ZEROS) / cut;
    // The product with the coarse part is exact; in one number with it, the fine part would lose its last digits.
    let away = f32(t) - 0.5 * f32(p.samples_out - 1u);
    let coarse = away * step.x + 0.5 * f32(p.samples - 1u);
    let fine = coarse - floor(coarse) + away * step.y;
    let near = floor(coarse) + floor(fine);
    let fraction = fine - floor(fine);
    let first = max(i32(ceil(fraction - reach)), -i32(near));
    let last = min(i32(floor(fraction + reach)), i32(p.samples) - 1 - i32(near));
    var sum = 0.0;
    for (var k = first; k <= last; k++) {
        let place = min(abs(fraction - f32(k)) * cut, f32(ZEROS)) * f32(FINENESS);
        let i = u32(place);
        let weight = mix(table[i], table[i + 1u], place - f32(i));
        sum += weight * x[row * p.samples + u32(i32(near) + k)];
    }
    y[row * p.samples_out + t] = cut * sum;
}
