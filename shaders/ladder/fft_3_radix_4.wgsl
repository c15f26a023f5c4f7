// ladder/fft_3_radix_4 — the fast Fourier transform, by fours, in workgroup memory
// maths    log4 N stages: four numbers a distance apart, turned, are added with the signs and quarter turns of a transform of
//          four points; in the order of Stockham, as fft_2_radix_2.wgsl
// shapes   x, y: [rows][N][2]; N a power of 4
// grid     x: rows
// reads    x once, writes y once; half the barriers and half the traffic of pairs, and a quarter turn costs no multiplication
// backward none: a rung of the ladder that `cola bench ladders` climbs
// knobs    N

const N: u32 = 256u;
const TAU: f32 = 6.283185307;

@group(0) @binding(0) var<storage, read> x: array<vec2<f32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec2<f32>>;

// Two rows: a stage reads one and writes the other.
var<workgroup> points: array<vec2<f32>, 512>;

fn turned(v: vec2<f32>, angle: f32) -> vec2<f32> {
    let w = vec2<f32>(cos(angle), sin(angle));
    return vec2<f32>(v.x * w.x - v.y * w.y, v.x * w.y + v.y * w.x);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    for (var i = lane; i < N; i += N / 4u) {
        points[i] = x[group.x * N + i];
    }
    var source = 0u;
    for (var size = 1u; size < N; size *= 4u) {
        workgroupBarrier();
        let k = lane % size;
        let angle = -TAU * f32(k) / f32(4u * size);
        let a = points[source + lane];
        let b = turned(points[source + lane + N / 4u], angle);
        let c = turned(points[source + lane + N / 2u], 2.0 * angle);
        let d = turned(points[source + lane + 3u * (N / 4u)], 3.0 * angle);
        let even = a + c;
        let odd = a - c;
        let sum = b + d;
        // (b - d) times -i
        let turn = vec2<f32>(b.y - d.y, d.x - b.x);
        source = N - source;
        let to = source + (lane - k) * 4u + k;
        points[to] = even + sum;
        points[to + size] = odd + turn;
        points[to + 2u * size] = even - sum;
        points[to + 3u * size] = odd - turn;
    }
    workgroupBarrier();
    for (var i = lane; i < N; i += N / 4u) {
        y[group.x * N + i] = points[source + i];
    }
}
