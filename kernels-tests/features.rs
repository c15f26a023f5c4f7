//! bias.wgsl, columns.wgsl, layer_norm.wgsl, layer_norm_dx.wgsl, layer_norm_dw.wgsl, l2_normalise.wgsl,
//! l2_normalise_dx.wgsl: what works on matrices of a sample a column

use crate::harness::{check_op, input, on_every_device};
use cola::ops::bias::bias;
use cola::ops::columns::columns;
use cola::ops::concat::concat_rows;
use cola::ops::l2_normalise::l2_normalise;
use cola::ops::layer_norm::layer_norm;

/// Features by samples: 1, primes, multiples of 4, a tile of 16 x 16 and one past it.
const SHAPES: [[usize; 2]; 7] = [[1, 1], [3, 7], [16, 16], [17, 17], [12, 20], [65, 33], [130, 4]];

/// Column n of a matrix.
fn column(x: &[f64], columns: usize, n: usize) -> Vec<f64> {
    x.iter().skip(n).step_by(columns).copied().collect()
}

/// Applies `f` to every column.
fn by_column(x: &[f64], columns: usize, f: impl Fn(Vec<f64>) -> Vec<f64>) -> Vec<f64> {
    let mut y = vec![0.0; x.len()];
    for n in 0..columns {
        for (row, value) in f(column(x, columns, n)).into_iter().enumerate() {
            y[row * columns + n] = value;
        }
    }
    y
}

#[test]
fn biases() {
    on_every_device(|gpu| {
        for [features, samples] in SHAPES {
            let (x, b) = ([input(1, &[features, samples])], [input(2, &[features])]);
            let reference =
                |x: &[Vec<f64>], b: &[Vec<f64>]| x[0].iter().enumerate().map(|(i, v)| v + b[0][i / samples]).collect();
            check_op("bias", gpu, &x, &b, &reference, &|cx, x, b| bias(cx, &x[0], &b[0]), 1e-6);
        }
    });
}

#[test]
fn column_ranges() {
    on_every_device(|gpu| {
        for (rows, from, range) in [(1, 1, 0..1), (3, 7, 2..6), (5, 12, 0..6), (5, 12, 6..12), (67, 8, 4..8)] {
            let reference = |x: &[Vec<f64>], _: &[Vec<f64>]| {
                x[0].chunks(from).flat_map(|row| row[range.clone()].to_vec()).collect()
            };
            let x = [input(1, &[rows, from])];
            check_op("columns", gpu, &x, &[], &reference, &|cx, x, _| columns(cx, &x[0], range.clone()), 1e-6);
        }
    });
}

#[test]
fn layer_norms() {
    const EPS: f64 = 1e-3;
    on_every_device(|gpu| {
        // The second mean is large beside the spread: a variance from sum of squares would lose every digit.
        for offset in [0.0, 30.0] {
            for [features, samples] in SHAPES {
                let x = [input(1, &[features, samples]).affine(1.0, offset)];
                let w = [input(2, &[features]).affine(1.0, 1.0), input(3, &[features])];
                let reference = |x: &[Vec<f64>], w: &[Vec<f64>]| {
                    by_column(&x[0], samples, |c| {
                        let mean = c.iter().sum::<f64>() / features as f64;
                        let variance = c.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / features as f64;
                        let normal = |v: f64| (v - mean) / (variance + EPS).sqrt();
                        c.iter().zip(w[0].iter().zip(&w[1])).map(|(&v, (g, b))| g * normal(v) + b).collect()
                    })
                };
                let name = format!("layer_norm {features}x{samples} + {offset}");
                let tolerance = if offset == 0.0 { 2e-6 } else { 2e-5 };
                let op = |cx: &cola::tape::Ctx, x: &[cola::tape::Var], w: &[cola::tape::Param]| {
                    layer_norm(cx, &x[0], &w[0], &w[1], EPS as f32)
                };
                check_op(&name, gpu, &x, &w, &reference, &op, tolerance);
            }
        }
    });
}

#[test]
fn unit_columns() {
    on_every_device(|gpu| {
        // With the second eps some columns are shorter than sqrt(eps) and some longer.
        for eps in [1e-9, 4.0] {
            for [features, samples] in SHAPES {
                let x = [input(1, &[features, samples])];
                let reference = |x: &[Vec<f64>], _: &[Vec<f64>]| {
                    by_column(&x[0], samples, |c| {
                        let length = c.iter().map(|v| v * v).sum::<f64>().max(eps).sqrt();
                        c.iter().map(|v| v / length).collect()
                    })
                };
                let name = format!("l2_normalise {features}x{samples} eps {eps}");
                check_op(&name, gpu, &x, &[], &reference, &|cx, x, _| l2_normalise(cx, &x[0], eps as f32), 2e-6);
            }
        }
    });
}

#[test]
fn joins_rows() {
    on_every_device(|gpu| {
        for [rows, columns] in SHAPES {
            let x = [input(1, &[rows, columns]), input(2, &[rows + 1, columns])];
            let reference = |x: &[Vec<f64>], _: &[Vec<f64>]| x.concat();
            check_op("concat_rows", gpu, &x, &[], &reference, &|cx, x, _| concat_rows(cx, &x[0], &x[1]), 1e-6);
        }
    });
}
