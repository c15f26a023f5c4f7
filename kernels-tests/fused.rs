//! Fused ops: lib/on_load.wgsl in the depthwise kernels, se_squeeze.wgsl, se_gate.wgsl, se_dx_sums.wgsl,
//! se_dx_stats.wgsl, se_dx.wgsl; maps stored in 16 bits

use crate::harness::{Input, check_op, data, input, on_every_device};
use cola::gpu::Gpu;
use cola::ops::batch_norm::BatchNorm;
use cola::ops::depthwise::{norm_depthwise, same_padding};
use cola::ops::elementwise::{Unary, unary};
use cola::ops::matmul::{linear, linear_in};
use cola::ops::se_project::squeeze_excite_project;
use cola::tape::{Ctx, Param, Tape};
use cola::tensor::{Storage, Tensor};

const EPS: f64 = 1e-3;
/// The running variance where it is used.
const VARIANCE: f32 = 0.7;

fn layer(gpu: &Gpu, weight: &Param, bias: &Param) -> BatchNorm {
    let channels = weight.value.len();
    BatchNorm {
        weight: weight.clone(),
        bias: bias.clone(),
        running_mean: Tensor::from_slice(gpu, &[channels], &data(50, channels)),
        running_var: Tensor::from_slice(gpu, &[channels], &vec![VARIANCE; channels]),
        eps: EPS as f32,
        momentum: 0.01,
    }
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

/// swish(batch_norm(x)), with the statistics of x or the running ones.
fn activation(x: &[f64], weight: &[f64], bias: &[f64], training: bool) -> Vec<f64> {
    let row = x.len() / weight.len();
    let running_mean = data(50, weight.len());
    let mut y = Vec::with_capacity(x.len());
    for (c, x) in x.chunks(row).enumerate() {
        let (mut mean, mut var) = (f64::from(running_mean[c]), f64::from(VARIANCE));
        if training {
            mean = x.iter().sum::<f64>() / row as f64;
            var = x.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / row as f64;
        }
        for v in x {
            let z = weight[c] * (v - mean) / (var + EPS).sqrt() + bias[c];
            y.push(z * sigmoid(z));
        }
    }
    y
}

/// x, γ and β of a batch norm in front.
fn normed(shape: &[usize]) -> (Input, [Input; 2]) {
    let c = shape[0];
    (input(1, shape).affine(2.0, 1.0), [input(2, &[c]).affine(0.5, 1.0), input(3, &[c])])
}

fn convolve(x: &[f64], w: &[f64], [channels, n, h, wd]: [usize; 4], k: usize, stride: usize) -> Vec<f64> {
    let ((ho, py), (wo, px)) = (same_padding(h, k, stride), same_padding(wd, k, stride));
    let mut y = Vec::with_capacity(channels * n * ho * wo);
    for plane in 0..channels * n {
        for (i, j) in (0..ho).flat_map(|i| (0..wo).map(move |j| (i, j))) {
            let mut sum = 0.0;
            for (u, v) in (0..k).flat_map(|u| (0..k).map(move |v| (u, v))) {
                let (r, s) = ((i * stride + u).wrapping_sub(py), (j * stride + v).wrapping_sub(px));
                if r < h && s < wd {
                    sum += w[(plane / n * k + u) * k + v] * x[(plane * h + r) * wd + s];
                }
            }
            y.push(sum);
        }
    }
    y
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
                    &|x, w| convolve(&activation(&x[0], &w[0], &w[1], training), &w[2], shape, k, stride),
                    &|cx, x, w| {
                        norm_depthwise(&Ctx { training, ..*cx }, &x[0], &layer(gpu, &w[0], &w[1]), &w[2], stride)
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
                    let a = activation(&x[0], &w[0], &w[1], training);
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
                        squeeze_excite_project(&cx, &x[0], &layer(gpu, &w[0], &w[1]), excite, &w[2])
                    },
                    1e-5,
                );
            }
        }
    });
}

/// Through every kernel that takes raw maps in 16 bits: an expand convolution, the depthwise one and the projection,
/// against the same in f32. f16 keeps eleven bits of every element.
#[test]
fn maps_in_16_bits_are_those_in_32_rounded() {
    on_every_device(|gpu| {
        for (h, w, k, stride) in [(12, 8, 3, 1), (12, 8, 5, 2), (6, 4, 5, 1), (6, 4, 3, 2), (3, 2, 5, 1)] {
            let (inputs, wide, n) = (8, 24, 4);
            let run = |storage| {
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
                ];
                let [expand, gamma1, beta1, filters, gamma2, beta2, excite, project] = &params;
                let tape = Tape::new();
                let cx = Ctx::training(gpu, &tape);
                let shape = [inputs, n, h, w];
                let x = tape.leaf(Tensor::from_slice(gpu, &shape, &data(1, inputs * n * h * w)));
                let y = linear_in(&cx, expand, &x, storage);
                let y = norm_depthwise(&cx, &y, &layer(gpu, gamma1, beta1), filters, stride);
                assert_eq!(y.value.storage(), storage);
                let excite = |cx: &Ctx, q: &_| unary(cx, Unary::Swish, &linear(cx, excite, q));
                let y = squeeze_excite_project(&cx, &y, &layer(gpu, gamma2, beta2), excite, project);
                let out = y.value.read::<f32>();
                let dy = Tensor::from_slice(gpu, y.value.shape(), &data(10, out.len()));
                let dx = tape.backward(&y, dy).remove(0).read::<f32>();
                let mut all = vec![out, dx];
                all.extend(params.iter().map(|p| p.grad.read::<f32>()));
                all
            };
            for (i, (half, full)) in run(Storage::F16).iter().zip(&run(Storage::F32)).enumerate() {
                let norm = |x: &[f32]| x.iter().map(|v| f64::from(v * v)).sum::<f64>().sqrt();
                let difference: Vec<f32> = half.iter().zip(full).map(|(a, b)| a - b).collect();
                let off = norm(&difference) / norm(full);
                assert!(off < 0.004, "{h}x{w}, {k}x{k} stride {stride}: result {i} is off by {off}");
                assert!(off > 1e-5, "{h}x{w}, {k}x{k} stride {stride}: result {i} was not rounded");
            }
        }
    });
}
