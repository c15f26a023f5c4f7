//! `fma_peak.wgsl` computes what it is timed for, all of it; and what a profile counts as bytes.

use crate::harness::{assert_close, on_every_device, on_plain_device};
use cola::bench::cases::all;
use cola::bench::peaks::multiply_add;
use cola::ops::elementwise::{Unary, axpby, unary};
use cola::tape::{Ctx, Var};
use cola::tensor::Tensor;

#[test]
fn every_multiply_add_is_made() {
    let (rounds, scale, shift) = (3, 0.9, 0.3);
    let value = |start: usize| (0..4 * rounds).fold(start as f64, |v, _| f64::from(scale) * v + f64::from(shift));
    // one invocation past a workgroup of 64
    let want: Vec<f64> = (0..65).map(|i| (0..16).map(|k| value(i % 64 + k)).sum()).collect();
    on_every_device(|gpu| {
        let y = Tensor::zeros(gpu, "sums", &[65]);
        multiply_add(&y, rounds, [scale, shift]);
        assert_close("fma_peak", &y.read::<f32>(), &want, 1e-6);
    });
}

#[test]
fn bytes_are_those_read_and_those_written() {
    on_plain_device(|gpu| {
        let bytes = |run: &dyn Fn()| {
            gpu.profile_start();
            run();
            let kernels = gpu.profile_stop().kernels;
            kernels.iter().map(|kernel| kernel.total().bytes).collect::<Vec<_>>()
        };
        let x = Tensor::zeros(gpu, "x", &[1000]);
        let y = Tensor::zeros(gpu, "y", &[1000]);
        assert_eq!(bytes(&|| drop(unary(&Ctx::inference(gpu), Unary::Tanh, &Var::constant(x.clone())))), [8000]);
        // y is read and written in its place
        assert_eq!(bytes(&|| axpby(2.0, &x, 1.0, &y)), [12000]);
        // w, m and v in their places, the gradient read, and a flag for every 64 weights
        let adam = all(1).into_iter().find(|case| case.name.starts_with("adam ")).expect("a case");
        let adam = adam.prepare(gpu);
        adam.run(gpu);
        let per_weight = bytes(&|| drop(adam.run(gpu))).into_iter().max().expect("kernels") as f64 / 4_926_012.0;
        assert!((28.06..28.07).contains(&per_weight), "{per_weight} bytes");
    });
}
