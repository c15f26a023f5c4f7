//! From a representation to a labelled task, in the four ways of the paper.
//!
//! | mode | encoder | what it tells |
//! |---|---|---|
//! | frozen | pre-trained, fixed | how much of the labels a linear layer finds in the vectors |
//! | fine-tuned | pre-trained, trained further; from the frozen mode's layer on where all stages are given out | what pre-training is worth as a start |
//! | from scratch | as initialised, trained | what the labels alone give |
//! | random | as initialised, fixed | what the network's shape alone gives |
//!
//! Training is Adam on single segments; in testing a clip's logits are averaged over all its segments. Read
//! [`head`] (the linear layer and its loss), [`frozen`], [`finetune`], then [`record`] (what is kept).

pub mod compare;
pub mod finetune;
pub mod frozen;
pub mod head;
pub mod page;
pub mod paper;
pub mod predictions;
pub mod record;
pub mod save;

use crate::audio::{AudioError, Clip, Discovery, Split};
use crate::gpu::GpuError;
use crate::nn::efficientnet;
use predictions::Predictions;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Whether the encoder is trained, and from where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Pre-trained and fixed.
    Frozen,
    /// Pre-trained and trained further.
    Finetune,
    /// Trained from its initial weights.
    Scratch,
    /// Initial weights, fixed.
    Random,
}

impl Mode {
    /// As it is written on the command line and in the names of folders.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Frozen => "frozen",
            Mode::Finetune => "finetune",
            Mode::Scratch => "scratch",
            Mode::Random => "random",
        }
    }

    /// As one would say it.
    pub fn in_words(self) -> &'static str {
        match self {
            Mode::Frozen => "pre-trained, frozen",
            Mode::Finetune => "pre-trained, fine-tuned",
            Mode::Scratch => "trained from scratch",
            Mode::Random => "untrained, frozen",
        }
    }

    /// Whether the encoder stays as it is.
    pub fn is_frozen(self) -> bool {
        matches!(self, Mode::Frozen | Mode::Random)
    }

    /// Whether it starts from the run's weights.
    pub fn is_pretrained(self) -> bool {
        matches!(self, Mode::Frozen | Mode::Finetune)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Mode {
    type Err = String;
    fn from_str(text: &str) -> Result<Mode, String> {
        let all = [Mode::Frozen, Mode::Finetune, Mode::Scratch, Mode::Random];
        let found = all.into_iter().find(|mode| mode.name() == text);
        found.ok_or_else(|| format!("'{text}' is none of frozen, finetune, scratch, random"))
    }
}

/// A labelled task.
#[derive(Clone, Debug)]
pub struct Task {
    /// What it is called.
    pub name: String,
    /// Clips of all splits.
    pub clips: Arc<Vec<Clip>>,
    /// Label names.
    pub labels: Vec<String>,
    /// Whether a clip may have several labels, or none: binary cross-entropy and mean average precision then take the
    /// places of softmax cross-entropy and accuracy.
    pub multi_label: bool,
}

impl Task {
    /// The task that was found under a name.
    pub fn new(name: String, found: &Discovery) -> Task {
        let clips = Arc::new(found.clips.clone());
        Task { name, clips, labels: found.labels.clone(), multi_label: found.multi_label }
    }

    /// Numbers of the clips of a split.
    pub fn of_split(&self, split: Split) -> Vec<u32> {
        (0..self.clips.len() as u32).filter(|&i| self.clips[i as usize].split == split).collect()
    }

    /// What a score of this task is.
    pub fn metric(&self) -> &'static str {
        if self.multi_label { "mAP" } else { "accuracy" }
    }
}

/// How a classifier is trained, with COLA's batch and learning rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FitConfig {
    /// Passes over the training clips, or over their segments where the encoder is frozen.
    pub epochs: usize,
    /// Segments a step.
    pub batch: usize,
    /// Adam's learning rate for the linear layer; `None` for that of [`FitConfig::head_lr`].
    pub lr: Option<f64>,
    /// That of the encoder, where it is trained.
    pub encoder_lr: f64,
    /// Where the encoder is trained, the first of its stages that stay as they are.
    #[serde(default)]
    pub frozen_stages: usize,
    /// Where the encoder is trained, whether the linear layer starts as a probe of all its stages; otherwise it starts at
    /// zero on the pooled map, as in the paper.
    #[serde(default)]
    pub from_probe: bool,
    /// Training ends after so many epochs without a better validation score, and goes back to the best epoch.
    pub patience: Option<usize>,
    /// Every label counts alike in the loss, however many clips it has.
    pub class_weights: bool,
    /// Decides the order of segments, the crops, and initial weights where these are drawn.
    pub seed: u64,
}

