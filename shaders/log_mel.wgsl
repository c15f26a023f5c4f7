// log_mel — log-mel spectrogram, from samples in one pass
// maths    frame f = samples[f HOP ..][.. FRAME_LEN] times window, zeros up to 2 POINTS; m = |real transform of frame|;
//          y = ln(clamp(sum over bins of weight m, floor, ceil))
// shapes   samples [N, samples]; window [FRAME_LEN]; twiddles [POINTS + 1] pairs; bands [BANDS + 1] of (first bin,
//          first weight), where the next band's first weight ends a band's; weights packed; y [1][N][frames][BANDS]
// grid     x: N frames / ROWS
// reads    samples FRAME_LEN / HOP times (cached), the tables once a workgroup, writes y once: bound by the transform
// backward none: it prepares data
// knobs    ROWS (WG = ROWS POINTS / 8)
//!use lib/index.wgsl
//!use lib/fft.wgsl

const POINTS: u32 = 512u;
const ROWS: u32 = 1u;
const WG: u32 = 64u;
const FRAME_LEN: u32 = 400u;
const HOP: u32 = 160u;
const BANDS: u32 = 64u;

struct Params { samples: u32, frames: u32, rows: u32, floor: f32, ceil: f32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> samples: array<f32>;
@group(0) @binding(1) var<storage, read> window: array<f32>;
@group(0) @binding(2) var<storage, read> twiddles: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read> bands: array<vec2<u32>>;
@group(0) @binding(4) var<storage, read> weights: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

fn windowed(start: u32, i: u32) -> f32 {
    if i >= FRAME_LEN {
        return 0.0;
    }
    return samples[start + i] * window[i];
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let first = lane % LANES;
    let at = (lane / LANES) * POINTS;
    let row = flat_group(group, groups) * ROWS + lane / LANES; // the frame, counted through all signals
    let inside = row < p.rows; // frames past the end take part in the barriers, on zeros

    // ANCHOR: frame
    let start = (row / p.frames) * p.samples + (row % p.frames) * HOP;
    var z: Eight;
    if inside {
        for (var j = 0u; j < 8u && 2u * j * LANES < FRAME_LEN; j++) {
            let k = 2u * (first + j * LANES);
            z[j] = vec2(windowed(start, k), windowed(start, k + 1u));
        }
    }
    fft_forward(lane, z);
    // ANCHOR_END: frame

    // ANCHOR: bands
    // Bins k and POINTS - k come from the same two points, so this lane may put their magnitudes in place of these.
    // Bins 0 and POINTS weigh nothing in any band.
    for (var k = first + 1u; k <= POINTS / 2u; k += LANES) {
        let bins = split_real(points[at + k], points[at + POINTS - k], k);
        points[at + k].x = length(bins.bin);
        points[at + POINTS - k].x = length(bins.mirror_conjugate);
    }
    workgroupBarrier(); // the magnitudes are written

    if inside {
        for (var band = first; band < BANDS; band += LANES) {
            let bin = bands[band].x;
            let offset = bands[band].y;
            let count = bands[band + 1u].y - offset;
            var sum = 0.0;
            for (var i = 0u; i < count; i++) {
                sum += weights[offset + i] * points[at + bin + i].x;
            }
            y[row * BANDS + band] = log(clamp(sum, p.floor, p.ceil));
        }
    }
    // ANCHOR_END: bands
}
