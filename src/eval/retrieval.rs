//! What nearest neighbours say about labels, without any training: k-NN accuracy and retrieval.
//!
//! The cosine between vectors of whole clips, each feature standardised first ([`standardised`]).

use super::embed::Vectors;
use super::neighbours::{CosineIndex, standardised};
use crate::audio::{Clip, Split};
use crate::train::atomic::{WriteError, write_atomic};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::Path;

/// Neighbours that vote.
pub const K: usize = 10;

/// Every clip is compared with every other, so of larger sets so many clips are taken, spread evenly.
const MOST_CLIPS: usize = 2000;

/// How well clips find others of their label, every clip being asked for once and left out of its own answer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retrieval {
    /// Share of right ones among the first 1, 5 and 10 answers.
    pub precision_at_1: f64,
    /// As above.
    pub precision_at_5: f64,
    /// As above.
    pub precision_at_10: f64,
    /// Mean over the queries of the average precision: the mean, over the right answers, of the precision down to each.
    pub mean_average_precision: f64,
    /// What an order without sense gives on the average as precision: the share of other clips that are right.
    pub chance: f64,
    /// Clips asked for: those that share a label with another.
    pub queries: usize,
}

/// Retrieval among `rows` clips of `values` `[rows, cols]`, a list of labels each; clips that share one are right
/// answers to each other. `None` where no clip shares any. With fewer than k others, precision at k is over those.
///
/// # Panics
/// If there are not as many lists as rows.
#[track_caller]
pub fn retrieval(values: &[f32], cols: usize, labels: &[Vec<u32>]) -> Option<Retrieval> {
    assert_eq!(values.len(), labels.len() * cols, "values of {} clips", labels.len());
    let index = CosineIndex::new(&standardised(values, cols), cols);
    let mut sums = [0.0; 5];
    let mut queries = 0;
    for (query, wanted) in labels.iter().enumerate() {
        let is_right = |row: usize| labels[row].iter().any(|label| wanted.contains(label));
        let answers: Vec<bool> = index.nearest_to_row(query, usize::MAX).iter().map(|n| is_right(n.row)).collect();
        let right = answers.iter().filter(|right| **right).count();
        if right == 0 {
            continue;
        }
        queries += 1;
        let precision_at = |k: usize| {
            let first = &answers[..k.min(answers.len())];
            first.iter().filter(|right| **right).count() as f64 / first.len() as f64
        };
        let ranks = answers.iter().enumerate().filter(|(_, right)| **right).map(|(rank, _)| rank + 1);
        let average = ranks.enumerate().map(|(before, rank)| (before + 1) as f64 / rank as f64).sum::<f64>();
        let of_query = [
            precision_at(1),
            precision_at(5),
            precision_at(10),
            average / right as f64,
            right as f64 / answers.len() as f64,
        ];
        sums.iter_mut().zip(of_query).for_each(|(sum, x)| *sum += x);
    }
    let [precision_at_1, precision_at_5, precision_at_10, mean_average_precision, chance] =
        sums.map(|sum| sum / f64::from(queries));
    let queries = queries as usize;
    (queries > 0).then_some(Retrieval {
        precision_at_1,
        precision_at_5,
        precision_at_10,
        mean_average_precision,
        chance,
        queries,
    })
}

/// Share of the other rows that get their own label by a vote of their `k` nearest neighbours among those of
/// `is_train`; of labels with as many votes the one of the nearest neighbour wins. Features are standardised by the
/// training rows. `None` where there is nothing to learn from or to test.
///
/// # Panics
/// If there are not as many labels and flags as rows.
#[track_caller]
pub fn knn_accuracy(values: &[f32], cols: usize, labels: &[u32], is_train: &[bool], k: usize) -> Option<f64> {
    assert_eq!((values.len(), labels.len()), (labels.len() * cols, is_train.len()), "values, labels and flags");
    let (train, test): (Vec<usize>, Vec<usize>) = (0..labels.len()).partition(|&row| is_train[row]);
    if train.is_empty() || test.is_empty() {
        return None;
    }
    let scale = Scale::of(values, cols, &train);
    let of_rows =
        |rows: &[usize]| rows.iter().flat_map(|&row| scale.apply(row_of(values, cols, row))).collect::<Vec<_>>();
    let index = CosineIndex::new(&of_rows(&train), cols);
    let right = test.iter().filter(|&&row| {
        let nearest = index.nearest(&scale.apply(row_of(values, cols, row)), k);
        let votes: Vec<u32> = nearest.iter().map(|n| labels[train[n.row]]).collect();
        vote(&votes) == Some(labels[row])
    });
    Some(right.count() as f64 / test.len() as f64)
}

fn row_of(values: &[f32], cols: usize, row: usize) -> &[f32] {
    &values[row * cols..(row + 1) * cols]
}

/// The most frequent label; of equals the one that comes first.
fn vote(votes: &[u32]) -> Option<u32> {
    let count = |label: u32| votes.iter().filter(|&&other| other == label).count();
    // max_by_key returns the last of equals.
    votes.iter().rev().copied().max_by_key(|&label| count(label))
}

