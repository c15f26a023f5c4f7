//! k-means: centres that keep the sum of squared distances from points to their nearest centre, the inertia, small
//! (Lloyd 1982), started by k-means++ (Arthur and Vassilvitskii 2007).
//!
//! Distances and sums of a round are the device's. In mini-batches (Sculley 2010) a round costs what its batch does and
//! not what all points do; every centre is then the mean of all the points that it was given on the way.

use crate::ops::kmeans::{assign, sums};
use crate::ops::token_embedding::Tokens;
use crate::tensor::Tensor;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// How centres are looked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KMeansConfig {
    /// Number of centres, K.
    pub centres: usize,
    /// The most rounds.
    pub rounds: usize,
    /// Rounds over all points end when one lowers the inertia by less than this part of it.
    pub tolerance: f64,
    /// Points a round, drawn anew for each; 0 for all of them.
    pub batch: usize,
    /// Decides the start, and the mini-batches.
    pub seed: u64,
}

/// Centres and what became of the inertia.
#[derive(Clone, Debug, PartialEq)]
pub struct KMeans {
    /// `[K][D]`
    pub centres: Vec<f32>,
    /// Inertia before each round over all points and after the last, never rising but where an empty cluster was filled.
    pub inertia: Vec<f64>,
    /// Points of each centre at the end.
    pub counts: Vec<u64>,
}

/// Where to start: the first centre one of the points, each other one a point drawn with a probability that goes with its
/// squared distance to the nearest centre so far. `points` on the host, `[D][N]`; centres `[K][D]`.
///
/// # Panics
/// When there are fewer points than centres.
#[track_caller]
pub fn plus_plus(points: &[f32], features: usize, centres: usize, seed: u64) -> Vec<f32> {
    let n = points.len() / features;
    assert!((1..=n).contains(&centres), "{centres} centres of {n} points");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let point = |i: usize| (0..features).map(move |f| points[f * n + i]);
    let mut chosen: Vec<f32> = point(rng.random_range(0..n)).collect();
    let mut nearest = vec![f64::INFINITY; n];
    while chosen.len() < centres * features {
        let last = &chosen[chosen.len() - features..];
        let mut distances = vec![0.0; n];
        for (row, &c) in points.chunks(n).zip(last) {
            distances.iter_mut().zip(row).for_each(|(d, &x)| *d += f64::from(x - c).powi(2));
        }
        nearest.iter_mut().zip(&distances).for_each(|(least, &d)| *least = least.min(d));
        let mut left = rng.random_range(0.0..1.0) * nearest.iter().sum::<f64>();
        // the last one for a sum that rounding has left short; any where all points are centres
        let drawn = nearest.iter().position(|d| {
            left -= d;
            left < 0.0
        });
        chosen.extend(point(drawn.unwrap_or(n - 1)));
    }
    chosen
}

impl KMeans {
    /// Rounds of assigning points `[D, N]` and moving the centres, from `start` `[K][D]`. A centre that has lost all its
    /// points goes to the point that is farthest from its own.
    ///
    /// # Panics
    /// When the start is not whole centres, or there are fewer points.
    #[track_caller]
    pub fn fit(points: &Tensor, start: &[f32], config: &KMeansConfig) -> KMeans {
        let ([features, n], gpu) = (points.dims2(), points.gpu());
        let k = config.centres;
        assert!(start.len() == k * features && n >= k, "{k} centres of {n} points of {features}");
        let mut centres = start.to_vec();
        if config.batch > 0 {
            mini_batches(points, &mut centres, config);
        }
        let rounds = if config.batch > 0 { REPAIRS } else { config.rounds };
        let mut inertia: Vec<f64> = Vec::new();
        loop {
            let now = assign(points, &Tensor::from_slice(gpu, &[k, features], &centres));
            let (ids, distances) = (now.ids.read::<u32>(), now.distances.read::<f32>());
            inertia.push(distances.iter().map(|&d| f64::from(d)).sum());
            let counts = count(&ids, k);
            let settled = match inertia[..] {
                _ if config.batch > 0 => true,
                [.., before, after] => before - after <= config.tolerance * before,
                _ => false,
            };
            let empty = counts.contains(&0);
            if inertia.len() > rounds || (settled && !empty) {
                return KMeans { centres, inertia, counts };
            }
            move_centres(&mut centres, points, &ids, &counts, &vec![0; k]);
            if empty {
                fill(&mut centres, points, &counts, &distances);
            }
        }
    }
}

