// max_pool_2x2_dx — gradient of max_pool_2x2.wgsl
// maths    of the four elements of dx under dy[r][j] the winner gets it, the others 0
// shapes   dy, winner: [R][WO]; dx: [2 R][2 WO]
// grid     x: R WO / WG
// reads    dy and winner once, writes dx once: bandwidth bound
// backward none
// knobs    WG
//!use lib/index.wgsl

const WG: u32 = 64u;
const WO: u32 = 2u;

struct Params { n: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> winner: array<u32>;
@group(0) @binding(2) var<storage, read_write> dx: array<vec2<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group, groups) * WG + lane;
    if i >= p.n {
        return;
    }
    let above = i + i / WO * WO;
    let d = select(vec4<f32>(0.0), vec4<f32>(dy[i]), vec4<u32>(0u, 1u, 2u, 3u) == vec4<u32>(winner[i]));
    dx[above] = d.xy;
    dx[above + WO] = d.zw;
}
