// token_embedding_dw — gradient of the table, added to what stands there, every sum in the order of the tokens
// maths    dtable[d][k] += Σ_{n: ids[n] = k} dy[d][n]
// shapes   dy: [D][N]; order: [N], the tokens sorted by id; starts: [K + 1], where those of an id begin in it;
//          dtable: [D][K]
// grid     x: K / WG   y: D
// reads    dy once, scattered; order once a row, from cache
// backward none
// knobs    WG

const WG: u32 = 64u;

struct Params { tokens: u32, classes: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> order: array<u32>;
@group(0) @binding(2) var<storage, read> starts: array<u32>;
@group(0) @binding(3) var<storage, read_write> dtable: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let k = group.x * WG + lane;
    if k >= p.classes {
        return;
    }
    var sum = 0.0;
    for (var i = starts[k]; i < starts[k + 1u]; i++) {
        sum += dy[group.y * p.tokens + order[i]];
    }
    dtable[group.y * p.classes + k] += sum;
}
