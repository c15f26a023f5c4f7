// ladder/fft_1_dft — the discrete Fourier transform by its definition
// maths    y[r][k] = Σ_j x[r][j] exp(-2πi j k / N)
// shapes   x, y: [rows][N][2]
// grid     x: N / 64   y: rows
// reads    a row N times, and N² sines and cosines a row: compute bound, with N / log2 N times the arithmetic of an FFT
// backward none: a rung of the ladder that `cola bench ladders` climbs
// knobs    N

const N: u32 = 256u;
const TAU: f32 = 6.283185307;

@group(0) @binding(0) var<storage, read> x: array<vec2<f32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec2<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let k = group.x * 64u + lane;
    var sum = vec2<f32>(0.0);
    for (var j = 0u; j < N; j++) {
        // j k modulo N, so that the angle stays small and its sine exact
        let angle = -TAU * f32(j * k % N) / f32(N);
        let w = vec2<f32>(cos(angle), sin(angle));
        let v = x[group.y * N + j];
        sum += vec2<f32>(v.x * w.x - v.y * w.y, v.x * w.y + v.y * w.x);
    }
    y[group.y * N + k] = sum;
}
