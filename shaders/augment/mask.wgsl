// augment/mask — stripes of a log-mel set to 0, its mean: some frames and some bands that the encoder has to do without
// maths    MASKS stripes of 0 .. WIDEST frames and as many of 0 .. WIDEST bands, anywhere; samples before `first` stay as they are
// shapes   x, y: [N, FRAMES, BANDS]
// grid     x: FRAMES BANDS / WG elements, y: N
// reads    x once, writes y once: bandwidth bound
// backward none: it prepares data
// knobs    WG
// source   SpecAugment (Park et al. 2019) without time warping
//!use lib/random.wgsl

const WG: u32 = 64u;
const FRAMES: u32 = 96u;
const BANDS: u32 = 64u;
const MASKS: u32 = 2u;
const WIDEST: u32 = 10u;

struct Params { key: u32, first: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

// Whether stripe `stripe` of a sample covers point `at` of `points`.
fn covers(sample: u32, stripe: u32, points: u32, at: u32) -> bool {
    let width = min(random_below(p.key, sample, 2u * stripe, WIDEST + 1u), points);
    let start = random_below(p.key, sample, 2u * stripe + 1u, points - width + 1u);
    return at >= start && at < start + width;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group.x * WG + lane;
    let sample = group.y;
    if i >= FRAMES * BANDS {
        return;
    }
    var covered = false;
    if sample >= p.first {
        for (var k = 0u; k < MASKS; k++) {
            covered = covered || covers(sample, k, FRAMES, i / BANDS) || covers(sample, MASKS + k, BANDS, i % BANDS);
        }
    }
    let at = sample * FRAMES * BANDS + i;
    y[at] = select(x[at], 0.0, covered);
}
