// token_embedding — a column of a table for every token
// maths    y[d][n] = table[d][ids[n]]
// shapes   table: [D][K]; ids: [N], below K; y: [D][N]
// grid     x: N / WG   y: D
// reads    ids D times and a row of the table, from cache; writes y once: bandwidth bound
// backward token_embedding_dw.wgsl
// knobs    WG

const WG: u32 = 64u;

struct Params { tokens: u32, classes: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> table: array<f32>;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let n = group.x * WG + lane;
    if n < p.tokens {
        y[group.y * p.tokens + n] = table[group.y * p.classes + ids[n]];
    }
}
