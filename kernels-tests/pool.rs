//! max_pool.wgsl, max_pool_dx.wgsl, max_pool_2x2.wgsl, max_pool_2x2_dx.wgsl, mean_pool.wgsl, mean_pool_dx.wgsl, pool_time.wgsl, pool_time_dx.wgsl, time_statistics.wgsl

use crate::harness::{assert_close, check_op, data, input, on_every_device};
use cola::gpu::{Gpu, GpuOptions};
use cola::ops::elementwise::reshape;
use cola::ops::pool::{max_pool, max_pool_2x2, mean_pool, pool_time, time_statistics};
use cola::tape::{Ctx, Tape, Var};
use cola::tensor::Tensor;

#[test]
fn planes_and_their_gradients() {
    on_every_device(|gpu| {
        for shape in [[1, 1, 1, 1], [3, 2, 3, 2], [5, 13, 1, 7], [13, 5, 3, 2], [2, 33, 4, 5], [2, 2, 31, 17]] {
            let plane = shape[2] * shape[3];
            let x = [input(1, &shape)];
            let max = |x: &[Vec<f64>], _: &[Vec<f64>]| {
                x[0].chunks(plane).map(|p| p.iter().copied().fold(f64::MIN, f64::max)).collect()
            };
            check_op("max_pool", gpu, &x, &[], &max, &|cx, x, _| max_pool(cx, &x[0]), 1e-6);
            let mean = |x: &[Vec<f64>], _: &[Vec<f64>]| {
                x[0].chunks(plane).map(|p| p.iter().sum::<f64>() / plane as f64).collect()
            };
            check_op("mean_pool", gpu, &x, &[], &mean, &|cx, x, _| mean_pool(cx, &x[0]), 1e-6);
        }
    });
}

#[test]
fn every_two_by_two() {
    on_every_device(|gpu| {
        for [c, n, h, w] in [[1, 1, 2, 2], [3, 2, 6, 4], [5, 13, 2, 10], [2, 3, 14, 16]] {
            let four = move |x: &[f64], place: usize| {
                let (row, column) = (place / (w / 2), place % (w / 2));
                let at = 2 * row * w + 2 * column;
                [at, at + 1, at + w, at + w + 1].map(|i| x[i]).into_iter().fold(f64::MIN, f64::max)
            };
            let max = move |x: &[Vec<f64>], _: &[Vec<f64>]| (0..c * n * h * w / 4).map(|p| four(&x[0], p)).collect();
            let x = [input(1, &[c, n, h, w])];
            check_op("max_pool_2x2", gpu, &x, &[], &max, &|cx, x, _| max_pool_2x2(cx, &x[0]), 1e-6);
        }
    });
}

#[test]
fn the_first_of_equal_elements_gets_the_gradient() {
    on_every_device(|gpu| {
        let tape = Tape::new();
        let x = tape.leaf(Tensor::from_slice(gpu, &[1, 2, 2, 2], &[1.0f32, 3.0, 3.0, 2.0, -1.0, -1.0, -1.0, -1.0]));
        let y = max_pool(&Ctx::training(gpu, &tape), &x);
        let dx = tape.backward(&y, Tensor::from_slice(gpu, &[1, 2], &[5.0f32, 7.0]));
        assert_eq!(dx[0].read::<f32>(), [0.0, 5.0, 0.0, 0.0, 7.0, 0.0, 0.0, 0.0]);

        let tape = Tape::new();
        let x = tape.leaf(Tensor::from_slice(gpu, &[1, 1, 2, 4], &[1.0f32, 3.0, -1.0, -1.0, 3.0, 2.0, -1.0, -1.0]));
        let y = max_pool_2x2(&Ctx::training(gpu, &tape), &x);
        let dx = tape.backward(&y, Tensor::from_slice(gpu, &[1, 1, 1, 2], &[5.0f32, 7.0]));
        assert_eq!(dx[0].read::<f32>(), [0.0, 5.0, 7.0, 0.0, 0.0, 0.0, 0.0, 0.0]);

        let tape = Tape::new();
        let x = tape.leaf(Tensor::from_slice(gpu, &[1, 1, 4, 1], &[1.0f32, 3.0, 3.0, 2.0]));
        let y = pool_time(&Ctx::training(gpu, &tape), &x);
        let dx = tape.backward(&y, Tensor::from_slice(gpu, &[2, 1], &[8.0f32, 5.0]));
        assert_eq!(dx[0].read::<f32>(), [2.0, 7.0, 2.0, 2.0]);
    });
}

#[test]
fn a_nan_is_not_lost() {
    on_every_device(|gpu| {
        for at in 0..3 {
            let mut plane = [1.0f32, 2.0, 3.0];
            plane[at] = f32::NAN;
            let x = Var::constant(Tensor::from_slice(gpu, &[1, 1, 1, 3], &plane));
            assert!(max_pool(&Ctx::inference(gpu), &x).value.read::<f32>()[0].is_nan(), "NaN at {at}");
            let mut plane = [1.0f32, 2.0, 3.0, 4.0];
            plane[at] = f32::NAN;
            let x = Var::constant(Tensor::from_slice(gpu, &[1, 1, 2, 2], &plane));
            assert!(max_pool_2x2(&Ctx::inference(gpu), &x).value.read::<f32>()[0].is_nan(), "NaN at {at}");
        }
    });
}

