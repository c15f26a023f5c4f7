// augment/blur — log-mels out of focus: a Gaussian over frames and bands, of a random width
// maths    y[f][b] = sum over i, j in -REACH .. REACH of g[i] g[j] x[f + i][b + j], the edge going on outside;
//          g[i] = exp(-i^2 / 2 s^2) over their sum, s = U(LEAST, MOST) points
// shapes   x, y: [N, FRAMES, BANDS]
// grid     x: FRAMES BANDS / WG elements, y: N
// reads    x (2 REACH + 1)^2 times (cached), writes y once
// backward none: it prepares data
// knobs    WG
//!use lib/random.wgsl

const WG: u32 = 64u;
const FRAMES: u32 = 96u;
const BANDS: u32 = 64u;
const REACH: i32 = 3;
const LEAST: f32 = 0.3;
const MOST: f32 = 1.5;

struct Params { key: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let point = group.x * WG + lane;
    let sample = group.y;
    if point >= FRAMES * BANDS {
        return;
    }
    let s = mix(LEAST, MOST, random(p.key, sample, 0u));
    let frame = i32(point / BANDS);
    let band = i32(point % BANDS);
    var sum = 0.0;
    var weights = 0.0;
    for (var i = -REACH; i <= REACH; i++) {
        let row = (sample * FRAMES + u32(clamp(frame + i, 0, i32(FRAMES) - 1))) * BANDS;
        for (var j = -REACH; j <= REACH; j++) {
            let weight = exp(-f32(i * i + j * j) / (2.0 * s * s));
            sum += weight * x[row + u32(clamp(band + j, 0, i32(BANDS) - 1))];
            weights += weight;
        }
    }
    y[sample * FRAMES * BANDS + point] = sum / weights;
}
