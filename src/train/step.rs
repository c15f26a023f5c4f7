//! One training step of the contrastive methods, used by the trainer, `bench step` and the memory forecast alike.
//!
//! A batch that the device cannot take whole goes through the encoder in chunks (Gao et al. 2021, "Scaling deep
//! contrastive learning batch size under memory limited setup"): all chunks once without a tape; the loss of the whole
//! batch and its gradient at the encoder's outputs; then every chunk again, with a tape, and back from that gradient. What
//! comes out is the gradient of the whole batch; only batch norm sees a chunk at a time.

use super::augment::Augment;
use super::config::TrainConfig;
use super::learner::{Learner, Score};
use crate::audio::SEGMENT_SAMPLES;
use crate::frontend::{FrontEnd, InputNorm};
use crate::gpu::{Gpu, Pending};
use crate::nn::cola::{Contrast, Targets};
use crate::nn::model::ColaModel;
use crate::nn::network::{Network, Stored};
use crate::ops::columns::{add_columns, two_ranges};
use crate::ops::softmax_xent::SoftmaxXent;
use crate::optim::{Adam, Schedule};
use crate::tape::{Ctx, SavedBytes, Tape, Var};
use crate::tensor::{Storage, Tensor};
use std::ops::Range;

/// Everything that a step reads or changes.
pub struct State {
    /// The device.
    pub gpu: Gpu,
    /// Weights and running statistics.
    pub model: ColaModel,
    /// Step count; its moments live with the weights.
    pub optimizer: Adam,
    /// Learning rate over time.
    pub schedule: Schedule,
    /// Samples to encoder input.
    pub front_end: FrontEnd,
    /// How a step stores what it keeps for the way back.
    storage: Storage,
    augment: Augment,
    /// Stages of the encoder that stay as they are.
    frozen_stages: usize,
    /// Pairs in a chunk, 0 for all.
    chunk: usize,
    targets: Targets,
}

impl State {
    /// The state before the first step. `total_steps` is for the schedule.
    pub fn new(gpu: &Gpu, config: &TrainConfig, norm: InputNorm, total_steps: u64) -> State {
        State {
            gpu: gpu.clone(),
            model: ColaModel::new(gpu, &config.model(), config.seed),
            optimizer: Adam::new(config.adam()),
            schedule: config.schedule(total_steps),
            front_end: FrontEnd::new(gpu, norm),
            storage: config.precision.storage(),
            augment: Augment::new(config),
            frozen_stages: config.frozen_stages,
            chunk: config.chunk,
            targets: Targets::new(gpu, config.batch, config.contrast()),
        }
    }

    /// The pairs that go through the encoder together.
    fn chunks(&self) -> Vec<Range<usize>> {
        let pairs = self.batch();
        let chunk = if self.chunk == 0 { pairs } else { self.chunk };
        (0..pairs).step_by(chunk).map(|first| first..pairs.min(first + chunk)).collect()
    }

    /// Training mode: raw maps are kept as the configuration has it.
    fn training<'a>(&'a self, tape: Option<&'a Tape>) -> Ctx<'a> {
        let State { storage, frozen_stages, .. } = *self;
        Ctx { storage, frozen_stages, tape, training: true, ..Ctx::inference(&self.gpu) }
    }
}

/// A step that the device may still be at.
pub struct StepPending {
    lr: f64,
    choices: usize,
    numbers: Pending,
    pooled: Option<Pending>,
}

/// What a step measured.
#[derive(Clone, Debug, PartialEq)]
pub struct StepResult {
    /// Learning rate of the step.
    pub lr: f32,
    /// Mean loss, in nats.
    pub loss: f32,
    /// Share of those that choose who picked their own other half.
    pub accuracy: f32,
    /// L2 norm of all gradients before clipping.
    pub grad_norm: f32,
    /// Encoder outputs of the batch, `[features, segments]`, where they were asked for.
    pub pooled: Option<Vec<f32>>,
}

