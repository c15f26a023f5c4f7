//! Your own op: a kernel, its gradient, and the proof that they belong together. Here softplus, y = ln(1 + exp x).
//!
//!     cargo run --release --example 09_add_your_own_op
//!
//! Inside the engine it takes three places: a `case` in `shaders/unary.wgsl`, its slope in `shaders/unary_dx.wgsl`, a row in
//! the table of `src/ops/elementwise.rs`. Test and bench row come by themselves: `cargo test --release --test kernels
//! elementwise` and `cola bench kernels softplus`.

use cola::gpu::{Gpu, GpuOptions, Kernel, groups};
use cola::tape::{Ctx, Tape, Var};
use cola::tensor::Tensor;

static SOFTPLUS: Kernel = Kernel {
    path: "softplus.wgsl",
    embedded: "
struct Params { n: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < p.n {
        // exp of a large x would be infinite
        y[id.x] = max(x[id.x], 0.0) + log(1.0 + exp(-abs(x[id.x])));
    }
}
",
};

static SOFTPLUS_DX: Kernel = Kernel {
    path: "softplus_dx.wgsl",
    embedded: "
struct Params { n: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < p.n {
        dx[id.x] = dy[id.x] / (1.0 + exp(-x[id.x]));
    }
}
",
};

/// y = ln(1 + exp x), any shape. Backward: dx = dy sigmoid(x). Keeps x.
fn softplus(cx: &Ctx, x: &Var) -> Var {
    let y = Tensor::empty(cx.gpu, "softplus", x.value.shape());
    let (n, grid) = (y.len() as u32, [groups(y.len(), 64), 1, 1]);
    cx.gpu.run(&SOFTPLUS, &[], &n, &[&x.value, &y], grid, 0);
    let (x, saved) = (x.clone(), x.value.clone());
    cx.record("softplus", y, &[&saved], move |dy, grads| {
        let dx = Tensor::empty(dy.gpu(), "softplus dx", dy.shape());
        dy.gpu().run(&SOFTPLUS_DX, &[], &n, &[&x.value, &dy, &dx], grid, 0);
        grads.add(&x, dx);
    })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let gpu = Gpu::open(&GpuOptions::default())?;
    let x: Vec<f32> = (-6..=6).map(|i| i as f32).collect();
    let tape = Tape::new();
    let leaf = tape.leaf(Tensor::from_slice(&gpu, &[x.len()], &x));
    let y = softplus(&Ctx::training(&gpu, &tape), &leaf);
    let got: Vec<f32> = y.value.read();
    let slopes: Vec<f32> = tape.backward(&y, Tensor::from_slice(&gpu, &[x.len()], &vec![1.0f32; x.len()]))[0].read();

    // Against f64, and the gradient against central differences of that: what the kernel tests do with every op.
    let exact = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
    println!("{:>4} {:>10} {:>10} {:>10} {:>12}", "x", "softplus", "in f64", "slope", "differences");
    for ((&x, &y), &slope) in x.iter().zip(&got).zip(&slopes) {
        let differences = (exact(f64::from(x) + 1e-5) - exact(f64::from(x) - 1e-5)) / 2e-5;
        println!("{x:>4} {y:>10.6} {:>10.6} {slope:>10.6} {differences:>12.6}", exact(f64::from(x)));
        assert!((f64::from(y) - exact(f64::from(x))).abs() < 1e-5 && (f64::from(slope) - differences).abs() < 1e-5);
    }
    Ok(())
}
