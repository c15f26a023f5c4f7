// pool_dx — gradient of global pooling
// maths    dx[c][n][i] = dy[c][n] where i is the winner, else 0 (MAX); dy[c][n] / size everywhere (mean)
// shapes   dy, winner: [planes]; dx: [planes][size]
// grid     x: planes size / WG elements
// reads    dy and winner from cache, writes dx once: bandwidth bound
// backward none
// knobs    WG
//!use lib/index.wgsl

const MAX: bool = true;
const WG: u32 = 64u;

struct Params { planes: u32, size: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> winner: array<u32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group, groups) * WG + lane;
    if i >= p.planes * p.size {
        return;
    }
    let plane = i / p.size;
    if MAX {
        dx[i] = select(0.0, dy[plane], i - plane * p.size == winner[plane]);
    } else {
        dx[i] = dy[plane] / f32(p.size);
    }
}
