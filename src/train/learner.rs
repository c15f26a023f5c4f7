//! What a method of pre-training is to the loop around it.

use super::config::{Method, TrainConfig};
use super::error::TrainError;
use super::next_code::NextCodeState;
use super::step::{State, StepPending};
use crate::audio::Clip;
use crate::frontend::InputNorm;
use crate::gpu::Gpu;
use crate::nn::network::Stored;
use crate::optim::{Adam, Schedule};
use crate::tape::SavedBytes;
use crate::tensor::Tensor;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Loss and accuracy of something that is not trained on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Mean loss, in nats.
    pub loss: f32,
    /// Share of the choices that were right: of anchors that picked their own positive, or of codes foretold.
    pub accuracy: f32,
}

/// What there is before the first step.
pub struct Preparation<'a> {
    /// Clips to train on.
    pub clips: &'a Arc<Vec<Clip>>,
    /// The configuration.
    pub config: &'a TrainConfig,
    /// The folder of the run.
    pub run: &'a Path,
    /// How many clips, and a checksum of them.
    pub data: &'a str,
    /// Set by Ctrl-C.
    pub stop: &'a AtomicBool,
}

/// What became of what has to be learnt before the first step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// There was nothing.
    Nothing,
    /// The model has it now.
    Learnt,
    /// It was stopped; it goes on from there the next time.
    Stopped,
}

/// A model, what it is trained with, and a step of that.
pub trait Learner {
    /// The device.
    fn gpu(&self) -> &Gpu;
    /// What checkpoints hold.
    fn model(&self) -> &dyn Stored;
    /// Pairs a step.
    fn batch(&self) -> usize;
    /// From now on a step has so many pairs.
    fn set_batch(&mut self, pairs: usize);
    /// What counts the steps, and what the learning rate follows.
    fn clock(&self) -> (&Adam, &Schedule);
    /// The same, to be set.
    fn clock_mut(&mut self) -> (&mut Adam, &mut Schedule);
    /// Steps recorded so far.
    fn steps(&self) -> u64 {
        self.clock().0.steps
    }
    /// Goes on behind so many steps.
    fn set_steps(&mut self, steps: u64) {
        self.clock_mut().0.steps = steps;
    }
    /// Length of the run in steps, which the learning rate follows.
    fn length(&self) -> u64 {
        self.clock().1.total_steps
    }
    /// Another length.
    fn set_length(&mut self, steps: u64) {
        self.clock_mut().1.total_steps = steps;
    }
    /// Learns what the first step needs.
    ///
    /// # Errors
    /// As training itself.
    fn prepare(&mut self, _: &Preparation) -> Result<Prepared, TrainError> {
        Ok(Prepared::Nothing)
    }
    /// Records one step: segments `[2 batch, samples]`, anchors first, in; updated weights and numbers out. Returns
    /// before the device is done. `keep_pooled` also reads back the vectors of the segments.
    fn train_step(&mut self, samples: &[f32], keep_pooled: bool) -> StepPending;
    /// Measures segments `[2 pairs, samples]`. Waits for the device.
    fn score(&self, samples: &Tensor) -> Score;
    /// What each op of a step keeps for the way back, in forward order, and the bytes in use when the way back begins; of a
    /// chunk, where the batch is cut. For dry runs: there are no samples.
    fn kept_for_the_way_back(&self) -> (Vec<SavedBytes>, u64);
}

/// The state of a run before its first step. `total_steps` is for the schedule.
pub fn start(gpu: &Gpu, config: &TrainConfig, norm: InputNorm, total_steps: u64) -> Box<dyn Learner> {
    match config.method {
        Method::Cola | Method::Simclr => Box::new(State::new(gpu, config, norm, total_steps)),
        Method::Nextcode => Box::new(NextCodeState::new(gpu, config, norm, total_steps)),
    }
}
