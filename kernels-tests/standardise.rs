//! standardise.wgsl, moments.wgsl

use crate::harness::{assert_close, data, f64s, on_every_device};
use cola::gpu::{Gpu, GpuOptions};
use cola::ops::standardise::{Moments, standardise};
use cola::tensor::Tensor;

#[test]
fn shift_and_scale() {
    on_every_device(|gpu| {
        for n in [1, 4, 7, 256, 1021] {
            let x = data(n as u64, n);
            let tensor = Tensor::from_slice(gpu, &[n], &x);
            for (mean, std) in [(-8.0, 3.5), (0.0, 255.0)] {
                let want: Vec<f64> = f64s(&x).iter().map(|v| (v - f64::from(mean)) / f64::from(std)).collect();
                assert_close("standardise", &standardise(&tensor, mean, std).read(), &want, 1e-6);
            }
        }
    });
}

#[test]
fn mean_and_deviation_of_many_tensors() {
    on_every_device(|gpu| {
        let lengths = [1, 63, 8192, 8193, 40_000, 600_001];
        let parts: Vec<Vec<f32>> =
            lengths.iter().map(|&n| data(n as u64, n).iter().map(|v| 4.0 * v - 8.0).collect()).collect();
        let all = f64s(&parts.concat());
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        let std = (all.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / all.len() as f64).sqrt();

        let measure = |shift| {
            let mut moments = Moments::about(shift);
            parts.iter().for_each(|part| moments.add(&Tensor::from_slice(gpu, &[part.len()], part)));
            moments.mean_std()
        };
        for shift in [-8.0, 0.0] {
            let (got_mean, got_std) = measure(shift);
            assert!((f64::from(got_mean) - mean).abs() < 2e-6 * mean.abs(), "{got_mean}, reference {mean}");
            assert!((f64::from(got_std) - std).abs() < 2e-6 * std, "{got_std}, reference {std}");
            assert_eq!((got_mean, got_std), measure(shift), "a rerun differs");
        }
    });
}

#[test]
fn large_tensors_are_cut_into_ranges() {
    let x: Vec<f32> = data(1, 5000);
    let run = |max_binding_bytes| {
        let gpu = Gpu::open(&GpuOptions { max_binding_bytes, ..Default::default() }).expect("an adapter");
        let y = standardise(&Tensor::from_slice(&gpu, &[50, 100], &x), 0.5, 2.0);
        let mut moments = Moments::about(0.0);
        moments.add(&y);
        (y.read::<f32>(), moments.mean_std())
    };
    let ((whole, (mean, std)), (cut, (cut_mean, cut_std))) = (run(None), run(Some(1024)));
    assert_eq!(whole, cut);
    assert!((mean - cut_mean).abs() < 1e-6 && (std - cut_std).abs() < 1e-6);
}