fn mean(v: &[f64]) -> f64 {
    v.iter().sum::<f64>() / v.len() as f64
}

fn deviation(v: &[f64]) -> f64 {
    mean(&v.iter().map(|x| (x - mean(v)).powi(2)).collect::<Vec<_>>()).sqrt()
}

fn deviation_of_step(v: &[f64]) -> f64 {
    let steps: Vec<f64> = v.windows(2).map(|pair| pair[1] - pair[0]).collect();
    if steps.is_empty() { 0.0 } else { deviation(&steps) }
}

#[test]
fn time_is_pooled_by_channel_and_frequency() {
    type Op = fn(&Tensor) -> Tensor;
    type Of = fn(&[f64]) -> f64;
    let most: Of = |v| v.iter().copied().fold(f64::MIN, f64::max);
    let ops: [(&str, Op, &[Of]); 2] = [
        ("pool_time", |x| pool_time(&Ctx::inference(x.gpu()), &Var::constant(x.clone())).value, &[mean, most]),
        ("time_statistics", time_statistics, &[mean, deviation, deviation_of_step]),
    ];
    let check = |gpu: &Gpu, [c, n, h, w]: [usize; 4]| {
        let x = data(3, c * n * h * w);
        let over_time = |row: usize, sample: usize| -> Vec<f64> {
            let first = (row / w * n + sample) * h * w + row % w;
            (0..h).map(|t| f64::from(x[first + t * w])).collect()
        };
        for (name, op, parts) in ops {
            let at = (0..c * w).flat_map(|row| (0..n).map(move |sample| (row, sample)));
            let all: Vec<Vec<f64>> = at.map(|(row, sample)| over_time(row, sample)).collect();
            let want: Vec<f64> = parts.iter().flat_map(|part| all.iter().map(move |values| part(values))).collect();
            let y = op(&Tensor::from_slice(gpu, &[c, n, h, w], &x));
            assert_eq!(y.shape(), [parts.len() * c * w, n]);
            assert_close(name, &y.read(), &want, 1e-6);
        }
    };
    on_every_device(|gpu| {
        [[3, 5, 7, 2], [1, 1, 1, 1], [16, 3, 48, 32], [40, 33, 3, 2]].into_iter().for_each(|shape| check(gpu, shape));
    });
    check(
        &Gpu::open(&GpuOptions { max_binding_bytes: Some(4096), ..Default::default() }).expect("an adapter"),
        [200, 2, 4, 4],
    );
}

#[test]
fn gradients_of_time_pooled() {
    on_every_device(|gpu| {
        for [c, n, h, w] in [[1, 1, 1, 1], [3, 5, 7, 2], [5, 13, 2, 3], [2, 3, 17, 16], [40, 33, 3, 2]] {
            let x = [input(1, &[c, n, h, w])];
            let pooled = |x: &[Vec<f64>], _: &[Vec<f64>]| -> Vec<f64> {
                let over_time = |row: usize, sample: usize| -> Vec<f64> {
                    (0..h).map(|t| x[0][((row / w * n + sample) * h + t) * w + row % w]).collect()
                };
                let of = |part: fn(&[f64]) -> f64| -> Vec<f64> {
                    (0..c * w).flat_map(|row| (0..n).map(move |sample| part(&over_time(row, sample)))).collect()
                };
                [of(mean), of(|v| v.iter().copied().fold(f64::MIN, f64::max))].concat()
            };
            check_op("pool_time", gpu, &x, &[], &pooled, &|cx, x, _| pool_time(cx, &x[0]), 1e-6);
        }
    });
}

/// A tensor past the binding limit is cut by channels.
#[test]
fn large_tensors_are_cut_by_channels() {
    let (shape, x) = ([200, 2, 4, 4], data(1, 200 * 32));
    let run = |max_binding_bytes| {
        let gpu = Gpu::open(&GpuOptions { max_binding_bytes, ..Default::default() }).expect("an adapter");
        let pool = |op: fn(&Ctx, &Var) -> Var| {
            let tape = Tape::new();
            let leaf = tape.leaf(Tensor::from_slice(&gpu, &shape, &x));
            let y = op(&Ctx::training(&gpu, &tape), &leaf);
            let out = y.value.read::<f32>();
            let dx = tape.backward(&y, Tensor::from_slice(&gpu, y.value.shape(), &data(2, y.value.len())));
            (out, dx[0].read::<f32>())
        };
        (pool(max_pool), pool(mean_pool), pool(pool_time), pool(|cx, x| reshape(cx, &max_pool_2x2(cx, x), &[200, 8])))
    };
    assert_eq!(run(None), run(Some(64 * 32 * 4)));
}
