// max_pool — the largest element of every plane
// maths    y[c][n] = max over the plane x[c][n]; winner[c][n] is the first position of the maximum
// shapes   x: [planes][size]; y, winner: [planes], with planes = C N and size = H W
// grid     x: planes / WG
// reads    x once: bandwidth bound; meant for the few positions that a deep network leaves (6 in EfficientNet-B0)
// backward max_pool_dx.wgsl
// knobs    WG
//!use lib/index.wgsl
//!use lib/finite.wgsl

const WG: u32 = 64u;

struct Params { planes: u32, size: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> winner: array<u32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let plane = flat_group(group, groups) * WG + lane;
    if plane >= p.planes {
        return;
    }
    let base = plane * p.size;
    var value = x[base];
    var at = 0u;
    for (var i = 1u; i < p.size; i += 1u) {
        let next = x[base + i];
        // a NaN wins and stays: it must reach the loss, where it is noticed
        if next > value || is_nan(next) {
            value = next;
            at = i;
        }
    }
    y[plane] = value;
    winner[plane] = at;
}
