//! A kernel by hand: a function in WGSL that every lane of the device runs, each on one element.
//!
//!     cargo run --release --example 01_hello_kernel

use cola::gpu::{Gpu, GpuOptions, Kernel, groups};
use cola::tensor::Tensor;
use std::time::Instant;

// ANCHOR: kernel
/// y = x² - 1. Lanes come in workgroups of 64; the last workgroup may have lanes left over, which return at once.
static PARABOLA: Kernel = Kernel {
    path: "parabola.wgsl",
    embedded: "
const WG: u32 = 64u;
struct Params { n: u32 }
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < p.n {
        y[id.x] = x[id.x] * x[id.x] - 1.0;
    }
}
",
};
// ANCHOR_END: kernel

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let gpu = Gpu::open(&GpuOptions::default())?;
    println!("on {}, {}\n", gpu.caps().adapter, gpu.caps().backend);

    // ANCHOR: run
    // Upload, record, read: nothing is computed before somebody waits for it.
    let x: Vec<f32> = (0..61).map(|i| i as f32 / 20.0 - 1.5).collect();
    let device_x = Tensor::from_slice(&gpu, &[x.len()], &x);
    let y = Tensor::empty(&gpu, "parabola", &[x.len()]);
    gpu.run(&PARABOLA, &[], &(x.len() as u32), &[&device_x, &y], [groups(x.len(), 64), 1, 1], 0);
    let y: Vec<f32> = y.read();
    // ANCHOR_END: run
    assert!(x.iter().zip(&y).all(|(x, y)| (x * x - 1.0 - y).abs() < 1e-6));

    for row in (0..12).rev() {
        let bottom = row as f32 / 5.0 - 1.0;
        let line: String = y.iter().map(|&y| if (bottom..bottom + 0.2).contains(&y) { '*' } else { ' ' }).collect();
        println!("{bottom:5.1} |{line}");
    }
    println!("      +{}\n        x from -1.5 to 1.5", "-".repeat(x.len()));

    // The same on four million elements, which shows what holds such a kernel back: it reads 4 bytes and writes 4.
    const N: usize = 1 << 22;
    let (from, to) = (Tensor::zeros(&gpu, "x", &[N]), Tensor::empty(&gpu, "y", &[N]));
    let seconds = (0..5).map(|_| {
        gpu.wait();
        let start = Instant::now();
        gpu.run(&PARABOLA, &[], &(N as u32), &[&from, &to], [groups(N, 64), 1, 1], 0);
        gpu.wait();
        start.elapsed().as_secs_f64()
    });
    let best = seconds.fold(f64::INFINITY, f64::min);
    println!(
        "\n{N} elements in {:.2} ms: {:.1} GB/s, {:.1} GFLOP/s",
        best * 1e3,
        8e-9 * N as f64 / best,
        2e-9 * N as f64 / best
    );
    Ok(())
}
