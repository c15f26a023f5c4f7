//! What a classifier said about clips, and how good that is.

use super::Task;
use crate::eval::metrics::{Confusion, average_precision};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Resamples of a bootstrap: the ends of a 95 % interval then vary by a twentieth of its width.
const RESAMPLES: usize = 1000;

/// Mean logits of clips.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Predictions {
    /// Numbers of the clips.
    pub clips: Vec<u32>,
    /// `[clips, labels]`.
    pub logits: Vec<f32>,
}

impl Predictions {
    /// The logits of clip `i` of the list.
    fn row(&self, i: usize, labels: usize) -> &[f32] {
        &self.logits[i * labels..(i + 1) * labels]
    }

    /// (true, predicted) labels: the largest logit, the last of equal ones.
    pub fn pairs(&self, task: &Task) -> Vec<(usize, usize)> {
        let labels = task.labels.len();
        let pair = |(i, &clip): (usize, &u32)| {
            let row = self.row(i, labels);
            let best = (0..labels).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap_or(0);
            (task.clips[clip as usize].label().map_or(0, |label| label as usize), best)
        };
        self.clips.iter().enumerate().map(pair).collect()
    }

    /// Which labels were taken for which; for tasks of one label a clip.
    pub fn confusion(&self, task: &Task) -> Confusion {
        Confusion::new(task.labels.clone(), self.pairs(task))
    }

    /// Accuracy, or mean average precision of a multi-label task, 0 to 1.
    pub fn score(&self, task: &Task) -> f64 {
        match task.multi_label {
            true => mean(&self.average_precisions(task)),
            false => self.confusion(task).accuracy(),
        }
    }

    /// Average precision of every label, NaN for one that no clip has.
    pub fn average_precisions(&self, task: &Task) -> Vec<f64> {
        let ones = vec![1; self.clips.len()];
        self.ranked(task).iter().map(|ranked| average_precision(ranked, &ones)).collect()
    }

    /// For every label the clips from the highest logit down, each with whether it has the label.
    fn ranked(&self, task: &Task) -> Vec<Vec<(usize, bool)>> {
        let labels = task.labels.len();
        let of_label = |label: usize| {
            let mut order: Vec<usize> = (0..self.clips.len()).collect();
            order.sort_by(|&a, &b| self.row(b, labels)[label].total_cmp(&self.row(a, labels)[label]));
            let has = |i: usize| task.clips[self.clips[i] as usize].labels.contains(&(label as u32));
            order.into_iter().map(|i| (i, has(i))).collect()
        };
        (0..labels).map(of_label).collect()
    }

    /// Mean loss of the clips, in nats: cross-entropy of their mean logits.
    pub fn loss(&self, task: &Task) -> f64 {
        let labels = task.labels.len();
        let of_clip = |(i, &clip): (usize, &u32)| {
            let row: Vec<f64> = self.row(i, labels).iter().map(|&x| f64::from(x)).collect();
            let own = &task.clips[clip as usize].labels;
            if task.multi_label {
                let has = |label: usize| f64::from(u8::from(own.contains(&(label as u32))));
                let bce = |(c, x): (usize, &f64)| x.max(0.0) - has(c) * x + (-x.abs()).exp().ln_1p();
                row.iter().enumerate().map(bce).sum::<f64>() / labels as f64
            } else {
                let highest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let target = own.first().map_or(0, |&label| label as usize);
                row.iter().map(|x| (x - highest).exp()).sum::<f64>().ln() + highest - row[target]
            }
        };
        self.clips.iter().enumerate().map(of_clip).sum::<f64>() / self.clips.len() as f64
    }
}

/// 95 % interval of the score, averaged over several trainings on the same test clips, as the test clips vary: they are
/// drawn again with replacement, a thousand times, from a fixed seed.
pub fn bootstrap(runs: &[Predictions], task: &Task) -> [f64; 2] {
    let clips = runs.first().map_or(0, |run| run.clips.len());
    if clips == 0 {
        return [f64::NAN; 2];
    }
    // Of a clip only this matters, and it is worked out once.
    let right: Vec<f64> = match task.multi_label {
        true => Vec::new(),
        false => (0..clips)
            .map(|i| {
                let hits = runs.iter().filter(|run| run.clips.len() == clips).map(|run| {
                    let (truth, predicted) = run.one_pair(i, task);
                    f64::from(u8::from(truth == predicted))
                });
                hits.sum::<f64>() / runs.len() as f64
            })
            .collect(),
    };
    let ranked: Vec<_> = if task.multi_label { runs.iter().map(|run| run.ranked(task)).collect() } else { Vec::new() };
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut scores: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let mut times = vec![0u32; clips];
            (0..clips).for_each(|_| times[rng.random_range(0..clips)] += 1);
            match task.multi_label {
                true => {
                    let of_run = |labels: &Vec<Vec<(usize, bool)>>| {
                        mean(&labels.iter().map(|order| average_precision(order, &times)).collect::<Vec<_>>())
                    };
                    mean(&ranked.iter().map(of_run).collect::<Vec<_>>())
                }
                false => right.iter().zip(&times).map(|(r, &t)| r * f64::from(t)).sum::<f64>() / clips as f64,
            }
        })
        .collect();
    scores.sort_by(f64::total_cmp);
    let at = |share: f64| scores[(share * (RESAMPLES - 1) as f64).round() as usize];
    [at(0.025), at(0.975)]
}

