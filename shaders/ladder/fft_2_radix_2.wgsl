// ladder/fft_2_radix_2 — the fast Fourier transform, by pairs, in workgroup memory
// maths    log2 N stages of (a, b) → (a + w b, a - w b), in the order of Stockham: results come out in their places
// shapes   x, y: [rows][N][2]
// grid     x: rows
// reads    x once, writes y once; log2 N barriers, and at each every number goes through workgroup memory: latency bound
// backward none: a rung of the ladder that `cola bench ladders` climbs
// knobs    N

const N: u32 = 256u;
const TAU: f32 = 6.283185307;

@group(0) @binding(0) var<storage, read> x: array<vec2<f32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec2<f32>>;

// Two rows: a stage reads one and writes the other.
var<workgroup> points: array<vec2<f32>, 512>;

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    points[lane] = x[group.x * N + lane];
    points[lane + N / 2u] = x[group.x * N + lane + N / 2u];
    var source = 0u;
    for (var size = 1u; size < N; size *= 2u) {
        workgroupBarrier();
        let k = lane % size;
        let angle = -TAU * f32(k) / f32(2u * size);
        let w = vec2<f32>(cos(angle), sin(angle));
        let a = points[source + lane];
        let v = points[source + lane + N / 2u];
        let b = vec2<f32>(v.x * w.x - v.y * w.y, v.x * w.y + v.y * w.x);
        source = N - source;
        let to = source + (lane - k) * 2u + k;
        points[to] = a + b;
        points[to + size] = a - b;
    }
    workgroupBarrier();
    y[group.x * N + lane] = points[source + lane];
    y[group.x * N + lane + N / 2u] = points[source + lane + N / 2u];
}
