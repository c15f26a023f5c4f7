//! Batch norm seen going wrong, twice, and put right.
//!
//!     cargo run --release --example 06_batch_norm_gone_wrong
//!
//! In training it takes mean and variance from the batch, and keeps a running average of both; in evaluation it takes
//! the average. So a network can be right in one mode and useless in the other.

use cola::gpu::{Gpu, GpuOptions};
use cola::ops::batch_norm::{BatchNorm, batch_norm};
use cola::tape::{Ctx, Param, Var};
use cola::tensor::Tensor;

const N: usize = 4096;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let gpu = Gpu::open(&GpuOptions::default())?;
    let constant = |value: f32| Tensor::from_slice(&gpu, &[1], &[value]);
    let param = |value| Param { name: "batch norm".into(), value: constant(value), grad: constant(0.0) };
    let fresh = |momentum| BatchNorm {
        weight: param(1.0),
        bias: param(0.0),
        running_mean: constant(0.0),
        running_var: constant(1.0),
        eps: 1e-3,
        momentum,
    };
    // One channel of values about 5 with deviation 2: triangular noise from a counter.
    let noise = |i: usize| (i as f32 * 0.618_034).fract() + (i as f32 * 0.414_214).fract() - 1.0;
    let batch = |n: usize| {
        let x: Vec<f32> = (0..n).map(|i| 5.0 + 4.899 * noise(i + 1)).collect();
        Var::constant(Tensor::from_slice(&gpu, &[1, n, 1, 1], &x))
    };
    let training = Ctx { training: true, ..Ctx::inference(&gpu) };
    let mean_std = |y: &Var| {
        let y: Vec<f32> = y.value.read();
        let mean = y.iter().sum::<f32>() / y.len() as f32;
        (mean, (y.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>() / y.len() as f32).sqrt())
    };
    let show = |what: &str, (mean, std): (f32, f32)| println!("{what:<58} mean {mean:6.3}, deviation {std:5.3}");

    let x = batch(N);
    show("what goes in", mean_std(&x));
    // Keras' EfficientNet gives a new batch the weight 0.01: after ten steps the average is still nine tenths the start.
    for (momentum, steps) in [(0.01, 10), (0.01, 500), (0.1, 50)] {
        let bn = fresh(momentum);
        let mut last = (0.0, 0.0);
        for _ in 0..steps {
            last = mean_std(&batch_norm(&training, &x, &bn, false));
        }
        println!("\nmomentum {momentum}, {steps} steps of training");
        show("  training mode", last);
        show("  evaluation mode, by the running average", mean_std(&batch_norm(&Ctx::inference(&gpu), &x, &bn, false)));
    }

    // A batch of one value is its own mean: whatever goes in, training mode gives 0.
    let alone = mean_std(&batch_norm(&training, &batch(1), &fresh(0.1), false));
    println!();
    show("a batch of one value, training mode", alone);
    assert!(alone.0.abs() < 1e-3);
    Ok(())
}
