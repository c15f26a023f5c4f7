//! kmeans_assign.wgsl

use crate::harness::{assert_close, data, f64s, on_every_device, on_one_device};
use cola::codes::kmeans::{KMeans, KMeansConfig, plus_plus};
use cola::gpu::Gpu;
use cola::ops::kmeans::assign;
use cola::tensor::Tensor;

fn on(gpu: &Gpu, shape: [usize; 2], data: &[f32]) -> Tensor {
    Tensor::from_slice(gpu, &shape, data)
}

fn distance(points: &[f64], n: usize, i: usize, centre: &[f64]) -> f64 {
    centre.iter().enumerate().map(|(f, c)| (points[f * n + i] - c).powi(2)).sum()
}

/// The nearest centre and its squared distance, of every point.
fn nearest(points: &[f64], n: usize, centres: &[f64], features: usize) -> Vec<(usize, f64)> {
    let of = |i| {
        let distances = centres.chunks(features).map(|c| distance(points, n, i, c)).enumerate();
        distances.min_by(|a, b| a.1.total_cmp(&b.1)).expect("a centre")
    };
    (0..n).map(of).collect()
}

#[test]
fn points_go_to_their_nearest_centre() {
    on_every_device(|gpu| {
        for (features, n, k) in [(1, 1, 1), (3, 67, 5), (16, 130, 64), (64, 40, 17)] {
            let (points, centres) = (data(1, features * n), data(2, k * features));
            let got = assign(&on(gpu, [features, n], &points), &on(gpu, [k, features], &centres));
            let want = nearest(&f64s(&points), n, &f64s(&centres), features);
            let name = format!("k-means {features} x {n}, {k} centres");
            let ids: Vec<usize> = got.ids.read::<u32>().iter().map(|&id| id as usize).collect();
            assert_eq!(ids, want.iter().map(|w| w.0).collect::<Vec<_>>(), "{name}");
            assert_close(&name, &got.distances.read(), &want.iter().map(|w| w.1).collect::<Vec<_>>(), 1e-5);
        }
        // the first of two at the same place
        let twice = assign(&on(gpu, [1, 2], &[0.0, 5.0]), &on(gpu, [3, 1], &[5.0, 0.0, 0.0]));
        assert_eq!(twice.ids.read::<u32>(), [1, 0]);
    });
}

/// Lloyd's rounds in f64 from the same start.
fn reference(points: &[f64], n: usize, start: &[f64], features: usize, rounds: usize) -> f64 {
    let mut centres = start.to_vec();
    for _ in 0..rounds {
        let mut sums = vec![0.0; centres.len()];
        let mut counts = vec![0.0; centres.len() / features];
        for (i, (id, _)) in nearest(points, n, &centres, features).into_iter().enumerate() {
            counts[id] += 1.0;
            (0..features).for_each(|f| sums[id * features + f] += points[f * n + i]);
        }
        centres = sums.iter().enumerate().map(|(i, sum)| sum / counts[i / features]).collect();
    }
    nearest(points, n, &centres, features).iter().map(|w| w.1).sum()
}

#[test]
fn inertia_is_that_of_an_f64_reference() {
    on_one_device(|gpu| {
        let (features, n, k, rounds) = (8, 2000, 16, 12);
        let points = data(3, features * n);
        for seed in 0..3 {
            let start = plus_plus(&points, features, k, seed);
            let config = KMeansConfig { centres: k, rounds, tolerance: 0.0, batch: 0, seed };
            let found = KMeans::fit(&on(gpu, [features, n], &points), &start, &config);
            let want = reference(&f64s(&points), n, &f64s(&start), features, rounds);
            let got = *found.inertia.last().expect("a round");
            assert!((got / want - 1.0).abs() < 1e-3, "seed {seed}: {got}, reference {want}");
            assert!(found.inertia.windows(2).all(|w| w[1] <= w[0] * (1.0 + 1e-6)), "{:?}", found.inertia);
            assert_eq!(found.counts.iter().sum::<u64>(), n as u64);
        }
    });
}

#[test]
fn a_centre_without_points_gets_some() {
    on_one_device(|gpu| {
        let points: Vec<f32> = (0..40).map(|i| if i < 30 { i as f32 * 0.01 } else { 10.0 + i as f32 * 0.01 }).collect();
        let config = KMeansConfig { centres: 3, rounds: 20, tolerance: 0.0, batch: 0, seed: 0 };
        // the third is farther than the others from every point
        let found = KMeans::fit(&on(gpu, [1, 40], &points), &[0.0, 10.0, 1e3], &config);
        assert!(found.counts.iter().all(|&count| count > 0), "{:?}", found.counts);
    });
}

/// Heaps of points: rounds over some of the points come as near as rounds over all.
#[test]
fn mini_batches_find_the_same_heaps() {
    on_one_device(|gpu| {
        let (features, n, k) = (4, 3000, 6);
        let noise = data(5, features * n);
        let heaps = data(6, features * k);
        let points: Vec<f32> = (0..features * n).map(|i| 4.0 * heaps[i / n * k + i % n % k] + 0.1 * noise[i]).collect();
        let start = plus_plus(&points, features, k, 1);
        let config = KMeansConfig { centres: k, rounds: 40, tolerance: 0.0, batch: 0, seed: 1 };
        let points = on(gpu, [features, n], &points);
        let whole = KMeans::fit(&points, &start, &config);
        let parts = KMeans::fit(&points, &start, &KMeansConfig { batch: 128, ..config.clone() });
        let last = |found: &KMeans| *found.inertia.last().expect("a round");
        assert!((last(&parts) / last(&whole) - 1.0).abs() < 0.02, "{} of {}", last(&parts), last(&whole));
        assert!(parts.counts.iter().all(|&count| count == n as u64 / k as u64), "{:?}", parts.counts);
        assert_eq!(parts, KMeans::fit(&points, &start, &KMeansConfig { batch: 128, ..config }), "the same seed");
    });
}
