// kmeans_assign — the nearest centre of every point, and how far it is
// maths    id[n] = argmin_k (|c_k|² - 2 dots[k][n]), the first among equals; distance[n] = max(0, |x_n|² + that minimum)
// shapes   x: [D][N]; dots = c x: [K][N]; norms = |c_k|²: [K]; ids, distances: [N]
// grid     x: N / WG
// reads    dots and x once: bandwidth bound
// backward none
// knobs    WG
//!use lib/index.wgsl

const WG: u32 = 64u;

struct Params { points: u32, features: u32, centres: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dots: array<f32>;
@group(0) @binding(2) var<storage, read> norms: array<f32>;
@group(0) @binding(3) var<storage, read_write> ids: array<u32>;
@group(0) @binding(4) var<storage, read_write> distances: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let n = flat_group(group, groups) * WG + lane;
    if n >= p.points {
        return;
    }
    var nearest = 0u;
    var least = norms[0] - 2.0 * dots[n];
    for (var k = 1u; k < p.centres; k++) {
        let d = norms[k] - 2.0 * dots[k * p.points + n];
        if d < least {
            least = d;
            nearest = k;
        }
    }
    var square = 0.0;
    for (var f = 0u; f < p.features; f++) {
        let v = x[f * p.points + n];
        square += v * v;
    }
    ids[n] = nearest;
    distances[n] = max(0.0, square + least);
}
