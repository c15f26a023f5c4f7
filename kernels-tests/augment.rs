//! augment/mixup.wgsl, augment/resize_crop.wgsl, augment/mask.wgsl, augment/equalise.wgsl, augment/patches.wgsl,
//! augment/blur.wgsl

use crate::harness::{assert_close, data, f64s, on_every_device};
use cola::gpu::{Gpu, GpuOptions};
use cola::ops::augment::{Draws, blur, equalise, key, mask, mixup, patches, resize_crop};
use cola::tensor::Tensor;

/// Samples, frames, bands: the model's own, and odd ones.
const SHAPES: [[usize; 3]; 4] = [[6, 96, 64], [5, 7, 3], [1, 13, 5], [70, 4, 9]];

fn check(name: &str, op: impl Fn(&Tensor, u32) -> Tensor, reference: impl Fn(&[f64], [usize; 3], u32) -> Vec<f64>) {
    on_every_device(|gpu| {
        for (k, shape) in SHAPES.into_iter().enumerate() {
            let [samples, frames, bands] = shape;
            let x = data(k as u64, samples * frames * bands);
            let tensor = Tensor::from_slice(gpu, &[1, samples, frames, bands], &x);
            for step in 0..3 {
                let key = key(7, step, 1);
                let y = op(&tensor, key);
                assert_eq!(y.shape(), tensor.shape());
                assert_close(&format!("{name} {shape:?}"), &y.read(), &reference(&f64s(&x), shape, key), 2e-5);
            }
        }
    });
}

#[test]
fn mixup_adds_magnitudes_of_another_sample() {
    let reference = |x: &[f64], [samples, frames, bands]: [usize; 3], key| {
        let plane = frames * bands;
        (0..samples * plane)
            .map(|i| {
                let draws = Draws { key, sample: (i / plane) as u32 };
                if samples == 1 {
                    return x[i];
                }
                let other = (i / plane + 1 + draws.below(0, samples as u32 - 1) as usize) % samples;
                assert_ne!(other, i / plane);
                let r = 0.4 * f64::from(draws.uniform(1));
                ((1.0 - r) * x[i].exp() + r * x[other * plane + i % plane].exp()).ln()
            })
            .collect()
    };
    check("mixup", |x, key| mixup(x, 0.4, key), reference);
}

#[test]
fn resize_crop_stretches_a_part() {
    let reference = |x: &[f64], [samples, frames, bands]: [usize; 3], key| {
        let axis = |points: usize, canvas: f64, size: f64, place: f64| {
            let points = points as f64;
            let part = ((0.6 + 0.9 * size) * points).min(canvas);
            (place * (canvas - part) - 0.5 * (canvas - points), (part - 1.0) / (points - 1.0).max(1.0))
        };
        let at = |n: usize, f: i64, b: i64| {
            let inside = (0..frames as i64).contains(&f) && (0..bands as i64).contains(&b);
            if inside { x[(n * frames + f as usize) * bands + b as usize] } else { 0.0 }
        };
        let mut y = Vec::new();
        for n in 0..samples {
            let draws = Draws { key, sample: n as u32 };
            let draw = |counter| f64::from(draws.uniform(counter));
            let time = axis(frames, 1.5 * frames as f64, draw(0), draw(1));
            let mel = axis(bands, bands as f64, draw(2), draw(3));
            for i in 0..frames * bands {
                let (t, m) = (time.0 + time.1 * (i / bands) as f64, mel.0 + mel.1 * (i % bands) as f64);
                let (f, b, dt, dm) = (t.floor() as i64, m.floor() as i64, t - t.floor(), m - m.floor());
                let low = at(n, f, b) * (1.0 - dm) + at(n, f, b + 1) * dm;
                let high = at(n, f + 1, b) * (1.0 - dm) + at(n, f + 1, b + 1) * dm;
                y.push(low * (1.0 - dt) + high * dt);
            }
        }
        y
    };
    check("resize_crop", resize_crop, reference);
}

#[test]
fn masks_cover_stripes_of_the_second_half() {
    let reference = |x: &[f64], [samples, frames, bands]: [usize; 3], key| {
        let mut y = x.to_vec();
        for n in samples / 2..samples {
            let draws = Draws { key, sample: n as u32 };
            let stripe = |k: u32, points: usize| {
                let width = draws.below(2 * k, 11).min(points as u32) as usize;
                let start = draws.below(2 * k + 1, (points - width + 1) as u32) as usize;
                start..start + width
            };
            for k in 0..2 {
                let (time, mel) = (stripe(k, frames), stripe(2 + k, bands));
                let covered = |i: &usize| time.contains(&(i / bands)) || mel.contains(&(i % bands));
                (0..frames * bands).filter(covered).for_each(|i| y[n * frames * bands + i] = 0.0);
            }
        }
        y
    };
    check("mask", |x, key| mask(x, x.shape()[1] / 2, key), reference);
}

