//! Fused ops: lib/on_load.wgsl in the depthwise kernels, depthwise_strip_backward.wgsl, se_squeeze.wgsl, se_gate.wgsl,
//! se_dx_sums.wgsl, se_dx_stats.wgsl, se_dx.wgsl; maps stored in 16 bits

use crate::batch_norm::{self as batch_norm_tests, layer};
use crate::depthwise;
use crate::harness::{Input, assert_close, check_op, data, f64s, input, on_every_device};
use cola::gpu::{Gpu, GpuOptions};
use cola::ops::batch_norm::batch_norm;
use cola::ops::depthwise::norm_depthwise;
use cola::ops::elementwise::{Unary, unary};
use cola::ops::matmul::{linear, linear_in};
use cola::ops::se_project::squeeze_excite_project;
use cola::tape::{Ctx, Param, Tape};
use cola::tensor::{Storage, Tensor};

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

/// swish(batch_norm(x)) with γ and β in front of `w`, from the statistics of x or the running ones of [`layer`].
fn activation(x: &[f64], w: &[Vec<f64>], training: bool) -> Vec<f64> {
    let channels = w[0].len();
    let running_mean = f64s(&data(50, channels));
    batch_norm_tests::reference(x, w, channels, true, (!training).then_some((&running_mean, f64::from(0.7f32))))
}

/// x, γ and β of a batch norm in front.
fn normed(shape: &[usize]) -> (Input, [Input; 2]) {
    let c = shape[0];
    (input(1, shape).affine(2.0, 1.0), [input(2, &[c]).affine(0.5, 1.0), input(3, &[c])])
}

/// Strips, whole planes and the general kernel, with an edge everywhere: a padded pixel is 0, not swish(shift).
#[test]
fn depthwise_of_a_raw_map() {
    on_every_device(|gpu| {
        for (shape, k, stride) in [
            ([3, 2, 12, 8], 3, 1),
            ([3, 2, 8, 16], 5, 2),
            ([2, 3, 12, 8], 5, 1),
            ([3, 5, 3, 2], 5, 1),
            ([2, 3, 6, 4], 3, 2),
            ([2, 3, 7, 5], 3, 1),
            ([2, 2, 5, 9], 5, 2),
        ] {
            for training in [true, false] {
                let (x, [gamma, beta]) = normed(&shape);
                check_op(
                    &format!("norm_depthwise {shape:?} {k}x{k} stride {stride} training {training}"),
                    gpu,
                    &[x],
                    &[gamma, beta, input(4, &[shape[0], 1, k, k])],
                    &|x, w| depthwise::reference(&activation(&x[0], w, training), &w[2], shape, k, stride),
                    &|cx, x, w| {
                        norm_depthwise(&Ctx { training, ..*cx }, &x[0], &layer(gpu, w, shape[0]), &w[2], stride)
                    },
                    1e-5,
                );
            }
        }
    });
}

/// excite(q) = swish(V q): parameters inside the nested tape get their gradients, too.
#[test]
fn squeeze_excite_and_projection_of_a_raw_map() {
    on_every_device(|gpu| {
        for (shape, out) in [([4, 4, 4, 4], 8), ([8, 2, 6, 4], 4), ([5, 3, 3, 2], 6), ([3, 2, 3, 3], 2)] {
            for training in [true, false] {
                let [c, n, h, width] = shape;
                let plane = h * width;
                let reference = |x: &[Vec<f64>], w: &[Vec<f64>]| {
                    let a = activation(&x[0], w, training);
                    let q: Vec<f64> = a.chunks(plane).map(|p| p.iter().sum::<f64>() / plane as f64).collect();
                    let product = |w: &[f64], x: &[f64], rows: usize, columns: usize| -> Vec<f64> {
                        let row = |r: usize| &w[r * c..(r + 1) * c];
                        (0..rows * columns)
                            .map(|i| (0..c).map(|k| row(i / columns)[k] * x[k * columns + i % columns]).sum())
                            .collect()
                    };
                    let g: Vec<f64> = product(&w[3], &q, c, n).into_iter().map(|z| z * sigmoid(z)).collect();
                    let s: Vec<f64> = a.iter().enumerate().map(|(i, a)| a * sigmoid(g[i / plane])).collect();
                    product(&w[2], &s, out, n * plane)
                };
                let (x, [gamma, beta]) = normed(&shape);
                check_op(
                    &format!("squeeze_excite_project {shape:?} to {out} training {training}"),
                    gpu,
                    &[x],
                    &[gamma, beta, input(4, &[out, c]), input(5, &[c, c])],
                    &reference,
                    &|cx, x, w| {
                        let excite = |cx: &Ctx, q: &_| unary(cx, Unary::Swish, &linear(cx, &w[3], q));
                        let cx = Ctx { training, ..*cx };
                        squeeze_excite_project(&cx, &x[0], &layer(gpu, w, shape[0]), excite, &w[2])
                    },
                    1e-5,
                );
            }
        }
    });
}

