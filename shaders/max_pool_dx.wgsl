// max_pool_dx — gradient of max_pool.wgsl
// maths    dx[c][n][i] = dy[c][n] where i is the winner, else 0
// shapes   dy, winner: [planes]; dx: [planes][size]
// grid     x: planes / WG
// reads    dy and winner once, writes dx once: bandwidth bound
// backward none
// knobs    WG
//!use lib/index.wgsl

const WG: u32 = 64u;

struct Params { planes: u32, size: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> winner: array<u32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let plane = flat_group(group, groups) * WG + lane;
    if plane >= p.planes {
        return;
    }
    for (var i = 0u; i < p.size; i++) {
        dx[plane * p.size + i] = select(0.0, dy[plane], i == winner[plane]);
    }
}
