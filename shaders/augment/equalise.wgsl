// augment/equalise — another timbre: a random curve over the bands of a log-mel, which is a filter on the sound
// maths    y = x + e(b), e through KNOTS values U(-MOST, MOST) at even distances over the bands, linear in between; the same in all frames
// shapes   x, y: [N, FRAMES, BANDS]
// grid     x: FRAMES BANDS / WG elements, y: N
// reads    x once, writes y once: bandwidth bound
// backward none: it prepares data
// knobs    WG
//!use lib/random.wgsl

const WG: u32 = 64u;
const FRAMES: u32 = 96u;
const BANDS: u32 = 64u;
const KNOTS: u32 = 5u;
// 12 dB, in nats
const MOST: f32 = 1.3815511;

struct Params { key: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group.x * WG + lane;
    let sample = group.y;
    if i >= FRAMES * BANDS {
        return;
    }
    let place = f32(i % BANDS) * (f32(KNOTS - 1u) / f32(max(BANDS, 2u) - 1u));
    let knot = min(u32(place), KNOTS - 2u);
    let share = mix(random(p.key, sample, knot), random(p.key, sample, knot + 1u), place - f32(knot));
    let at = sample * FRAMES * BANDS + i;
    y[at] = x[at] + MOST * (2.0 * share - 1.0);
}
