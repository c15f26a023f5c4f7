//! softmax_xent.wgsl, softmax_xent_dx.wgsl, row_sum.wgsl, row_sum_lane.wgsl

use crate::harness::{check_op, input, on_every_device};
use cola::ops::softmax_xent::{Samples, softmax_xent, weighted_softmax_xent};
use cola::tape::{Ctx, Var};
use cola::tensor::Tensor;

/// Samples by classes.
const SHAPES: [[usize; 2]; 7] = [[1, 1], [1, 7], [7, 1], [13, 5], [64, 64], [65, 65], [3, 131]];

/// A class for every sample, here and there the last one.
fn targets(samples: usize, classes: usize) -> Vec<u32> {
    (0..samples).map(|s| ((s * 7 + classes - 1) % classes) as u32).collect()
}

/// The logit of a sample and class.
fn at(samples_in: Samples, [samples, classes]: [usize; 2], sample: usize, class: usize) -> usize {
    match samples_in {
        Samples::Rows => sample * classes + class,
        Samples::Columns => class * samples + sample,
    }
}

#[test]
fn losses_and_their_gradients() {
    on_every_device(|gpu| {
        for samples_in in [Samples::Rows, Samples::Columns] {
            for dims @ [samples, classes] in SHAPES {
                let wanted = targets(samples, classes);
                let shape = if samples_in == Samples::Rows { [samples, classes] } else { [classes, samples] };
                let x = [input(1, &shape).affine(4.0, 0.0)];
                let reference = |x: &[Vec<f64>], _: &[Vec<f64>]| {
                    let loss = |s: usize| {
                        let logit = |c: usize| x[0][at(samples_in, dims, s, c)];
                        let own = logit(wanted[s] as usize);
                        (0..classes).map(|c| (logit(c) - own).exp()).sum::<f64>().ln()
                    };
                    vec![(0..samples).map(loss).sum::<f64>() / samples as f64]
                };
                let target = Tensor::from_slice(gpu, &[samples], &wanted);
                let name = format!("softmax_xent {samples_in:?} {samples}x{classes}");
                let op =
                    |cx: &Ctx, x: &[Var], _: &[cola::tape::Param]| softmax_xent(cx, &x[0], samples_in, &target).loss;
                check_op(&name, gpu, &x, &[], &reference, &op, 2e-6);
            }
        }
    });
}

#[test]
fn weighted_losses_and_their_gradients() {
    on_every_device(|gpu| {
        for samples in [1, 5, 67] {
            let (classes, wanted) = (6, targets(samples, 6));
            let weights: Vec<f32> = (0..samples).map(|s| [0.5, 2.0, 0.0, 1.25][s % 4]).collect();
            let x = [input(3, &[classes, samples]).affine(4.0, 0.0)];
            let reference = |x: &[Vec<f64>], _: &[Vec<f64>]| {
                let loss = |s: usize| {
                    let logit = |c: usize| x[0][c * samples + s];
                    let own = logit(wanted[s] as usize);
                    f64::from(weights[s]) * (0..classes).map(|c| (logit(c) - own).exp()).sum::<f64>().ln()
                };
                vec![(0..samples).map(loss).sum::<f64>() / samples as f64]
            };
            let target = Tensor::from_slice(gpu, &[samples], &wanted);
            let weight = Tensor::from_slice(gpu, &[samples], &weights);
            let op = |cx: &Ctx, x: &[Var], _: &[cola::tape::Param]| {
                weighted_softmax_xent(cx, &x[0], Samples::Columns, &target, Some(&weight)).loss
            };
            check_op(&format!("weighted softmax_xent {samples}"), gpu, &x, &[], &reference, &op, 2e-6);
        }
    });
}

#[test]
fn correct_counts_the_first_of_equal_logits() {
    on_every_device(|gpu| {
        let logits = Tensor::from_slice(
            gpu,
            &[4, 3],
            &[
                1.0f32, 2.0, 3.0, // target 2: right
                5.0, 5.0, 1.0, // target 1: equal, but not the first
                5.0, 5.0, 1.0, // target 0: equal and first
                0.0, 1.0, 0.0, // target 2: wrong
            ],
        );
        let targets = Tensor::from_slice(gpu, &[4], &[2u32, 1, 0, 2]);
        let out = softmax_xent(&Ctx::inference(gpu), &Var::constant(logits), Samples::Rows, &targets);
        assert_eq!(out.correct.read::<f32>(), [2.0]);
    });
}

#[test]
fn large_logits_stay_finite_and_nan_shows() {
    on_every_device(|gpu| {
        let run = |row: [f32; 3]| {
            let logits = Var::constant(Tensor::from_slice(gpu, &[1, 3], &row));
            let target = Tensor::from_slice(gpu, &[1], &[1u32]);
            let out = softmax_xent(&Ctx::inference(gpu), &logits, Samples::Rows, &target);
            let (loss, losses) = (out.loss.value.read::<f32>()[0], out.losses.read::<f32>()[0]);
            assert!(loss == losses || loss.is_nan() && losses.is_nan());
            loss
        };
        assert_eq!(run([3e4, 2e4, -3e38]), 1e4);
        assert_eq!(run([-3e4, -3e4, -3e38]), std::f32::consts::LN_2);
        assert!(run([0.0, 1.0, f32::NAN]).is_nan());
        assert!(run([0.0, 1.0, f32::INFINITY]).is_nan());
    });
}
