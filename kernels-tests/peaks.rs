//! `fma_peak.wgsl` computes what it is timed for, all of it.

use crate::harness::{assert_close, on_every_device};
use cola::bench::peaks::multiply_add;
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