/// An expand convolution, the depthwise one, the projection and its norm, from 8 channels to 24 and back, four samples:
/// the output and every gradient.
fn block(gpu: &Gpu, [h, w]: [usize; 2], k: usize, stride: usize, storage: Storage) -> Vec<Vec<f32>> {
    let (inputs, wide, n) = (8, 24, 4);
    let param = |seed, shape: &[usize], a, b| Param {
        name: "test".into(),
        value: Tensor::from_slice(gpu, shape, &input(seed, shape).affine(a, b).data),
        grad: Tensor::zeros(gpu, "gradient", shape),
    };
    let params = [
        param(2, &[wide, inputs], 0.5, 0.0),
        param(3, &[wide], 0.5, 1.0),
        param(4, &[wide], 1.0, 0.0),
        param(5, &[wide, 1, k, k], 0.5, 0.0),
        param(6, &[wide], 0.5, 1.0),
        param(7, &[wide], 1.0, 0.0),
        param(8, &[wide, wide], 0.3, 0.0),
        param(9, &[inputs, wide], 0.5, 0.0),
        param(11, &[inputs], 0.5, 1.0),
        param(12, &[inputs], 1.0, 0.0),
    ];
    let [expand, _, _, filters, _, _, excite, project, ..] = &params;
    let tape = Tape::new();
    let cx = Ctx { storage, ..Ctx::training(gpu, &tape) };
    let shape = [inputs, n, h, w];
    let x = tape.leaf(Tensor::from_slice(gpu, &shape, &data(1, inputs * n * h * w)));
    let y = linear_in(&cx, expand, &x, storage);
    let y = norm_depthwise(&cx, &y, &layer(gpu, &params[1..], wide), filters, stride);
    assert_eq!(y.value.storage(), storage);
    let excite = |cx: &Ctx, q: &_| unary(cx, Unary::Swish, &linear(cx, excite, q));
    let y = squeeze_excite_project(&cx, &y, &layer(gpu, &params[4..], wide), excite, project);
    assert_eq!(y.value.storage(), storage);
    let y = batch_norm(&cx, &y, &layer(gpu, &params[8..], inputs), false);
    let out = y.value.read::<f32>();
    let dy = Tensor::from_slice(gpu, y.value.shape(), &data(10, out.len()));
    let dx = tape.backward(&y, dy).remove(0).read::<f32>();
    let mut all = vec![out, dx];
    // the last one's is the sum of dy, whatever the maps
    all.extend(params[..params.len() - 1].iter().map(|p| p.grad.read::<f32>()));
    all
}

/// Through every kernel that takes raw maps in 16 bits, against the same in f32. f16 keeps eleven bits of every element.
#[test]
fn maps_in_16_bits_are_those_in_32_rounded() {
    on_every_device(|gpu| {
        for (h, w, k, stride) in [(12, 8, 3, 1), (12, 8, 5, 2), (6, 4, 5, 1), (6, 4, 3, 2), (3, 2, 5, 1)] {
            let run = |storage| block(gpu, [h, w], k, stride, storage);
            for (i, (half, full)) in run(Storage::F16).iter().zip(&run(Storage::F32)).enumerate() {
                let norm = |x: &[f32]| x.iter().map(|v| f64::from(v * v)).sum::<f64>().sqrt();
                let difference: Vec<f32> = half.iter().zip(full).map(|(a, b)| a - b).collect();
                let off = norm(&difference) / norm(full);
                assert!(off < 0.002, "{h}x{w}, {k}x{k} stride {stride}: result {i} is off by {off}");
                assert!(off > 1e-5, "{h}x{w}, {k}x{k} stride {stride}: result {i} was not rounded");
            }
        }
    });
}

/// Tensors past the binding limit are cut by channels: maps, and the sums that stand for each of their planes.
#[test]
fn large_maps_are_cut_by_channels() {
    // a product whose sum is cut is rounded once a range, in 16 bits to eleven of them
    for (storage, tolerance) in [(Storage::F32, 1e-5), (Storage::F16, 2e-3)] {
        let run = |max_binding_bytes| {
            let gpu = Gpu::open(&GpuOptions { max_binding_bytes, ..Default::default() }).expect("an adapter");
            block(&gpu, [3, 2], 3, 1, storage)
        };
        for (i, (whole, cut)) in run(None).iter().zip(&run(Some(1000))).enumerate() {
            assert_close(&format!("{storage:?}, result {i}"), cut, &f64s(whole), tolerance);
        }
    }
}