impl Predictions {
    fn one_pair(&self, i: usize, task: &Task) -> (usize, usize) {
        let one = Predictions { clips: vec![self.clips[i]], logits: self.row(i, task.labels.len()).to_vec() };
        one.pairs(task)[0]
    }
}

/// Mean of what is a number; NaN without any.
fn mean(values: &[f64]) -> f64 {
    let known: Vec<f64> = values.iter().copied().filter(|x| !x.is_nan()).collect();
    known.iter().sum::<f64>() / known.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{Clip, Split};
    use approx::assert_abs_diff_eq;
    use std::sync::Arc;

    fn task(labels: &[&[u32]], multi_label: bool) -> Task {
        let clip = |l: &&[u32]| {
            let path = "x.wav".into();
            Clip { path, start: 0, samples: 16_000, labels: l.to_vec(), split: Split::Test }
        };
        let clips = Arc::new(labels.iter().map(clip).collect());
        Task { name: "t".into(), clips, labels: ["a", "b", "c"].map(String::from).to_vec(), multi_label }
    }

    #[test]
    fn scores_and_losses_by_hand() {
        let single = task(&[&[0], &[1], &[2]], false);
        let said =
            Predictions { clips: vec![0, 1, 2], logits: vec![2.0, 0.0, 0.0, /* */ 0.0, 3.0, 0.0, /* */ 1.0, 0.0, 0.0] };
        assert_eq!(said.pairs(&single), [(0, 0), (1, 1), (2, 0)]);
        assert_abs_diff_eq!(said.score(&single), 2.0 / 3.0);
        let nats = [(2.0f64.exp() + 2.0).ln() - 2.0, (3.0f64.exp() + 2.0).ln() - 3.0, (1.0f64.exp() + 2.0).ln()];
        assert_abs_diff_eq!(said.loss(&single), nats.iter().sum::<f64>() / 3.0, epsilon = 1e-12);

        // no clip has the third label, which does not count
        let multi = task(&[&[0, 1], &[], &[1]], true);
        let said =
            Predictions { clips: vec![0, 1, 2], logits: vec![3.0, 0.5, 0.0, /* */ 1.0, 1.0, 0.0, /* */ 2.0, 2.0, 0.0] };
        // label a: its clip comes first; label b: first and third of the ranking 2, 1, 0
        let wanted = (1.0 + (1.0 + 2.0 / 3.0) / 2.0) / 2.0;
        assert_abs_diff_eq!(said.score(&multi), wanted, epsilon = 1e-12);
    }

    #[test]
    fn intervals_hold_the_score_and_narrow_with_more_clips() {
        let width = |clips: usize, multi_label: bool| {
            let labels: Vec<&[u32]> = (0..clips).map(|i| [&[0u32][..], &[1]][i % 2]).collect();
            let task = task(&labels, multi_label);
            let logits = (0..clips).flat_map(|i| [f32::from(i % 3 == 0), 0.5, -1.0]).collect();
            let said = Predictions { clips: (0..clips as u32).collect(), logits };
            let [low, high] = bootstrap(&[said.clone(), said.clone()], &task);
            let score = said.score(&task);
            assert!(low <= score && score <= high, "{score} in {low}..{high}");
            assert_eq!([low, high], bootstrap(&[said], &task), "the seed is fixed");
            high - low
        };
        for multi_label in [false, true] {
            let (few, many) = (width(60, multi_label), width(600, multi_label));
            assert!(many > 0.0 && few > 2.0 * many, "{few} and {many}");
        }
        // two standard errors of a share of one half among 600
        assert_abs_diff_eq!(width(600, false), 3.92 * (0.25f64 / 600.0).sqrt(), epsilon = 0.01);
    }
}
