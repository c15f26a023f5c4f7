// patches — a log-mel cut into small rectangles, a column each
// maths    y[i PB + j][n T + t] = x[n][(t / columns) PF + i][(t % columns) PB + j], columns = bands / PB, T = frames / PF · columns:
//          patches of a segment follow each other in time, those of a time from low to high bands
// shapes   x: [N, frames, bands]; y: [PF PB][N T]
// grid     x: N T / WG   y: PF PB
// reads    x once, in strides; writes y once: bandwidth bound
// backward none: it prepares data
// knobs    WG

const WG: u32 = 64u;

struct Params { patches: u32, patches_a_segment: u32, frames: u32, bands: u32, patch_frames: u32, patch_bands: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let place = group.x * WG + lane;
    if place >= p.patches {
        return;
    }
    let n = place / p.patches_a_segment;
    let t = place % p.patches_a_segment;
    let columns = p.bands / p.patch_bands;
    let frame = t / columns * p.patch_frames + group.y / p.patch_bands;
    let band = t % columns * p.patch_bands + group.y % p.patch_bands;
    y[group.y * p.patches + place] = x[(n * p.frames + frame) * p.bands + band];
}