/// Rounds over all points behind mini-batches that leave a centre without any.
const REPAIRS: usize = 10;

/// Rounds that each move the centres by some of the points.
fn mini_batches(points: &Tensor, centres: &mut [f32], config: &KMeansConfig) {
    let ([features, n], gpu, k) = (points.dims2(), points.gpu(), config.centres);
    let values = points.read::<f32>();
    let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
    // apart from the draws of the start
    rng.set_stream(1);
    let mut seen = vec![0; k];
    for _ in 0..config.rounds {
        let drawn: Vec<usize> = (0..config.batch).map(|_| rng.random_range(0..n)).collect();
        let batch: Vec<f32> =
            (0..features).flat_map(|f| drawn.iter().map(move |i| (f, i))).map(|(f, i)| values[f * n + i]).collect();
        let batch = Tensor::from_slice(gpu, &[features, config.batch], &batch);
        let ids = assign(&batch, &Tensor::from_slice(gpu, &[k, features], centres)).ids.read::<u32>();
        let counts = count(&ids, k);
        move_centres(centres, &batch, &ids, &counts, &seen);
        seen.iter_mut().zip(&counts).for_each(|(seen, count)| *seen += count);
    }
}

/// Points of each of `k` ids.
fn count(ids: &[u32], k: usize) -> Vec<u64> {
    let mut counts = vec![0; k];
    ids.iter().for_each(|&id| counts[id as usize] += 1);
    counts
}

/// Every centre that got points becomes their mean, and that of the points that it had `seen` before.
fn move_centres(centres: &mut [f32], points: &Tensor, ids: &[u32], counts: &[u64], seen: &[u64]) {
    let ([features, _], k) = (points.dims2(), counts.len());
    let total = sums(points, &Tokens::new(points.gpu(), ids, k), k);
    for (id, (&count, &seen)) in counts.iter().zip(seen).enumerate().filter(|(_, (count, _))| **count > 0) {
        for f in 0..features {
            let centre = &mut centres[id * features + f];
            let before = f64::from(*centre) * seen as f64;
            *centre = ((before + f64::from(total[f * k + id])) / (seen + count) as f64) as f32;
        }
    }
}

/// Moves each centre without points to one of the points farthest from theirs.
fn fill(centres: &mut [f32], points: &Tensor, counts: &[u64], distances: &[f32]) {
    let [features, n] = points.dims2();
    let mut farthest: Vec<usize> = (0..n).collect();
    farthest.sort_by(|&a, &b| distances[b].total_cmp(&distances[a]).then(a.cmp(&b)));
    let values = points.read::<f32>();
    let empty = counts.iter().enumerate().filter(|(_, count)| **count == 0);
    for ((id, _), point) in empty.zip(farthest) {
        for f in 0..features {
            centres[id * features + f] = values[f * n + point];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_is_spread_over_the_points() {
        // three heaps on a line, far apart
        let points: Vec<f32> = (0..300).map(|i| (i % 3) as f32 * 100.0 + (i / 3) as f32 * 0.01).collect();
        for seed in 0..20 {
            let mut heaps: Vec<u32> =
                plus_plus(&points, 1, 3, seed).iter().map(|x| (x / 100.0).round() as u32).collect();
            heaps.sort_unstable();
            assert_eq!(heaps, [0, 1, 2], "seed {seed}");
        }
        assert_eq!(plus_plus(&points, 1, 5, 1), plus_plus(&points, 1, 5, 1));
    }

    #[test]
    fn equal_points_are_no_endless_loop() {
        assert_eq!(plus_plus(&[2.0; 4], 1, 4, 0), [2.0; 4]);
    }
}