/// Records one step: segments `[2 batch, SEGMENT_SAMPLES]`, anchors first, in; updated weights and numbers out.
///
/// Returns before the device is done. `keep_pooled` also reads back the encoder's output.
///
/// # Panics
/// When `samples` is not a batch.
#[track_caller]
pub fn train_step(state: &mut State, samples: &[f32], keep_pooled: bool) -> StepPending {
    let pairs = state.batch();
    assert_eq!(samples.len(), 2 * pairs * SEGMENT_SAMPLES, "samples of {pairs} pairs");
    let upload = |gpu: &Gpu, chunk: Range<usize>| {
        let part = |first: usize| &samples[first * SEGMENT_SAMPLES..(first + chunk.len()) * SEGMENT_SAMPLES];
        let shape = [2 * chunk.len(), SEGMENT_SAMPLES];
        match chunk.len() == pairs {
            true => Tensor::from_slice(gpu, &shape, samples),
            false => Tensor::from_slice(gpu, &shape, &[part(chunk.start), part(pairs + chunk.start)].concat()),
        }
    };
    step(state, upload, keep_pooled)
}

/// The same with samples that are on the device already, all at once.
///
/// # Panics
/// When the batch goes through the encoder in chunks.
#[track_caller]
pub fn train_step_on_device(state: &mut State, samples: Tensor, keep_pooled: bool) -> StepPending {
    let mut samples = Some(samples);
    step(state, |_, _| samples.take().expect("a batch on the device is taken whole"), keep_pooled)
}

fn step(state: &mut State, samples: impl FnMut(&Gpu, Range<usize>) -> Tensor, keep_pooled: bool) -> StepPending {
    state.model.params.zero_grad();
    let out = gradient(state, samples, true);
    let lr = state.schedule.at(state.optimizer.steps);
    let grad_squares = state.optimizer.step(&state.model.params, lr);

    let pooled = keep_pooled.then_some(&out.h);
    StepPending::read(lr, state.targets.choices(), [&out.loss, &out.correct, &grad_squares], pooled)
}

/// What [`gradient`] leaves besides the gradient.
pub struct BatchLoss {
    /// Mean over the anchors, `[1]`.
    pub loss: Tensor,
    /// How many picked their own other half, `[1]`.
    pub correct: Tensor,
    /// The encoder's output, `[features, 2 batch]`.
    pub h: Tensor,
}

/// Adds the gradient of a batch's loss to the parameters'. `samples` is asked for the segments of some pairs, `[2 pairs,
/// SEGMENT_SAMPLES]`, anchors first, twice where there are several chunks. `batch_statistics` is what training has; without
/// them batch norm takes its running ones and leaves them as they are.
pub fn gradient(
    state: &State,
    mut samples: impl FnMut(&Gpu, Range<usize>) -> Tensor,
    batch_statistics: bool,
) -> BatchLoss {
    let gpu = &state.gpu;
    let chunks = state.chunks();
    let one = || Tensor::from_slice(gpu, &[1], &[1.0f32]);
    // The number of a chunk over all steps decides what is random in it, so that its second pass sees what the first saw.
    let mut encode = |tape: Option<&Tape>, k: usize| {
        let draw = state.optimizer.steps * chunks.len() as u64 + k as u64;
        let input = state.augment.features(&state.front_end, &samples(gpu, chunks[k].clone()), draw);
        let cx = Ctx { training: batch_statistics, ..state.training(tape) };
        state.model.encode(&cx, &Var::constant(input), draw)
    };
    let loss_of = |tape: &Tape, h: &Var| state.model.head.loss(&state.training(Some(tape)), h, &state.targets);
    if chunks.len() == 1 {
        let tape = Tape::new();
        let h = encode(Some(&tape), 0);
        let SoftmaxXent { loss, correct, .. } = loss_of(&tape, &h);
        tape.backward(&loss, one());
        return BatchLoss { loss: loss.value, correct, h: h.value };
    }

    let pairs = state.batch();
    let positives = |chunk: &Range<usize>| pairs + chunk.start..pairs + chunk.end;
    // ANCHOR: chunks
    // Running statistics are to move once a chunk, and the second pass moves them.
    let running = state.model.state.all().duplicate();
    let h = Tensor::zeros(gpu, "encoder outputs", &[state.model.trained_len(), 2 * pairs]);
    for (k, chunk) in chunks.iter().enumerate() {
        let part = encode(None, k).value;
        add_columns(&h, chunk.start, &part, 0..chunk.len());
        add_columns(&h, pairs + chunk.start, &part, chunk.len()..2 * chunk.len());
    }
    state.model.state.all().copy_from(&running);

    let tape = Tape::new();
    let leaf = tape.leaf(h.clone());
    let SoftmaxXent { loss, correct, .. } = loss_of(&tape, &leaf);
    let dh = tape.backward(&loss, one()).pop().expect("the loss hangs on the encoder's outputs");

    for (k, chunk) in chunks.iter().enumerate() {
        let tape = Tape::new();
        let part = encode(Some(&tape), k);
        tape.backward(&part, two_ranges(&dh, chunk.clone(), positives(chunk)));
    }
    // ANCHOR_END: chunks
    BatchLoss { loss: loss.value, correct, h }
}

