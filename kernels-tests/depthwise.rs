//! depthwise.wgsl, depthwise_dx.wgsl, depthwise_dw.wgsl, depthwise_strip.wgsl, depthwise_strip_dx.wgsl,
//! depthwise_strip_dw.wgsl, depthwise_plane.wgsl, depthwise_plane_dw.wgsl

use crate::harness::{assert_close, check_op, data, input, on_every_device};
use cola::gpu::{Gpu, GpuOptions};
use cola::ops::depthwise::{conv_stem, depthwise, same_padding};
use cola::tape::{Ctx, Param, Tape, Var};
use cola::tensor::{Storage, Tensor};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// x `[C or 1, N, H, W]`, w `[C, K, K]`
pub fn reference(x: &[f64], w: &[f64], [xc, n, h, wd]: [usize; 4], k: usize, stride: usize) -> Vec<f64> {
    let channels = w.len() / (k * k);
    let ((ho, py), (wo, px)) = (same_padding(h, k, stride), same_padding(wd, k, stride));
    let mut y = Vec::with_capacity(channels * n * ho * wo);
    for c in 0..channels {
        for plane in 0..n {
            for (i, j) in (0..ho).flat_map(|i| (0..wo).map(move |j| (i, j))) {
                let mut sum = 0.0;
                for (u, v) in (0..k).flat_map(|u| (0..k).map(move |v| (u, v))) {
                    let (r, s) = ((i * stride + u).wrapping_sub(py), (j * stride + v).wrapping_sub(px));
                    if r < h && s < wd {
                        sum += w[(c * k + u) * k + v] * x[(((c % xc) * n + plane) * h + r) * wd + s];
                    }
                }
                y.push(sum);
            }
        }
    }
    y
}

fn check(gpu: &Gpu, shape: [usize; 4], k: usize, stride: usize) {
    check_op(
        &format!("depthwise {shape:?} {k}x{k} stride {stride}"),
        gpu,
        &[input(1, &shape)],
        &[input(2, &[shape[0], 1, k, k])],
        &|x, w| reference(&x[0], &w[0], shape, k, stride),
        &|cx, x, w| depthwise(cx, &x[0], &w[0], stride),
        3e-6,
    );
}

#[test]
fn shapes_of_the_network() {
    on_every_device(|gpu| {
        for (h, w) in [(12, 8), (6, 4), (3, 2), (8, 16)] {
            for (k, stride) in [(3, 1), (5, 1), (3, 2), (5, 2)] {
                check(gpu, [3, 2, h, w], k, stride);
            }
        }
    });
}

#[test]
fn any_shape() {
    on_every_device(|gpu| {
        let shapes =
            (1usize..4, 1usize..4, 1usize..10, 1usize..14, prop::sample::select(vec![1usize, 3, 5]), 1usize..3);
        let config = Config { cases: 12, failure_persistence: None, ..Config::default() };
        // the same shapes every time: a test that fails does so for everybody
        TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
            .run(&shapes, |(c, n, h, w, k, stride)| {
                check(gpu, [c, n, h, w], k, stride);
                Ok(())
            })
            .expect("every shape agrees with the reference");
    });
}

#[test]
fn more_planes_than_lanes() {
    on_every_device(|gpu| {
        check(gpu, [2, 70, 4, 4], 3, 1);
        check(gpu, [2, 70, 3, 2], 5, 1);
        check(gpu, [1, 9, 7, 9], 5, 2);
    });
}

/// TF "SAME" puts the odd pixel after: pads (0, 1) for 3x3 and (1, 2) for 5x5 on even sizes with stride 2.
#[test]
fn same_padding_is_tensorflows() {
    assert_eq!(same_padding(96, 3, 2), (48, 0));
    assert_eq!(same_padding(96, 5, 2), (48, 1));
    assert_eq!(same_padding(7, 3, 2), (4, 1));
    assert_eq!(same_padding(7, 5, 1), (7, 2));
}

#[test]
fn stem_reads_one_plane_for_every_channel() {
    on_every_device(|gpu| {
        for (shape, stride) in [([1, 2, 12, 16], 2), ([1, 3, 7, 5], 2), ([1, 2, 12, 16], 1), ([1, 3, 7, 5], 1)] {
            let x = input(1, &shape);
            check_op(
                "conv_stem",
                gpu,
                &[],
                &[input(2, &[5, 1, 3, 3])],
                &|_, w| reference(&x.data.iter().map(|&v| f64::from(v)).collect::<Vec<_>>(), &w[0], shape, 3, stride),
                &|cx, _, w| {
                    conv_stem(cx, &Var::constant(Tensor::from_slice(gpu, &shape, &x.data)), &w[0], stride, Storage::F32)
                },
                3e-6,
            );
        }
    });
}

/// A tensor past the binding limit is cut by channels.
#[test]
fn large_tensors_are_cut_by_channels() {
    let (c, shape) = (130, [130, 2, 4, 8]);
    let run = |max_binding_bytes| {
        let gpu = Gpu::open(&GpuOptions { max_binding_bytes, ..Default::default() }).expect("an adapter");
        let value = Tensor::from_slice(&gpu, &[c, 1, 3, 3], &data(2, c * 9));
        let w = Param { name: "w".into(), grad: Tensor::zeros(&gpu, "grad", &[c, 1, 3, 3]), value };
        let tape = Tape::new();
        let leaf = tape.leaf(Tensor::from_slice(&gpu, &shape, &data(1, c * 64)));
        let y = depthwise(&Ctx::training(&gpu, &tape), &leaf, &w, 1);
        let out = y.value.read::<f32>();
        let dx = tape.backward(&y, Tensor::from_slice(&gpu, &shape, &data(3, c * 64)));
        (out, dx[0].read::<f32>(), w.grad.read::<f32>())
    };
    let (whole, cut) = (run(None), run(Some(64 * 64 * 4)));
    assert_eq!((whole.0, whole.1), (cut.0, cut.1));
    let want: Vec<f64> = whole.2.iter().map(|&v| f64::from(v)).collect();
    assert_close("dw", &cut.2, &want, 1e-6);
}
