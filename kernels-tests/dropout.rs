//! dropout.wgsl

use crate::harness::{check_op, input, on_every_device};
use cola::ops::augment::{hash, key};
use cola::ops::dropout::dropout;
use cola::tape::{Ctx, Var};
use cola::tensor::Tensor;

#[test]
fn what_is_dropped_depends_on_key_and_place() {
    on_every_device(|gpu| {
        let key = key(7, 3, 1);
        for (n, rate) in [(1, 0.5), (33, 0.25), (1000, 0.1)] {
            let stays = |i: usize| {
                let i = i as u32;
                let bits = hash(key ^ hash(i / 16 * 16 + i % 16));
                f64::from(bits >> 8) / f64::from(1 << 24) >= rate
            };
            let kept = (0..n).filter(|&i| stays(i)).count() as f64 / n as f64;
            assert!(n < 1000 || (kept - 0.9).abs() < 0.03, "{kept} of 0.9 stay");
            let reference = |x: &[Vec<f64>], _: &[Vec<f64>]| {
                x[0].iter().enumerate().map(|(i, x)| if stays(i) { x / (1.0 - rate) } else { 0.0 }).collect()
            };
            let op = |cx: &Ctx, x: &[Var], _: &[_]| dropout(cx, &x[0], rate as f32, key);
            check_op(&format!("dropout {n}"), gpu, &[input(1, &[n])], &[], &reference, &op, 1e-6);
        }
    });
}

#[test]
fn nothing_is_dropped_in_evaluation() {
    on_every_device(|gpu| {
        let x = Var::constant(Tensor::from_slice(gpu, &[3], &[1.0f32, 2.0, 3.0]));
        assert_eq!(dropout(&Ctx::inference(gpu), &x, 0.9, 1).value.read::<f32>(), [1.0, 2.0, 3.0]);
    });
}
