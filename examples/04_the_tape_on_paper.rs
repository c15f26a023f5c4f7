//! Reverse-mode differentiation on paper: what the tape notes on the way forward, and what comes of it on the way back.
//!
//!     cargo run --release --example 04_the_tape_on_paper
//!
//! The whole tape is `src/tape.rs`, one page. Each op of `src/ops` is a function that computes, says what it keeps, and
//! leaves a closure for the way back.

use cola::gpu::{Gpu, GpuOptions};
use cola::ops::bias::bias;
use cola::ops::elementwise::{Unary, unary};
use cola::ops::matmul::linear;
use cola::ops::reduce::sum_squares;
use cola::tape::{Ctx, Param, Tape};
use cola::tensor::Tensor;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let gpu = Gpu::open(&GpuOptions::default())?;
    let param = |name: &str, shape: &[usize], values: &[f32]| Param {
        name: name.into(),
        value: Tensor::from_slice(&gpu, shape, values),
        grad: Tensor::zeros(&gpu, "gradient", shape),
    };

    // ANCHOR: forward
    // y = tanh(W x + b), for two samples x of three numbers: features are rows, samples are columns.
    let w = param("W", &[2, 3], &[0.5, -0.2, 0.1, 0.3, 0.8, -0.6]);
    let b = param("b", &[2], &[0.1, -0.1]);
    let tape = Tape::new();
    let cx = Ctx::training(&gpu, &tape);
    let x = tape.leaf(Tensor::from_slice(&gpu, &[3, 2], &[1.0f32, 0.0, 2.0, 1.0, -1.0, 0.5]));
    let y = unary(&cx, Unary::Tanh, &bias(&cx, &linear(&cx, &w, &x), &b));
    // ANCHOR_END: forward

    println!("{:<10} {:<8} {:>12}", "op", "shape", "keeps, bytes");
    for line in tape.saved() {
        println!("{:<10} {:<8} {:>12}", line.name, format!("{:?}", line.shape), line.bytes);
    }

    // The loss is half the sum of the squares of y, so its gradient at y is y itself. From there the tape is walked
    // backwards: closures are called, what was kept is freed.
    let loss = 0.5 * sum_squares(&y.value).read::<f32>()[0];
    let seed = y.value.clone();
    let dx = tape.backward(&y, seed).pop().ok_or("x was reached")?;
    println!("\nloss {loss:.4}");
    for (name, gradient) in [("dx", &dx), ("dW", &w.grad), ("db", &b.grad)] {
        println!("{name:<3} {:<8} {:.4?}", format!("{:?}", gradient.shape()), gradient.read::<f32>());
    }

    // The same by hand, for one number: move W[0][0] a little and see what the loss does.
    let moved = |step: f32| {
        let w = param("W", &[2, 3], &[0.5 + step, -0.2, 0.1, 0.3, 0.8, -0.6]);
        let cx = Ctx::inference(&gpu);
        0.5 * sum_squares(&unary(&cx, Unary::Tanh, &bias(&cx, &linear(&cx, &w, &x), &b)).value).read::<f32>()[0]
    };
    let by_hand = (moved(1e-2) - moved(-1e-2)) / 2e-2;
    println!("\ndW[0][0] by moving it: {by_hand:.4}");
    assert!((by_hand - w.grad.read::<f32>()[0]).abs() < 1e-3);
    Ok(())
}
