//! k-means with the k-means++ start.
//!
//! By hand: the kept crate for it (linfa-clustering) brings a matrix library of its own and 60 more crates.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Passes over the points; they settle long before.
const PASSES: usize = 50;

/// Starts tried; the one with the smallest sum of squared distances is taken.
const STARTS: u64 = 3;

/// Cluster of each row of `values` `[rows, cols]`, in `0..k`, largest cluster first. The same seed gives the same.
///
/// # Panics
/// If `cols` or `k` is 0 or `values` is not a whole number of rows.
#[track_caller]
pub fn k_means(values: &[f32], cols: usize, k: usize, seed: u64) -> Vec<usize> {
    assert!(cols > 0 && k > 0 && values.len().is_multiple_of(cols), "{} values in rows of {cols}", values.len());
    let rows: Vec<&[f32]> = values.chunks_exact(cols).collect();
    let runs = (0..STARTS).map(|start| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(start);
        settle(&rows, k.min(rows.len()), &mut rng)
    });
    let best = runs.min_by(|a, b| a.1.total_cmp(&b.1));
    let clusters = best.map_or_else(Vec::new, |(clusters, _)| clusters);
    let mut sizes: Vec<(usize, usize)> =
        (0..k).map(|cluster| (clusters.iter().filter(|&&c| c == cluster).count(), cluster)).collect();
    sizes.sort_by_key(|&(size, cluster)| (std::cmp::Reverse(size), cluster));
    let mut rank = vec![0; k];
    sizes.iter().enumerate().for_each(|(place, &(_, cluster))| rank[cluster] = place);
    clusters.into_iter().map(|cluster| rank[cluster]).collect()
}

/// Clusters from one start, and the sum of squared distances to their centres.
fn settle(rows: &[&[f32]], k: usize, rng: &mut ChaCha8Rng) -> (Vec<usize>, f64) {
    let mut centres = first_centres(rows, k, rng);
    let mut clusters = vec![usize::MAX; rows.len()];
    for _ in 0..PASSES {
        let nearest: Vec<usize> = rows.iter().map(|row| nearest(row, &centres).0).collect();
        if nearest == clusters {
            break;
        }
        clusters = nearest;
        for (cluster, centre) in centres.iter_mut().enumerate() {
            let own: Vec<_> = rows.iter().zip(&clusters).filter(|(_, c)| **c == cluster).map(|(row, _)| row).collect();
            // A centre that lost all its points stays where it is.
            if !own.is_empty() {
                centre.fill(0.0);
                own.iter().for_each(|row| centre.iter_mut().zip(row.iter()).for_each(|(c, &x)| *c += f64::from(x)));
                centre.iter_mut().for_each(|c| *c /= own.len() as f64);
            }
        }
    }
    let error = rows.iter().map(|row| nearest(row, &centres).1).sum();
    (clusters, error)
}

/// k-means++: each next centre is a row, drawn by its squared distance to the nearest one so far.
fn first_centres(rows: &[&[f32]], k: usize, rng: &mut ChaCha8Rng) -> Vec<Vec<f64>> {
    let as_centre = |row: &&[f32]| row.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>();
    let mut centres = Vec::with_capacity(k);
    while centres.len() < k {
        let far: Vec<f64> = rows.iter().map(|row| nearest(row, &centres).1).collect();
        let total: f64 = far.iter().sum();
        let chosen = if centres.is_empty() || total <= 0.0 {
            rng.random_range(0..rows.len())
        } else {
            let mut left = rng.random_range(0.0..total);
            far.iter()
                .position(|far| {
                    left -= far;
                    left < 0.0
                })
                // Rounding may leave a little over.
                .unwrap_or(rows.len() - 1)
        };
        centres.push(as_centre(&rows[chosen]));
    }
    centres
}

/// The nearest centre and the squared distance to it; infinity without centres.
fn nearest(row: &[f32], centres: &[Vec<f64>]) -> (usize, f64) {
    let distance = |centre: &[f64]| row.iter().zip(centre).map(|(&x, c)| (f64::from(x) - c).powi(2)).sum::<f64>();
    let all = centres.iter().enumerate().map(|(i, centre)| (i, distance(centre)));
    all.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, f64::INFINITY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heaps_are_told_apart_largest_first() {
        let heaps = [([0.0, 0.0], 5), ([10.0, 0.0], 9), ([0.0, 10.0], 7)];
        let mut values = Vec::new();
        for (centre, count) in heaps {
            for i in 0..count {
                values.extend([centre[0] + (i as f32).sin() * 0.5, centre[1] + (i as f32).cos() * 0.5]);
            }
        }
        for seed in 0..5 {
            let clusters = k_means(&values, 2, 3, seed);
            assert_eq!(clusters, [[2; 5].as_slice(), &[0; 9], &[1; 7]].concat());
        }
    }

    #[test]
    fn few_or_equal_rows_are_no_trouble() {
        assert_eq!(k_means(&[], 2, 3, 0), [0usize; 0]);
        assert_eq!(k_means(&[1.0, 2.0], 2, 3, 0), [0]);
        let equal = k_means(&[1.0; 10], 2, 3, 0);
        assert!(equal.iter().all(|&c| c == equal[0]));
    }
}
