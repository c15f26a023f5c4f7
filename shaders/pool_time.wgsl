// pool_time — mean and maximum over time of every channel and frequency
// maths    y[c w][n] = (Σ_h x[c][n][h][w]) / H; y[C W + c w][n] = max_h x[c][n][h][w]
// shapes   x: [C][N][H][W]; y: [2 C W][N]
// grid     x: C N W / WG
// reads    x once: bandwidth bound
// backward pool_time_dx.wgsl
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
    var sum = x[first];
    var most = sum;
    for (var h = 1u; h < p.height; h++) {
        let value = x[first + h * p.width];
        sum += value;
        most = max(most, value);
    }
    let row = plane / p.samples * p.width + w;
    let sample = plane % p.samples;
    y[row * p.samples + sample] = sum / f32(p.height);
    y[(p.channels * p.width + row) * p.samples + sample] = most;
}