impl Learner for State {
    fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    fn model(&self) -> &dyn Stored {
        &self.model
    }

    fn batch(&self) -> usize {
        self.targets.pairs()
    }

    fn set_batch(&mut self, pairs: usize) {
        self.targets = Targets::new(&self.gpu, pairs, self.targets.contrast());
    }

    fn clock(&self) -> (&Adam, &Schedule) {
        (&self.optimizer, &self.schedule)
    }

    fn clock_mut(&mut self) -> (&mut Adam, &mut Schedule) {
        (&mut self.optimizer, &mut self.schedule)
    }

    fn train_step(&mut self, samples: &[f32], keep_pooled: bool) -> StepPending {
        train_step(self, samples, keep_pooled)
    }

    /// Batch norm has its running statistics, and anchors choose among positives whatever the method, so that methods can
    /// be compared.
    fn score(&self, samples: &Tensor) -> Score {
        let pairs = samples.dims2()[0] / 2;
        let contrast = match self.targets.contrast() {
            Contrast::All => Contrast::OneWay,
            contrast => contrast,
        };
        let cx = Ctx::inference(&self.gpu);
        let h = self.model.encode(&cx, &Var::constant(self.front_end.features(samples)), 0);
        let out = self.model.head.loss(&cx, &h, &Targets::new(&self.gpu, pairs, contrast));
        let [loss, correct] = [&out.loss.value, &out.correct].map(|number| number.read::<f32>()[0]);
        Score { loss, accuracy: correct / pairs as f32 }
    }

    fn kept_for_the_way_back(&self) -> (Vec<SavedBytes>, u64) {
        let pairs = self.chunks()[0].len();
        let input = {
            let samples = Tensor::empty(&self.gpu, "samples", &[2 * pairs, SEGMENT_SAMPLES]);
            self.augment.features(&self.front_end, &samples, 0)
        };
        let tape = Tape::new();
        let cx = self.training(Some(&tape));
        let h = self.model.encode(&cx, &Var::constant(input), 0);
        let _outputs = (pairs == self.batch()).then(|| self.model.head.loss(&cx, &h, &self.targets));
        (tape.saved(), self.gpu.memory().in_use_bytes)
    }
}

impl StepPending {
    /// Of a step whose loss, number of right choices and squared gradient norm, each `[1]`, are on their way.
    pub(super) fn read(lr: f64, choices: usize, numbers: [&Tensor; 3], pooled: Option<&Tensor>) -> StepPending {
        // One read-back for the three.
        let together = Tensor::empty(numbers[0].gpu(), "step results", &[3]);
        for (i, number) in numbers.into_iter().enumerate() {
            together.slice(i, &[1]).copy_from(number);
        }
        StepPending { lr, choices, numbers: together.read_later(), pooled: pooled.map(Tensor::read_later) }
    }

    /// Waits until the device has done the step.
    pub fn wait(self) -> StepResult {
        let numbers: Vec<f32> = self.numbers.wait();
        StepResult {
            lr: self.lr as f32,
            loss: numbers[0],
            accuracy: numbers[1] / self.choices as f32,
            grad_norm: numbers[2].sqrt(),
            pooled: self.pooled.map(Pending::wait),
        }
    }
}
