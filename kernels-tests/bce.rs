//! bce.wgsl, bce_dx.wgsl

use crate::harness::{assert_close, check_op, input, on_every_device};
use cola::ops::bce::bce;
use cola::tape::{Ctx, Var};
use cola::tensor::Tensor;

/// Classes by samples.
const SHAPES: [[usize; 2]; 6] = [[1, 1], [1, 7], [7, 1], [13, 5], [65, 65], [131, 3]];

#[test]
fn losses_and_their_gradients() {
    on_every_device(|gpu| {
        for shape in SHAPES {
            let n = shape[0] * shape[1];
            let wanted: Vec<f32> = (0..n).map(|i| [0.0, 1.0, 1.0, 0.25][i * 7 % 4]).collect();
            let x = [input(1, &shape).affine(6.0, 0.0)];
            let reference = |x: &[Vec<f64>], _: &[Vec<f64>]| {
                let loss = |(x, &y): (&f64, &f32)| (1.0 + x.exp()).ln() - f64::from(y) * x;
                vec![x[0].iter().zip(&wanted).map(loss).sum::<f64>() / n as f64]
            };
            let target = Tensor::from_slice(gpu, &shape, &wanted);
            let op = |cx: &Ctx, x: &[Var], _: &[cola::tape::Param]| bce(cx, &x[0], &target);
            check_op(&format!("bce {shape:?}"), gpu, &x, &[], &reference, &op, 2e-6);
        }
    });
}

#[test]
fn sure_logits_keep_their_small_losses_and_nan_shows() {
    on_every_device(|gpu| {
        let loss = |x: f32, y: f32| {
            let [x, y] = [x, y].map(|v| Tensor::from_slice(gpu, &[1, 1], &[v]));
            bce(&Ctx::inference(gpu), &Var::constant(x), &y).value.read::<f32>()
        };
        let small = |x: f64| [(-x).exp().ln_1p()];
        assert_close("right and sure", &loss(15.0, 1.0), &small(15.0), 1e-5);
        assert_close("right and surer", &loss(-60.0, 0.0), &small(60.0), 1e-5);
        assert_close("wrong and sure", &loss(1e4, 0.0), &[1e4], 1e-6);
        assert_eq!(loss(-3e38, 0.0), [0.0]);
        assert!(loss(f32::NAN, 1.0)[0].is_nan());
    });
}
