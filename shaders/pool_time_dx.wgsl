// pool_time_dx — gradient of pool_time.wgsl
// maths    dx[c][n][h][w] = dy[c w][n] / H + (dy[C W + c w][n] where h is the first of the largest, else 0)
// shapes   x, dx: [C][N][H][W]; dy: [2 C W][N]
// grid     x: C N W / WG
// reads    x once, dy once, writes dx once: bandwidth bound
// backward none
// knobs    WG
//!use lib/index.wgsl

const WG: u32 = 64u;

struct Params { channels: u32, samples: u32, height: u32, width: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group, groups) * WG + lane;
    if i >= p.channels * p.samples * p.width {
        return;
    }
    let plane = i / p.width;
    let w = i % p.width;
    let first = plane * p.height * p.width + w;
    var most = x[first];
    var winner = 0u;
    for (var h = 1u; h < p.height; h++) {
        let value = x[first + h * p.width];
        if value > most {
            most = value;
            winner = h;
        }
    }
    let at = (plane / p.samples * p.width + w) * p.samples + plane % p.samples;
    let of_mean = dy[at] / f32(p.height);
    let of_most = dy[p.channels * p.width * p.samples + at];
    for (var h = 0u; h < p.height; h++) {
        dx[first + h * p.width] = of_mean + select(0.0, of_most, h == winner);
    }
}
