//! unary.wgsl, unary_dx.wgsl, axpby.wgsl

use crate::harness::{check_op, input, on_every_device};
use cola::ops::elementwise::{Unary, add_scaled, reshape, scale, unary};
use cola::tape::{Ctx, Var};
use cola::tensor::Tensor;

/// Each function of the table, without being named here.
#[test]
fn functions_and_their_gradients() {
    on_every_device(|gpu| {
        for &op in Unary::ALL {
            for n in [1, 4, 7, 64, 255, 256, 257, 1021] {
                let x = [input(n as u64, &[n]).affine(6.0, 0.0)];
                let reference = |x: &[Vec<f64>], _: &[Vec<f64>]| x[0].iter().map(|&x| op.value(x)).collect();
                check_op(&format!("{op:?} {n}"), gpu, &x, &[], &reference, &|cx, x, _| unary(cx, op, &x[0]), 2e-6);
            }
        }
    });
}

#[test]
fn scaled_sums() {
    on_every_device(|gpu| {
        for n in [1, 8, 13, 1000] {
            let x = [input(1, &[n]), input(2, &[n])];
            let reference =
                |x: &[Vec<f64>], _: &[Vec<f64>]| x[0].iter().zip(&x[1]).map(|(a, b)| 0.5 * a - 1.5 * b).collect();
            check_op("add_scaled", gpu, &x, &[], &reference, &|cx, x, _| add_scaled(cx, 0.5, &x[0], -1.5, &x[1]), 1e-6);
        }
    });
}

#[test]
fn multiples() {
    on_every_device(|gpu| {
        for n in [1, 8, 13, 1000] {
            let reference = |x: &[Vec<f64>], _: &[Vec<f64>]| x[0].iter().map(|a| -2.5 * a).collect();
            check_op("scale", gpu, &[input(1, &[n])], &[], &reference, &|cx, x, _| scale(cx, -2.5, &x[0]), 1e-6);
        }
    });
}

#[test]
fn other_shapes() {
    on_every_device(|gpu| {
        let reference = |x: &[Vec<f64>], _: &[Vec<f64>]| x[0].clone();
        check_op("reshape", gpu, &[input(1, &[6, 5])], &[], &reference, &|cx, x, _| reshape(cx, &x[0], &[1, 30]), 1e-6);
    });
}

/// Numbers below 1.2e-38 cost a processor many times what others do, so a driver's threads are to take them for 0.
#[test]
fn a_processor_flushes_denormal_numbers() {
    on_every_device(|gpu| {
        let times = |values: &[f32], factor| {
            let x = Var::constant(Tensor::from_slice(gpu, &[values.len()], values));
            scale(&Ctx::inference(gpu), factor, &x).value.read::<f32>()
        };
        let (results, operands) = (times(&[1e-30, -1e-30], 1e-12), times(&[1e-42, 2e-30], 1e10));
        assert!((operands[1] / 2e-20 - 1.0).abs() < 1e-6, "{operands:?}");
        // threads of Windows do not inherit it
        if gpu.caps().is_cpu && cfg!(unix) {
            assert_eq!((results[0], results[1], operands[0]), (0.0, 0.0, 0.0));
        }
    });
}
