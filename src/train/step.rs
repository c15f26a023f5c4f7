//! One training step, used by the trainer, `bench step` and the memory forecast alike.

use super::config::TrainConfig;
use crate::audio::SEGMENT_SAMPLES;
use crate::frontend::{FrontEnd, InputNorm};
use crate::gpu::{Gpu, Pending};
use crate::nn::cola::diagonal;
use crate::nn::model::ColaModel;
use crate::ops::softmax_xent::SoftmaxXent;
use crate::optim::{Adam, Schedule};
use crate::tape::{Ctx, SavedBytes, Tape, Var};
use crate::tensor::{Storage, Tensor};

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
    targets: Tensor,
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
            targets: diagonal(gpu, config.batch),
        }
    }

    /// From now on a batch has so many pairs.
    pub fn set_batch(&mut self, pairs: usize) {
        self.targets = diagonal(&self.gpu, pairs);
    }

    /// Pairs in a batch.
    pub fn batch(&self) -> usize {
        self.targets.len()
    }
}

/// A step that the device may still be at.
pub struct StepPending {
    lr: f64,
    batch: usize,
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
    /// Share of anchors that picked their own positive.
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
pub fn train_step(state: &mut State, samples: &[f32], keep_pooled: bool) -> StepPending {
    let samples = Tensor::from_slice(&state.gpu, &[2 * state.batch(), SEGMENT_SAMPLES], samples);
    train_step_on_device(state, samples, keep_pooled)
}

/// The same with samples that are on the device already.
pub fn train_step_on_device(state: &mut State, samples: Tensor, keep_pooled: bool) -> StepPending {
    let gpu = state.gpu.clone();
    let (batch, step) = (state.batch(), state.optimizer.steps);
    let tape = Tape::new();
    let (h, out) = forward(state, samples, &tape);

    state.model.params.zero_grad();
    tape.backward(&out.loss, Tensor::from_slice(&gpu, &[1], &[1.0f32]));
    let lr = state.schedule.at(step);
    let grad_squares = state.optimizer.step(&state.model.params, lr);

    // One read-back for the three numbers.
    let numbers = Tensor::empty(&gpu, "step results", &[3]);
    for (i, number) in [&out.loss.value, &out.correct, &grad_squares].into_iter().enumerate() {
        numbers.slice(i, &[1]).copy_from(number);
    }
    let pooled = keep_pooled.then(|| h.value.read_later());
    StepPending { lr, batch, numbers: numbers.read_later(), pooled }
}

/// Samples to the encoder's output and the loss.
fn forward(state: &State, samples: Tensor, tape: &Tape) -> (Var, SoftmaxXent) {
    let input = state.front_end.features(&samples);
    // room for the first feature maps
    drop(samples);
    let cx = Ctx { storage: state.storage, ..Ctx::training(&state.gpu, tape) };
    let h = state.model.encode(&cx, &Var::constant(input), state.optimizer.steps);
    let out = state.model.head.loss(&cx, &h, &state.targets);
    (h, out)
}

/// What each op of a step keeps for the way back, in forward order, and the bytes in use when the way back begins.
/// For dry runs: there are no samples.
pub fn kept_for_the_way_back(state: &State) -> (Vec<SavedBytes>, u64) {
    let samples = Tensor::empty(&state.gpu, "samples", &[2 * state.batch(), SEGMENT_SAMPLES]);
    let tape = Tape::new();
    let _outputs = forward(state, samples, &tape);
    (tape.saved(), state.gpu.memory().in_use_bytes)
}

impl StepPending {
    /// Waits until the device has done the step.
    pub fn wait(self) -> StepResult {
        let numbers: Vec<f32> = self.numbers.wait();
        StepResult {
            lr: self.lr as f32,
            loss: numbers[0],
            accuracy: numbers[1] / self.batch as f32,
            grad_norm: numbers[2].sqrt(),
            pooled: self.pooled.map(Pending::wait),
        }
    }
}