/// Mean and 1 / deviation of each column over some rows; a column that never changes becomes 0.
struct Scale {
    mean: Vec<f64>,
    factor: Vec<f64>,
}

impl Scale {
    fn of(values: &[f32], cols: usize, rows: &[usize]) -> Scale {
        let mean_of = |term: &dyn Fn(usize, f64) -> f64| -> Vec<f64> {
            let mut sums = vec![0.0; cols];
            for &row in rows {
                let row = row_of(values, cols, row).iter().enumerate();
                row.for_each(|(col, &x)| sums[col] += term(col, f64::from(x)) / rows.len() as f64);
            }
            sums
        };
        let mean = mean_of(&|_, x| x);
        let variance = mean_of(&|col, x| (x - mean[col]).powi(2));
        let factor = variance.iter().map(|&v| if v > 1e-24 { 1.0 / v.sqrt() } else { 0.0 }).collect();
        Scale { mean, factor }
    }

    fn apply(&self, row: &[f32]) -> Vec<f32> {
        let scaled = row.iter().zip(self.mean.iter().zip(&self.factor));
        scaled.map(|(&x, (mean, factor))| ((f64::from(x) - mean) * factor) as f32).collect()
    }
}

/// What neighbours say about a representation on a task, kept with the run in `RUN/neighbours/<task>.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NeighbourScore {
    /// Name of the labelled set.
    pub task: String,
    /// Of what the vectors are: `pre-trained`, `untrained encoder`, `log-mel statistics`.
    pub representation: String,
    /// [`knn_accuracy`] of the test clips with [`K`] neighbours; `None` where clips have several labels.
    pub knn_accuracy: Option<f64>,
    /// Clips that it is measured on.
    pub test_clips: usize,
    /// Among all clips of the task, both halves.
    pub retrieval: Option<Retrieval>,
}

impl NeighbourScore {
    /// Measures vectors of clips of a labelled task.
    pub fn of(task: &str, representation: &str, vectors: &Vectors, clips: &[Clip]) -> NeighbourScore {
        let means = vectors.mean_by_clip();
        let clip = |row: usize| &clips[means.rows[row].clip as usize];
        let rows = means.rows.len();
        let some: Vec<usize> = (0..rows.min(MOST_CLIPS)).map(|i| i * rows / rows.min(MOST_CLIPS)).collect();
        let values: Vec<f32> = some.iter().flat_map(|&row| means.row(row).iter().copied()).collect();
        let labels: Vec<_> = some.iter().map(|&row| clip(row).labels.clone()).collect();
        let single: Option<Vec<u32>> =
            (0..rows).map(|row| if let [label] = clip(row).labels[..] { Some(label) } else { None }).collect();
        let is_train: Vec<bool> = (0..rows).map(|row| clip(row).split == Split::Train).collect();
        NeighbourScore {
            task: task.into(),
            representation: representation.into(),
            knn_accuracy: single.and_then(|labels| knn_accuracy(&means.values, means.cols, &labels, &is_train, K)),
            test_clips: is_train.iter().filter(|train| !**train).count(),
            retrieval: retrieval(&values, means.cols, &labels),
        }
    }

    /// Puts it into the folder of a run, in place of an earlier one of the same task and representation.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn save(&self, run: &Path) -> Result<(), WriteError> {
        let folder = run.join("neighbours");
        let path = folder.join(format!("{}.json", self.task));
        std::fs::create_dir_all(&folder).map_err(|source| WriteError::new(&path, source))?;
        let mut scores = read_scores(&path);
        scores.retain(|earlier| earlier.representation != self.representation);
        scores.push(self.clone());
        write_atomic(&path, |file| {
            serde_json::to_writer_pretty(&mut *file, &scores)?;
            file.write_all(b"\n")
        })
    }

    /// Those in the folder of a run, tasks in order of their names.
    pub fn all_of(run: &Path) -> Vec<NeighbourScore> {
        let Ok(folder) = std::fs::read_dir(run.join("neighbours")) else { return Vec::new() };
        let mut files: Vec<_> = folder.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.sort();
        files.iter().flat_map(|path| read_scores(path)).collect()
    }

    /// In one line.
    pub fn in_words(&self) -> String {
        let percent = |share: f64| format!("{:.1}%", 100.0 * share);
        let knn = self.knn_accuracy.map(|share| format!("accuracy of the {K} nearest neighbours {}", percent(share)));
        let retrieval = self.retrieval.map(|r| {
            format!(
                "precision at 1, 5, 10: {}, {}, {}; mean average precision {} (chance {})",
                percent(r.precision_at_1),
                percent(r.precision_at_5),
                percent(r.precision_at_10),
                percent(r.mean_average_precision),
                percent(r.chance)
            )
        });
        knn.into_iter().chain(retrieval).collect::<Vec<_>>().join("; ")
    }
}

/// A file that is not such a list counts as an empty one.
fn read_scores(path: &Path) -> Vec<NeighbourScore> {
    serde_json::from_slice(&std::fs::read(path).unwrap_or_default()).unwrap_or_default()
}

#[cfg(test)]
#[path = "retrieval_tests.rs"]
mod tests;