#[test]
fn equalising_adds_a_curve_over_the_bands() {
    let reference = |x: &[f64], [_, frames, bands]: [usize; 3], key| {
        let mut y = x.to_vec();
        for (i, y) in y.iter_mut().enumerate() {
            let draws = Draws { key, sample: (i / (frames * bands)) as u32 };
            let value = |knot: usize| 0.6 * 10f64.ln() * (2.0 * f64::from(draws.uniform(knot as u32)) - 1.0);
            let place = 4.0 * (i % bands) as f64 / (bands - 1).max(1) as f64;
            let knot = (place as usize).min(3);
            *y += value(knot) + (place - knot as f64) * (value(knot + 1) - value(knot));
        }
        y
    };
    check("equalise", equalise, reference);
}

#[test]
fn patches_cover_rectangles() {
    let reference = |x: &[f64], [samples, frames, bands]: [usize; 3], key| {
        let mut y = x.to_vec();
        for n in 0..samples {
            let draws = Draws { key, sample: n as u32 };
            let side = |counter: u32, points: usize, most: u32| {
                let size = (1 + draws.below(counter, most)).min(points as u32) as usize;
                let start = draws.below(counter + 1, (points - size + 1) as u32) as usize;
                start..start + size
            };
            for k in 0..3 {
                for frame in side(4 * k, frames, 32) {
                    side(4 * k + 2, bands, 24).for_each(|band| y[(n * frames + frame) * bands + band] = 0.0);
                }
            }
        }
        y
    };
    check("patches", patches, reference);
}

#[test]
fn blurring_weighs_neighbours() {
    let reference = |x: &[f64], [samples, frames, bands]: [usize; 3], key| {
        let mut y = Vec::new();
        for n in 0..samples {
            let s = 0.3 + 1.2 * f64::from(Draws { key, sample: n as u32 }.uniform(0));
            let weight = |i: i64| (-((i * i) as f64) / (2.0 * s * s)).exp();
            let total: f64 = (-3..=3).map(weight).sum();
            let near = |at: usize, i: i64, points: usize| (at as i64 + i).clamp(0, points as i64 - 1) as usize;
            for i in 0..frames * bands {
                let row = |di| (n * frames + near(i / bands, di, frames)) * bands;
                let value = |di, dj| weight(di) * weight(dj) * x[row(di) + near(i % bands, dj, bands)];
                let sum: f64 = (-3..=3).flat_map(|di| (-3..=3).map(move |dj| (di, dj))).map(|(i, j)| value(i, j)).sum();
                y.push(sum / (total * total));
            }
        }
        y
    };
    check("blur", blur, reference);
}

#[test]
fn draws_spread_evenly_and_hang_on_every_part_of_their_key() {
    let mean =
        |f: &dyn Fn(u32) -> u32| (0..20_000).map(|i| f64::from(f(i))).sum::<f64>() / 20_000.0 / f64::from(u32::MAX);
    for k in [key(0, 0, 0), key(0, 0, 1), key(0, 1, 0), key(1, 0, 0), key(1 << 40, 0, 0)] {
        assert!((mean(&|sample| Draws { key: k, sample }.bits(3)) - 0.5).abs() < 0.01);
    }
    assert!((mean(&|step| key(3, u64::from(step), 2)) - 0.5).abs() < 0.01);
    let keys: std::collections::BTreeSet<u32> = (0..4096).map(|i| key(i % 8, i / 8 % 64, (i / 512) as u32)).collect();
    assert_eq!(keys.len(), 4096);
}

#[test]
fn large_batches_are_cut_into_ranges() {
    let x: Vec<f32> = data(1, 128 * 4 * 4);
    let run = |max_binding_bytes| {
        let gpu = Gpu::open(&GpuOptions { max_binding_bytes, ..Default::default() }).expect("an adapter");
        let x = Tensor::from_slice(&gpu, &[1, 128, 4, 4], &x);
        [mixup(&x, 0.4, 5), resize_crop(&x, 5), mask(&x, 64, 5)].map(|t| t.read::<f32>())
    };
    let (whole, cut) = (run(None), run(Some(4096)));
    let first = 64 * 4 * 4;
    for (op, (whole, cut)) in ["mixup", "resize_crop", "mask"].iter().zip(whole.iter().zip(&cut)) {
        assert!(cut.iter().all(|v| v.is_finite()), "{op}");
        assert_eq!(whole.len(), cut.len(), "{op}");
        // The first range has the same key; a partner in mixup comes from the same range.
        assert_eq!(whole[..first] == cut[..first], *op != "mixup", "{op}");
        assert!(whole[first..] != cut[first..], "{op}: the second range draws what the first one drew");
    }
    // Masks begin at the second half wherever the cut is.
    for y in [&whole[2], &cut[2]] {
        assert_eq!(y[..first], x[..first]);
        assert_ne!(y[first..], x[first..]);
    }
}
