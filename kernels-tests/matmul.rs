//! matmul/tile.wgsl, matmul/lanes.wgsl, matmul/lanes_nt.wgsl, matmul/sum_parts.wgsl

use crate::harness::{Input, assert_close, check_op, data, f64s, input, on_every_device};
use cola::gpu::{Gpu, GpuOptions};
use cola::ops::matmul::{linear, matmul_tn};
use cola::tape::{Ctx, Param, Var};
use cola::tensor::Tensor;

fn product(w: &[f64], x: &[f64], m: usize, k: usize) -> Vec<f64> {
    let n = x.len() / k;
    let mut y = vec![0.0; m * n];
    for i in 0..m {
        for l in 0..k {
            for j in 0..n {
                y[i * n + j] += w[i * k + l] * x[l * n + j];
            }
        }
    }
    y
}

#[test]
fn linear_layers() {
    on_every_device(|gpu| {
        // small and odd, one past a tile; then multiples of 4 for the lane kernels: every pair of their block sizes,
        // exact and one past
        let odd = [(1, 1, 1), (3, 5, 7), (9, 6, 17), (65, 17, 66), (33, 12, 36)];
        let sixteen = [(8, 4, 32), (16, 20, 260), (16, 40, 12)];
        let twenty_four = [(24, 16, 68), (24, 24, 64), (44, 40, 68)];
        let forty = [(40, 12, 4), (84, 24, 36), (40, 36, 132), (44, 16, 136)];
        for (m, k, n) in [&odd[..], &sixteen, &twenty_four, &forty].concat() {
            let (w, x) = (input(1, &[m, k]), input(2, &[k, n]));
            let reference = |x: &[Vec<f64>], w: &[Vec<f64>]| product(&w[0], &x[0], m, k);
            check_op(
                &format!("linear {m}x{k}x{n}"),
                gpu,
                &[x],
                &[w],
                &reference,
                &|cx, x, w| linear(cx, &w[0], &x[0]),
                2e-6,
            );
        }
    });
}

#[test]
fn columns_against_columns() {
    on_every_device(|gpu| {
        for (k, m, n) in [(1, 1, 1), (5, 3, 7), (64, 8, 8), (20, 33, 36), (12, 4, 68)] {
            let (a, b) = (input(1, &[k, m]), input(2, &[k, n]));
            let reference = |x: &[Vec<f64>], _: &[Vec<f64>]| {
                let mut y = vec![0.0; m * n];
                for l in 0..k {
                    for i in 0..m {
                        for j in 0..n {
                            y[i * n + j] += x[0][l * m + i] * x[1][l * n + j];
                        }
                    }
                }
                y
            };
            check_op(
                &format!("tn {k}: {m}x{n}"),
                gpu,
                &[a, b],
                &[],
                &reference,
                &|cx, x, _| matmul_tn(cx, &x[0], &x[1]),
                2e-6,
            );
        }
    });
}

fn param(gpu: &Gpu, w: &Input) -> Param {
    let value = Tensor::from_slice(gpu, &w.shape, &w.data);
    Param { name: "w".into(), grad: Tensor::zeros(gpu, "grad", &w.shape), value }
}

/// A long axis, cut into many chunks, with values whose mean is far from 0.
#[test]
fn long_sums_keep_their_precision() {
    on_every_device(|gpu| {
        let (m, k, n) = (16, 24, 12_288);
        let (w, x) = (input(1, &[m, k]), input(2, &[k, n]).affine(1.0, 3.0));
        let tape = cola::tape::Tape::new();
        let cx = Ctx::training(gpu, &tape);
        let p = param(gpu, &w);
        let y = linear(&cx, &p, &Var::constant(Tensor::from_slice(gpu, &x.shape, &x.data)));
        let dy = data(3, m * n);
        tape.backward(&y, Tensor::from_slice(gpu, &[m, n], &dy));
        let mut want = vec![0.0; m * k];
        for i in 0..m {
            for l in 0..k {
                want[i * k + l] = (0..n).map(|j| f64::from(dy[i * n + j]) * f64::from(x.data[l * n + j])).sum();
            }
        }
        assert_close("dw", &p.grad.read(), &want, 1e-5);
        assert_close("y", &y.value.read(), &product(&f64s(&w.data), &f64s(&x.data), m, k), 2e-6);
    });
}

/// Operands past the binding limit are cut by rows, and nothing else changes.
#[test]
fn large_operands_are_cut_into_ranges() {
    let (m, k, n) = (136, 200, 64);
    let (w, x) = (input(1, &[m, k]), input(2, &[k, n]));
    let run = |max_binding_bytes| {
        let gpu = Gpu::open(&GpuOptions { max_binding_bytes, ..Default::default() }).expect("an adapter");
        let tape = cola::tape::Tape::new();
        let cx = Ctx::training(&gpu, &tape);
        let p = param(&gpu, &w);
        let leaf = tape.leaf(Tensor::from_slice(&gpu, &x.shape, &x.data));
        let y = linear(&cx, &p, &leaf);
        let out = y.value.read::<f32>();
        let dx = tape.backward(&y, Tensor::from_slice(&gpu, &[m, n], &data(3, m * n)));
        (out, dx[0].read::<f32>(), p.grad.read::<f32>())
    };
    let (whole, cut) = (run(None), run(Some(64 * 64 * 4)));
    assert_close("y", &cut.0, &f64s(&whole.0), 1e-6);
    assert_close("dx", &cut.1, &f64s(&whole.1), 1e-6);
    assert_close("dw", &cut.2, &f64s(&whole.2), 1e-6);
}
