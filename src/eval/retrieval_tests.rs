use approx::assert_abs_diff_eq;
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::super::embed::Row;
use super::*;

fn random(count: usize, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// Cosine of two rows after standardising by `by`, straight from the definition.
fn cosine(values: &[f32], cols: usize, by: &[usize], a: usize, b: usize) -> f64 {
    let at = |row: usize, col: usize| f64::from(values[row * cols + col]);
    let z = |row: usize, col: usize| {
        let mean = by.iter().map(|&r| at(r, col)).sum::<f64>() / by.len() as f64;
        let variance = by.iter().map(|&r| (at(r, col) - mean).powi(2)).sum::<f64>() / by.len() as f64;
        (at(row, col) - mean) / variance.sqrt()
    };
    let product = |a: usize, b: usize| (0..cols).map(|col| z(a, col) * z(b, col)).sum::<f64>();
    product(a, b) / (product(a, a) * product(b, b)).sqrt()
}

/// Precision at k and average precision by counting, for every query, how many rows stand before each.
fn by_counting(values: &[f32], cols: usize, labels: &[Vec<u32>]) -> [f64; 4] {
    let all: Vec<usize> = (0..labels.len()).collect();
    let same = |a: usize, b: usize| labels[a].iter().any(|label| labels[b].contains(label));
    let mut sums = [0.0; 4];
    let mut queries = 0.0;
    for &query in &all {
        let others: Vec<usize> = all.iter().copied().filter(|&row| row != query).collect();
        let similarity = |row: usize| cosine(values, cols, &all, query, row);
        let rank = |row: usize| 1 + others.iter().filter(|&&other| similarity(other) > similarity(row)).count();
        let right: Vec<usize> = others.iter().copied().filter(|&row| same(query, row)).map(rank).collect();
        if right.is_empty() {
            continue;
        }
        queries += 1.0;
        for (sum, k) in sums.iter_mut().zip([1, 5, 10]) {
            *sum += right.iter().filter(|&&rank| rank <= k).count() as f64 / k.min(others.len()) as f64;
        }
        let precision = |rank: usize| right.iter().filter(|&&other| other <= rank).count() as f64 / rank as f64;
        sums[3] += right.iter().map(|&rank| precision(rank)).sum::<f64>() / right.len() as f64;
    }
    sums.map(|sum| sum / queries)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn retrieval_is_what_counting_gives(rows in 3usize..24, cols in 2usize..6, kinds in 1u32..5, seed in 0u64..1000) {
        let values = random(rows * cols, seed);
        // One label each, but a second one for every fifth clip.
        let label = |row: usize| (row as u32 * 7 + seed as u32) % kinds;
        let labels: Vec<Vec<u32>> =
            (0..rows).map(|row| if row % 5 == 4 { vec![label(row), kinds] } else { vec![label(row)] }).collect();
        if let Some(found) = retrieval(&values, cols, &labels) {
            let expected = by_counting(&values, cols, &labels);
            let found =
                [found.precision_at_1, found.precision_at_5, found.precision_at_10, found.mean_average_precision];
            for (found, expected) in found.iter().zip(expected) {
                prop_assert!((found - expected).abs() < 1e-9, "{found} {expected}");
            }
        }
    }

    #[test]
    fn a_vote_is_what_counting_gives(rows in 4usize..24, cols in 2usize..6, k in 1usize..6, seed in 0u64..1000) {
        let values = random(rows * cols, seed);
        let labels: Vec<u32> = (0..rows).map(|row| (row as u32 * 5 + seed as u32) % 3).collect();
        let is_train: Vec<bool> = (0..rows).map(|row| row % 3 != 0).collect();
        let train: Vec<usize> = (0..rows).filter(|&row| is_train[row]).collect();
        let (mut right, mut tested) = (0, 0);
        for row in (0..rows).filter(|row| !is_train[*row]) {
            let mut near = train.clone();
            near.sort_by(|&a, &b| cosine(&values, cols, &train, row, b).total_cmp(&cosine(&values, cols, &train, row, a)));
            near.truncate(k);
            let votes = |label: u32| near.iter().filter(|&&other| labels[other] == label).count();
            let most = (0..3).map(votes).max().unwrap();
            let winner = near.iter().map(|&other| labels[other]).find(|&label| votes(label) == most).unwrap();
            right += usize::from(winner == labels[row]);
            tested += 1;
        }
        let found = knn_accuracy(&values, cols, &labels, &is_train, k).unwrap();
        prop_assert!((found - right as f64 / tested as f64).abs() < 1e-12);
    }
}

#[test]
fn groups_far_apart_are_found_entirely() {
    let values = [1.0, 0.1, 1.0, -0.1, 0.9, 0.0, -1.0, 0.1, -1.0, -0.1, -0.9, 0.0];
    let labels: Vec<Vec<u32>> = [0, 0, 0, 1, 1, 1].map(|label| vec![label]).to_vec();
    let found = retrieval(&values, 2, &labels).unwrap();
    assert_eq!((found.precision_at_1, found.queries), (1.0, 6));
    // Two right ones among the five others, whatever the order.
    assert_abs_diff_eq!(found.precision_at_5, 0.4, epsilon = 1e-12);
    assert_abs_diff_eq!(found.precision_at_10, 0.4, epsilon = 1e-12);
    assert_abs_diff_eq!(found.chance, 0.4, epsilon = 1e-12);
    assert_eq!(retrieval(&values, 2, &[0, 1, 2, 3, 4, 5].map(|label| vec![label])), None);
    assert_eq!(knn_accuracy(&values, 2, &[0; 6], &[true; 6], 3), None);
}

#[test]
fn scores_of_a_task_are_kept_with_the_run() {
    let run = tempfile::tempdir().unwrap();
    let clip = |label: u32, split| Clip { path: "x.wav".into(), start: 0, samples: 16_000, labels: vec![label], split };
    let clips: Vec<Clip> = (0..8).map(|i| clip(i % 2, if i < 4 { Split::Train } else { Split::Test })).collect();
    let vectors = Vectors {
        cols: 2,
        rows: (0..8).map(|clip| Row { clip, start_s: 0.0 }).collect(),
        values: (0..8).flat_map(|i| [if i % 2 == 0 { 1.0 } else { -1.0 }, 0.5]).collect(),
        ..Vectors::default()
    };
    for name in ["pre-trained", "untrained encoder", "pre-trained"] {
        NeighbourScore::of("birds", name, &vectors, &clips).save(run.path()).unwrap();
    }
    let scores = NeighbourScore::all_of(run.path());
    assert_eq!(scores.iter().map(|s| &s.representation[..]).collect::<Vec<_>>(), ["untrained encoder", "pre-trained"]);
    assert_eq!((scores[0].knn_accuracy, scores[0].test_clips), (Some(1.0), 4));
    let words = scores[0].in_words();
    assert!(words.contains("nearest neighbours 100.0%") && words.contains("at 1, 5, 10: 100.0%"), "{words}");
}
