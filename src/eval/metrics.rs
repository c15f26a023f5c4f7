//! Measures of a classifier: accuracy, balanced accuracy, the confusion matrix.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::npy::write_csv;
use crate::train::atomic::WriteError;

/// How often each true label was taken for each label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Confusion {
    labels: Vec<String>,
    /// `[true, predicted]`, row-major.
    counts: Vec<u64>,
}

impl Confusion {
    /// Counts pairs of (true, predicted) label numbers.
    ///
    /// # Panics
    /// If a number is not below `labels.len()`.
    #[track_caller]
    pub fn new(labels: Vec<String>, pairs: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let size = labels.len();
        let mut counts = vec![0; size * size];
        for (truth, predicted) in pairs {
            assert!(truth < size && predicted < size, "label pair ({truth}, {predicted}) with {size} labels");
            counts[truth * size + predicted] += 1;
        }
        Confusion { labels, counts }
    }

    /// Label names, in the order of their numbers.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// How often `truth` was taken for `predicted`.
    pub fn count(&self, truth: usize, predicted: usize) -> u64 {
        self.counts[truth * self.labels.len() + predicted]
    }

    /// Clips of the label `truth`.
    pub fn of_label(&self, truth: usize) -> u64 {
        (0..self.labels.len()).map(|label| self.count(truth, label)).sum()
    }

    /// All clips.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Share of clips that got their own label, 0 to 1; NaN without clips.
    pub fn accuracy(&self) -> f64 {
        let right: u64 = (0..self.labels.len()).map(|label| self.count(label, label)).sum();
        right as f64 / self.total() as f64
    }

    /// Mean over labels of the share that is right (recall), 0 to 1; NaN without clips.
    ///
    /// Labels without a clip are left out, as scikit-learn's `balanced_accuracy_score` does.
    pub fn balanced_accuracy(&self) -> f64 {
        let recalls: Vec<_> = (0..self.labels.len())
            .filter(|&label| self.of_label(label) > 0)
            .map(|label| self.count(label, label) as f64 / self.of_label(label) as f64)
            .collect();
        recalls.iter().sum::<f64>() / recalls.len() as f64
    }

    /// Writes the counts as CSV: a row a true label, a column a predicted one.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn write_csv(&self, path: &Path) -> Result<(), WriteError> {
        let header: Vec<_> = ["true \\ predicted"].into_iter().chain(self.labels.iter().map(String::as_str)).collect();
        let rows = self.labels.iter().enumerate().map(|(truth, label)| {
            let counts = (0..self.labels.len()).map(|predicted| self.count(truth, predicted));
            let counts: Vec<_> = counts.map(|count| count.to_string()).collect();
            [vec![label.clone()], counts].concat()
        });
        write_csv(path, &header, rows)
    }
}

/// The result of one probe: a linear classifier on frozen features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeScore {
    /// Name of the labelled set.
    pub task: String,
    /// What was classified, as one would say it: `pre-trained`, `untrained encoder`, `log-mel statistics`.
    pub representation: String,
    /// Share of test clips that were right, 0 to 1.
    pub accuracy: f64,
    /// Mean over labels of the share that was right, 0 to 1.
    pub balanced_accuracy: f64,
    /// Number of labels; guessing has a balanced accuracy of one over it.
    pub labels: usize,
    /// Clips tested.
    pub test_clips: usize,
}

impl ProbeScore {
    /// Reads the score off a confusion matrix of test clips.
    pub fn of(task: &str, representation: &str, confusion: &Confusion) -> Self {
        ProbeScore {
            task: task.into(),
            representation: representation.into(),
            accuracy: confusion.accuracy(),
            balanced_accuracy: confusion.balanced_accuracy(),
            labels: confusion.labels().len(),
            test_clips: confusion.total() as usize,
        }
    }

    /// Balanced accuracy of guessing.
    pub fn chance(&self) -> f64 {
        1.0 / self.labels as f64
    }

    /// Standard error of the accuracy, as of a share among `test_clips` independent clips.
    pub fn standard_error(&self) -> f64 {
        let share = self.balanced_accuracy.clamp(0.0, 1.0);
        (share * (1.0 - share) / self.test_clips as f64).sqrt()
    }
}

/// Average precision of one label: the mean, over the clips that have it, of the share of such clips among those that
/// stand no lower. `ranked` lists clips from the most likely one down, each with whether it has the label; clip i
/// counts `times[i]` times. NaN without a clip that has the label.
pub fn average_precision(ranked: &[(usize, bool)], times: &[u32]) -> f64 {
    let (mut seen, mut found, mut sum) = (0.0, 0.0, 0.0);
    for &(clip, has) in ranked {
        let count = f64::from(times[clip]);
        seen += count;
        if has {
            found += count;
            sum += count * found / f64::max(seen, 1.0);
        }
    }
    sum / found
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;

    use super::*;

    fn example() -> Confusion {
        let labels = ["bell", "drum, low", "never heard"].map(String::from).to_vec();
        // 8 bells, 6 right; 2 drums, 1 right.
        let pairs = [(0, 0); 6].into_iter().chain([(0, 1), (0, 2), (1, 1), (1, 0)]);
        Confusion::new(labels, pairs)
    }

    #[test]
    fn accuracies_by_hand() {
        let confusion = example();
        assert_eq!(confusion.total(), 10);
        assert_eq!(confusion.of_label(0), 8);
        assert_abs_diff_eq!(confusion.accuracy(), 0.7);
        assert_abs_diff_eq!(confusion.balanced_accuracy(), (0.75 + 0.5) / 2.0);
        let empty = Confusion::new(vec!["a".into()], []);
        assert!(empty.accuracy().is_nan() && empty.balanced_accuracy().is_nan());
    }

    #[test]
    fn average_precision_by_hand() {
        let ranked = [(2, true), (0, false), (3, true), (1, false)];
        assert_abs_diff_eq!(average_precision(&ranked, &[1; 4]), (1.0 + 2.0 / 3.0) / 2.0);
        // clip 3 left out, clip 0 twice
        assert_abs_diff_eq!(average_precision(&ranked, &[2, 1, 1, 0]), 1.0);
        assert!(average_precision(&ranked[1..2], &[1; 4]).is_nan());
    }

    #[test]
    fn csv_has_a_row_a_true_label() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("confusion.csv");
        example().write_csv(&path).unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "true \\ predicted,bell,\"drum, low\",never heard");
        assert_eq!(lines[1..], ["bell,6,1,1", "\"drum, low\",1,1,0", "never heard,0,0,0"]);
    }

    #[test]
    fn probe_score_of_a_matrix() {
        let score = ProbeScore::of("sounds", "pre-trained", &example());
        assert_eq!((score.labels, score.test_clips), (3, 10));
        assert_abs_diff_eq!(score.chance(), 1.0 / 3.0);
        let expected = (0.625_f64 * 0.375 / 10.0).sqrt();
        assert_abs_diff_eq!(score.standard_error(), expected, epsilon = 1e-12);
    }
}
