//! fft.wgsl

use crate::harness::{assert_close, data, f64s, on_every_device};
use cola::gpu::{Gpu, GpuOptions, adapter_list};
use cola::ops::fft::Fft;
use cola::tensor::Tensor;
use rustfft::FftPlanner;
use rustfft::num_complex::Complex;

const TOLERANCE: f64 = 5e-7;
const SIZES: [usize; 7] = [64, 128, 256, 512, 1024, 2048, 4096];
/// One row, and one more than fill a workgroup at any length.
const ROWS: [usize; 3] = [1, 3, 17];

fn complex_rows(x: &[f32]) -> Vec<Complex<f64>> {
    f64s(x).chunks_exact(2).map(|p| Complex::new(p[0], p[1])).collect()
}

fn parts(x: &[Complex<f64>]) -> Vec<f64> {
    x.iter().flat_map(|z| [z.re, z.im]).collect()
}

/// The unscaled f64 transform of rows of `n`.
fn reference(rows: &[Complex<f64>], n: usize, inverse: bool) -> Vec<Complex<f64>> {
    let mut planner = FftPlanner::new();
    let fft = if inverse { planner.plan_fft_inverse(n) } else { planner.plan_fft_forward(n) };
    let mut out = rows.to_vec();
    fft.process(&mut out);
    out
}

fn fits(gpu: &Gpu, complex_points: usize) -> bool {
    complex_points * 8 <= gpu.caps().max_workgroup_bytes as usize
}

#[test]
fn complex_transforms_of_every_length() {
    on_every_device(|gpu| {
        for n in SIZES.into_iter().filter(|&n| fits(gpu, n)) {
            let fft = Fft::complex(gpu, n);
            for rows in ROWS {
                let x = data(n as u64, rows * n * 2);
                let tensor = Tensor::from_slice(gpu, &[rows, n, 2], &x);
                let forward = fft.forward(&tensor);
                let want = reference(&complex_rows(&x), n, false);
                assert_close(&format!("complex {n} x {rows}"), &forward.read(), &parts(&want), TOLERANCE);

                let want: Vec<_> = reference(&complex_rows(&x), n, true).iter().map(|z| z / n as f64).collect();
                assert_close(&format!("inverse {n} x {rows}"), &fft.inverse(&tensor).read(), &parts(&want), TOLERANCE);
                assert_close(&format!("round trip {n}"), &fft.inverse(&forward).read(), &f64s(&x), TOLERANCE);
            }
        }
    });
}

#[test]
fn real_transforms_of_every_length() {
    on_every_device(|gpu| {
        for n in SIZES {
            let fft = Fft::real(gpu, n);
            for rows in ROWS {
                let x = data(n as u64 + 1, rows * n);
                let tensor = Tensor::from_slice(gpu, &[rows, n], &x);
                let forward = fft.forward(&tensor);
                let full: Vec<_> = x.iter().map(|&v| Complex::new(f64::from(v), 0.0)).collect();
                let want: Vec<_> =
                    reference(&full, n, false).chunks_exact(n).flat_map(|row| row[..=n / 2].to_vec()).collect();
                assert_close(&format!("real {n} x {rows}"), &forward.read(), &parts(&want), TOLERANCE);
                assert_close(&format!("round trip {n}"), &fft.inverse(&forward).read(), &f64s(&x), TOLERANCE);
            }
        }
    });
}

#[test]
fn the_inverse_of_any_half_spectrum() {
    on_every_device(|gpu| {
        for n in SIZES {
            let half = n / 2 + 1;
            let x = data(n as u64 + 2, half * 2);
            let mut entries = complex_rows(&x);
            (entries[0].im, entries[n / 2].im) = (0.0, 0.0); // these the transform ignores
            let full: Vec<_> = (0..n).map(|k| if k < half { entries[k] } else { entries[n - k].conj() }).collect();
            let want: Vec<_> = reference(&full, n, true).iter().map(|z| z.re / n as f64).collect();
            let tensor = Tensor::from_slice(gpu, &[1, half, 2], &x);
            assert_close(&format!("half spectrum {n}"), &Fft::real(gpu, n).inverse(&tensor).read(), &want, TOLERANCE);
        }
    });
}

#[test]
fn tensors_past_the_binding_limit_are_cut() {
    let x = data(3, 130 * 64);
    let run = |max_binding_bytes| {
        let gpu = Gpu::open(&GpuOptions { max_binding_bytes, ..Default::default() }).expect("an adapter");
        let fft = Fft::real(&gpu, 64);
        let spectrum = fft.forward(&Tensor::from_slice(&gpu, &[130, 64], &x));
        (spectrum.read::<f32>(), fft.inverse(&spectrum).read::<f32>())
    };
    assert_eq!(run(None), run(Some(64 * 130 * 4)));
}

#[test]
fn energy_is_kept() {
    on_every_device(|gpu| {
        for n in SIZES {
            let x = data(7, n);
            let spectrum: Vec<f32> = Fft::real(gpu, n).forward(&Tensor::from_slice(gpu, &[1, n], &x)).read();
            let energy: f64 = f64s(&x).iter().map(|v| v * v).sum();
            // every entry but the first and the last stands for its mirror image, too
            let power: Vec<f64> = complex_rows(&spectrum).iter().map(|z| z.norm_sqr()).collect();
            let total = 2.0 * power.iter().sum::<f64>() - power[0] - power[n / 2];
            assert!((total / n as f64 / energy - 1.0).abs() < 1e-6, "{n}: {total} / {n} and {energy}");
        }
    });
}

#[test]
fn a_tone_falls_in_one_bin() {
    on_every_device(|gpu| {
        let (n, bin) = (1024, 37);
        let angle = |t: usize| 2.0 * std::f64::consts::PI * (bin * t) as f64 / n as f64;
        let x: Vec<f32> = (0..n).map(|t| angle(t).cos() as f32).collect();
        let spectrum: Vec<f32> = Fft::real(gpu, n).forward(&Tensor::from_slice(gpu, &[1, n], &x)).read();
        for (k, pair) in spectrum.chunks_exact(2).enumerate() {
            let want = if k == bin { n as f32 / 2.0 } else { 0.0 };
            assert!((pair[0] - want).abs() < 1e-4 && pair[1].abs() < 1e-4, "bin {k}: {pair:?}");
        }
    });
}

#[test]
#[should_panic(expected = "FFT length 96")]
fn other_lengths_are_refused() {
    let caps = adapter_list().into_iter().next().expect("the kernel tests need an adapter");
    Fft::real(&Gpu::dry_run(caps), 96);
}
