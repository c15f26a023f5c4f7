// augment/patches — rectangles of a log-mel set to 0, its mean: parts of a sound that the encoder has to do without
// maths    PATCHES rectangles of 1 .. TALLEST frames by 1 .. WIDEST bands, anywhere
// shapes   x, y: [N, FRAMES, BANDS]
// grid     x: FRAMES BANDS / WG elements, y: N
// reads    x once, writes y once: bandwidth bound
// backward none: it prepares data
// knobs    WG
// source   cutout (DeVries and Taylor 2017), random erasing (Zhong et al. 2017)
//!use lib/random.wgsl

const WG: u32 = 64u;
const FRAMES: u32 = 96u;
const BANDS: u32 = 64u;
const PATCHES: u32 = 3u;
const TALLEST: u32 = 32u;
const WIDEST: u32 = 24u;

struct Params { key: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

// Whether the patch's side that is drawn from these two counters covers point `at` of `points`.
fn covers(sample: u32, counter: u32, points: u32, most: u32, at: u32) -> bool {
    let size = min(1u + random_below(p.key, sample, counter, most), points);
    let start = random_below(p.key, sample, counter + 1u, points - size + 1u);
    return at >= start && at < start + size;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group.x * WG + lane;
    let sample = group.y;
    if i >= FRAMES * BANDS {
        return;
    }
    var covered = false;
    for (var k = 0u; k < PATCHES; k++) {
        let in_time = covers(sample, 4u * k, FRAMES, TALLEST, i / BANDS);
        covered |= in_time && covers(sample, 4u * k + 2u, BANDS, WIDEST, i % BANDS);
    }
    let at = sample * FRAMES * BANDS + i;
    y[at] = select(x[at], 0.0, covered);
}
