//! batch_norm_sums.wgsl, batch_norm_stats.wgsl, batch_norm.wgsl, batch_norm_dx_sums.wgsl, batch_norm_dx_stats.wgsl,
//! batch_norm_dx.wgsl

use crate::harness::{assert_close, check_op, data, f64s, input, on_every_device};
use cola::gpu::{Gpu, GpuOptions};
use cola::ops::batch_norm::{BatchNorm, batch_norm};
use cola::tape::{Ctx, Param, Tape};
use cola::tensor::Tensor;

const EPS: f64 = 1e-3;

pub fn layer(gpu: &Gpu, params: &[Param], channels: usize) -> BatchNorm {
    BatchNorm {
        weight: params[0].clone(),
        bias: params[1].clone(),
        running_mean: Tensor::from_slice(gpu, &[channels], &data(50, channels)),
        running_var: Tensor::from_slice(gpu, &[channels], &vec![0.7f32; channels]),
        eps: EPS as f32,
        momentum: 0.01,
    }
}

/// With the statistics given, or those of the data.
pub fn reference(x: &[f64], w: &[Vec<f64>], channels: usize, swish: bool, stats: Option<(&[f64], f64)>) -> Vec<f64> {
    let row = x.len() / channels;
    let mut y = Vec::with_capacity(x.len());
    for (c, x) in x.chunks(row).enumerate() {
        let (mean, var) = match stats {
            Some((mean, var)) => (mean[c], var),
            None => {
                let mean = x.iter().sum::<f64>() / row as f64;
                (mean, x.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / row as f64)
            }
        };
        for v in x {
            let z = w[0][c] * (v - mean) / (var + EPS).sqrt() + w[1][c];
            y.push(if swish { z / (1.0 + (-z).exp()) } else { z });
        }
    }
    y
}

#[test]
fn normalises_and_differentiates() {
    on_every_device(|gpu| {
        for shape in [[1, 1, 1, 2], [3, 2, 2, 3], [5, 3, 4, 4], [2, 7, 3, 5], [65, 1, 2, 2], [1, 2, 24, 32]] {
            for swish in [false, true] {
                let c = shape[0];
                let x = [input(1, &shape).affine(2.0, 1.0)];
                let w = [input(2, &[c]).affine(0.5, 1.0), input(3, &[c])];
                check_op(
                    &format!("batch_norm {shape:?} swish {swish}"),
                    gpu,
                    &x,
                    &w,
                    &|x, w| reference(&x[0], w, c, swish, None),
                    &|cx, x, w| batch_norm(cx, &x[0], &layer(gpu, w, c), swish),
                    1e-5,
                );
            }
        }
    });
}

#[test]
fn evaluation_uses_the_running_statistics() {
    on_every_device(|gpu| {
        let c = 6;
        let mean = f64s(&data(50, c));
        check_op(
            "batch_norm eval",
            gpu,
            &[input(1, &[c, 3, 2, 4])],
            &[input(2, &[c]), input(3, &[c])],
            &|x, w| reference(&x[0], w, c, true, Some((&mean, f64::from(0.7f32)))),
            &|cx, x, w| batch_norm(&Ctx { training: false, ..*cx }, &x[0], &layer(gpu, w, c), true),
            1e-5,
        );
    });
}

/// Torch's rule: unbiased variance, (1 - m) old + m new. And a mean a thousand times the spread costs no precision.
#[test]
fn running_statistics_move() {
    on_every_device(|gpu| {
        let (c, row) = (3, 4 * 6 * 8);
        let x = input(1, &[c, 4, 6, 8]).affine(0.1, 100.0);
        let p = |seed| {
            let value = Tensor::from_slice(gpu, &[c], &data(seed, c));
            Param { name: "p".into(), grad: Tensor::zeros(gpu, "grad", &[c]), value }
        };
        let bn = layer(gpu, &[p(2), p(3)], c);
        let tape = Tape::new();
        batch_norm(&Ctx::training(gpu, &tape), &tape.leaf(Tensor::from_slice(gpu, &x.shape, &x.data)), &bn, false);
        let (mut mean, mut var) = (f64s(&data(50, c)), vec![f64::from(0.7f32); c]);
        for (i, x) in f64s(&x.data).chunks(row).enumerate() {
            let m = x.iter().sum::<f64>() / row as f64;
            let v = x.iter().map(|x| (x - m) * (x - m)).sum::<f64>() / (row - 1) as f64;
            mean[i] = 0.99 * mean[i] + 0.01 * m;
            var[i] = 0.99 * var[i] + 0.01 * v;
        }
        assert_close("running mean", &bn.running_mean.read(), &mean, 1e-6);
        assert_close("running var", &bn.running_var.read(), &var, 1e-6);
    });
}

/// A tensor past the binding limit is cut by channels; every channel still sees its own statistics.
#[test]
fn large_tensors_are_cut_by_channels() {
    let (c, shape) = (200, [200, 2, 4, 4]);
    let x = input(1, &shape);
    let run = |max_binding_bytes| {
        let gpu = Gpu::open(&GpuOptions { max_binding_bytes, ..Default::default() }).expect("an adapter");
        let p = |seed| Param {
            name: "p".into(),
            value: Tensor::from_slice(&gpu, &[c], &data(seed, c)),
            grad: Tensor::zeros(&gpu, "grad", &[c]),
        };
        let bn = layer(&gpu, &[p(2), p(3)], c);
        let tape = Tape::new();
        let leaf = tape.leaf(Tensor::from_slice(&gpu, &shape, &x.data));
        let y = batch_norm(&Ctx::training(&gpu, &tape), &leaf, &bn, true);
        let out = y.value.read::<f32>();
        let dx = tape.backward(&y, Tensor::from_slice(&gpu, &shape, &data(5, x.data.len())));
        (out, dx[0].read::<f32>(), bn.weight.grad.read::<f32>())
    };
    assert_eq!(run(None), run(Some(64 * 32 * 4)));
}
