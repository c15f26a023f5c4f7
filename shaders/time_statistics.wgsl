// time_statistics — mean and deviation over time, and deviation of the step from frame to frame, of every channel and frequency
// maths    m = (Σ_h x[c][n][h][w]) / H; s = (x[H - 1] - x[0]) / (H - 1), the mean of the steps x[h] - x[h - 1];
//          y[c w][n] = m; y[C W + c w][n] = √((Σ_h (x[h] - m)²) / H); y[2 C W + c w][n] = √((Σ_h (x[h] - x[h - 1] - s)²) / (H - 1)),
//          0 for a single frame
// shapes   x: [C][N][H][W]; y: [3 C W][N]
// grid     x: C N W / WG
// reads    x twice, the second time from the cache: bandwidth bound
// backward none: features of a frozen encoder
// knobs    WG
//!use lib/index.wgsl

const WG: u32 = 64u;

struct Params { channels: u32, samples: u32, height: u32, width: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group, groups) * WG + lane;
    if i >= p.channels * p.samples * p.width {
        return;
    }
    let plane = i / p.width;
    let w = i % p.width;
    let first = plane * p.height * p.width + w;
    var sum = 0.0;
    for (var h = 0u; h < p.height; h++) {
        sum += x[first + h * p.width];
    }
    let mean = sum / f32(p.height);
    let steps = f32(max(p.height, 2u) - 1u);
    let mean_step = (x[first + (p.height - 1u) * p.width] - x[first]) / steps;
    var before = x[first];
    var squares = (before - mean) * (before - mean);
    var step_squares = 0.0;
    for (var h = 1u; h < p.height; h++) {
        let value = x[first + h * p.width];
        let step = value - before - mean_step;
        squares += (value - mean) * (value - mean);
        step_squares += step * step;
        before = value;
    }
    let rows = p.channels * p.width;
    let row = plane / p.samples * p.width + w;
    let sample = plane % p.samples;
    y[row * p.samples + sample] = mean;
    y[(rows + row) * p.samples + sample] = sqrt(squares / f32(p.height));
    y[(2u * rows + row) * p.samples + sample] = sqrt(step_squares / steps);
}
