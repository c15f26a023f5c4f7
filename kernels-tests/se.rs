//! gate.wgsl, gate_dg.wgsl, residual.wgsl

use crate::harness::{check_op, data, f64s, input, on_every_device};
use cola::ops::residual::residual;
use cola::ops::se::gate;
use cola::tensor::Tensor;

const SHAPES: [[usize; 4]; 5] = [[1, 1, 1, 1], [3, 2, 3, 2], [5, 3, 4, 4], [2, 33, 1, 5], [7, 5, 6, 4]];

#[test]
fn gates_scale_planes() {
    on_every_device(|gpu| {
        for shape in SHAPES {
            let plane = shape[2] * shape[3];
            let x = [input(1, &shape), input(2, &shape[..2]).affine(3.0, 0.0)];
            let reference = |x: &[Vec<f64>], _: &[Vec<f64>]| {
                x[0].iter().enumerate().map(|(i, v)| v / (1.0 + (-x[1][i / plane]).exp())).collect()
            };
            check_op(&format!("gate {shape:?}"), gpu, &x, &[], &reference, &|cx, x, _| gate(cx, &x[0], &x[1]), 3e-6);
        }
    });
}

#[test]
fn residuals_add_with_and_without_stochastic_depth() {
    on_every_device(|gpu| {
        for shape in SHAPES {
            let (n, plane) = (shape[1], shape[2] * shape[3]);
            let x = [input(1, &shape), input(2, &shape)];
            for drop in [false, true] {
                let scale: Vec<f32> = if drop { data(3, n) } else { vec![1.0; n] };
                let s = f64s(&scale);
                let reference = |x: &[Vec<f64>], _: &[Vec<f64>]| {
                    x[0].iter().zip(&x[1]).enumerate().map(|(i, (b, r))| r + s[i / plane % n] * b).collect()
                };
                let mask = Tensor::from_slice(gpu, &[n], &scale);
                let mask = drop.then_some(&mask);
                check_op(
                    &format!("residual {shape:?} {drop}"),
                    gpu,
                    &x,
                    &[],
                    &reference,
                    &|cx, x, _| residual(cx, &x[0], &x[1], mask),
                    2e-6,
                );
            }
        }
    });
}