impl Default for FitConfig {
    fn default() -> FitConfig {
        FitConfig {
            epochs: 100,
            batch: 64,
            lr: None,
            encoder_lr: PAPER_LR,
            frozen_stages: 0,
            from_probe: false,
            patience: None,
            class_weights: false,
            seed: 0,
        }
    }
}

/// COLA's, for a linear layer on 1280 features and for fine-tuning.
pub const PAPER_LR: f64 = 1e-3;

impl FitConfig {
    /// Adam's learning rate for a linear layer on vectors of `features` numbers: what was asked for, otherwise the
    /// paper's, divided by how many times the paper's 1280 features there are. Adam moves every weight alike, and so a
    /// logit by the rate times the number of features: with 6208 of them the paper's rate jumps from answer to answer.
    pub fn head_lr(&self, features: usize) -> f64 {
        let times = features as f64 / efficientnet::FEATURES as f64;
        self.lr.unwrap_or(PAPER_LR / times.max(1.0))
    }
}

/// What training gave.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// For the test clips.
    pub test: Predictions,
    /// Epochs done.
    pub epochs: usize,
    /// The epoch whose weights were taken, counted from 1.
    pub best_epoch: usize,
    /// Validation score of that epoch, where there was early stopping.
    pub validation: Option<f64>,
    /// Weights `[labels, features]` and biases of the linear layer on the encoder's vectors as they are.
    pub classifier: (Vec<f32>, Vec<f32>),
}

/// Why training a classifier ended early.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The data.
    #[error(transparent)]
    Audio(#[from] AudioError),
    /// The device.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// A loss that is NaN or infinite.
    #[error("the loss became NaN or infinite in epoch {epoch}; use a lower --encoder-lr or --lr")]
    NotFinite {
        /// Counted from 1.
        epoch: usize,
    },
    /// A split without a clip that can be used.
    #[error("none of the {0} clips could be used")]
    EmptySplit(&'static str),
}

/// Watches the validation score, and says when to stop.
pub(crate) struct EarlyStopping {
    patience: usize,
    best: Option<(usize, f64, f64)>,
}

impl EarlyStopping {
    pub(crate) fn new(patience: usize) -> EarlyStopping {
        EarlyStopping { patience, best: None }
    }

    /// Notes the score and loss of an epoch, counted from 1; true where it is the best so far. Of equal scores the one
    /// with the lower loss is better: with few validation clips many are equal.
    pub(crate) fn is_best(&mut self, epoch: usize, score: f64, loss: f64) -> bool {
        let better = self.best.is_none_or(|(_, best, low)| score > best || score == best && loss < low);
        if better {
            self.best = Some((epoch, score, loss));
        }
        better
    }

    pub(crate) fn is_over(&self, epoch: usize) -> bool {
        self.best.is_some_and(|(best, ..)| epoch - best >= self.patience)
    }

    /// Epoch and score of the best.
    pub(crate) fn best(&self) -> Option<(usize, f64)> {
        self.best.map(|(epoch, score, _)| (epoch, score))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_moves_logits_of_long_vectors_no_further() {
        let fit = FitConfig::default();
        assert_eq!([64, 1280].map(|features| fit.head_lr(features)), [1e-3, 1e-3]);
        assert_eq!(6208.0 * fit.head_lr(6208), 1280.0 * 1e-3);
        assert_eq!(FitConfig { lr: Some(0.5), ..fit }.head_lr(6208), 0.5, "what was asked for");
    }

    #[test]
    fn stopping_waits_for_its_patience() {
        let mut stopping = EarlyStopping::new(2);
        let scores = [(0.5, 1.0), (0.7, 0.9), (0.7, 0.8), (0.7, 0.85), (0.6, 0.1)];
        let best: Vec<bool> = scores.iter().enumerate().map(|(i, (s, l))| stopping.is_best(i + 1, *s, *l)).collect();
        assert_eq!(best, [true, true, true, false, false]);
        assert!(!stopping.is_over(4) && stopping.is_over(5));
        assert_eq!(stopping.best(), Some((3, 0.7)));
    }

    #[test]
    fn modes_have_names() {
        for mode in [Mode::Frozen, Mode::Finetune, Mode::Scratch, Mode::Random] {
            assert_eq!(mode.name().parse(), Ok(mode));
        }
        assert!("fine".parse::<Mode>().unwrap_err().contains("finetune"));
    }
}
