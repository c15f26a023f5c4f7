//! A training step of `--method nextcode`: the codes of a batch, and what the transformer makes of each one's next.

use super::codes;
use super::config::TrainConfig;
use super::error::TrainError;
use super::learner::{Learner, Preparation, Prepared, Score};
use super::step::StepPending;
use crate::frontend::{FrontEnd, InputNorm};
use crate::gpu::Gpu;
use crate::nn::network::Stored;
use crate::nn::next_code::{NextCode, Sequences};
use crate::ops::columns::add_columns;
use crate::ops::elementwise::axpby;
use crate::ops::softmax_xent::{Samples, SoftmaxXent, softmax_xent};
use crate::optim::{Adam, Schedule};
use crate::tape::{Ctx, SavedBytes, Tape, Var};
use crate::tensor::Tensor;
use std::ops::Range;

/// Everything that a step reads or changes.
pub struct NextCodeState {
    gpu: Gpu,
    /// Codes and transformer.
    pub model: NextCode,
    optimizer: Adam,
    schedule: Schedule,
    front_end: FrontEnd,
    pairs: usize,
    /// Of a segment.
    samples: usize,
    /// Pairs that go through the transformer together, 0 for all.
    chunk: usize,
}

/// What [`NextCodeState::gradient`] leaves besides the gradient.
pub struct CodesLoss {
    /// Mean over the codes, `[1]`.
    pub loss: Tensor,
    /// How many were foretold, `[1]`.
    pub correct: Tensor,
    /// Mean states, `[width, segments]`.
    pub h: Tensor,
}

impl NextCodeState {
    /// The state before the first step. `total_steps` is for the schedule.
    pub fn new(gpu: &Gpu, config: &TrainConfig, norm: InputNorm, total_steps: u64) -> NextCodeState {
        NextCodeState {
            gpu: gpu.clone(),
            model: NextCode::new(gpu, &config.next_code(), config.seed),
            optimizer: Adam::new(config.adam()),
            schedule: config.schedule(total_steps),
            front_end: FrontEnd::new(gpu, norm),
            pairs: config.batch,
            samples: config.segment_samples(),
            chunk: config.chunk,
        }
    }

    /// Segments that go through the transformer together.
    fn chunks(&self) -> Vec<Range<usize>> {
        let segments = 2 * self.pairs;
        let chunk = if self.chunk == 0 { segments } else { 2 * self.chunk };
        (0..segments).step_by(chunk).map(|first| first..segments.min(first + chunk)).collect()
    }

    /// Codes in a batch.
    fn choices(&self) -> usize {
        2 * self.pairs * self.model.config().transformer.context
    }

    /// Loss of some segments, the states behind it, and the codes.
    fn forward(&self, cx: &Ctx, samples: &Tensor, draw: u64) -> (SoftmaxXent, Var, Sequences) {
        let sequences = self.model.sequences(&self.front_end.features(samples));
        let states = self.model.states(cx, &sequences, draw);
        let out = softmax_xent(cx, &self.model.logits(cx, &states), Samples::Columns, &sequences.targets);
        (out, states, sequences)
    }

    /// Adds the gradient of a batch's loss, segments `[2 batch, samples]`, to the parameters'. A loss of codes is a
    /// mean over them, so chunks are no more than parts of a sum.
    pub fn gradient(&self, samples: &[f32]) -> CodesLoss {
        let (gpu, chunks) = (&self.gpu, self.chunks());
        let length = self.samples;
        let zeros = |label, shape: &[usize]| Tensor::zeros(gpu, label, shape);
        let h = zeros("mean states", &[self.model.config().transformer.width, 2 * self.pairs]);
        let sums = CodesLoss { loss: zeros("loss", &[1]), correct: zeros("correct", &[1]), h };
        for (k, chunk) in chunks.iter().enumerate() {
            let part = &samples[chunk.start * length..chunk.end * length];
            let part = Tensor::from_slice(gpu, &[chunk.len(), length], part);
            let tape = Tape::new();
            let draw = self.optimizer.steps * chunks.len() as u64 + k as u64;
            let (out, states, sequences) = self.forward(&Ctx::training(gpu, &tape), &part, draw);
            let share = chunk.len() as f32 / (2 * self.pairs) as f32;
            axpby(share, &out.loss.value, 1.0, &sums.loss);
            axpby(1.0, &out.correct, 1.0, &sums.correct);
            let states = Var::constant(states.value.clone());
            let means = self.model.mean_states(&Ctx::inference(gpu), &states, &sequences).value;
            add_columns(&sums.h, chunk.start, &means, 0..chunk.len());
            tape.backward(&out.loss, Tensor::from_slice(gpu, &[1], &[share]));
        }
        sums
    }
}

impl Learner for NextCodeState {
    fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    fn model(&self) -> &dyn Stored {
        &self.model
    }

    fn batch(&self) -> usize {
        self.pairs
    }

    fn set_batch(&mut self, pairs: usize) {
        self.pairs = pairs;
    }

    fn clock(&self) -> (&Adam, &Schedule) {
        (&self.optimizer, &self.schedule)
    }

    fn clock_mut(&mut self) -> (&mut Adam, &mut Schedule) {
        (&mut self.optimizer, &mut self.schedule)
    }

    /// The codes, unless they came with `--init`.
    fn prepare(&mut self, preparation: &Preparation) -> Result<Prepared, TrainError> {
        match preparation.config.init.as_os_str().is_empty() {
            true => codes::learn(&self.gpu, &self.front_end, &self.model, preparation),
            false => Ok(Prepared::Nothing),
        }
    }

    fn train_step(&mut self, samples: &[f32], keep_pooled: bool) -> StepPending {
        assert_eq!(samples.len(), 2 * self.pairs * self.samples, "samples of {} pairs", self.pairs);
        self.model.params.zero_grad();
        let out = self.gradient(samples);
        let lr = self.schedule.at(self.optimizer.steps);
        let grad_squares = self.optimizer.step(&self.model.params, lr);
        let pooled = keep_pooled.then_some(&out.h);
        StepPending::read(lr, self.choices(), [&out.loss, &out.correct, &grad_squares], pooled)
    }

    fn score(&self, samples: &Tensor) -> Score {
        let (out, _, sequences) = self.forward(&Ctx::inference(&self.gpu), samples, 0);
        let codes = sequences.targets.len();
        let [loss, correct] = [&out.loss.value, &out.correct].map(|number| number.read::<f32>()[0]);
        Score { loss, accuracy: correct / codes as f32 }
    }

    fn kept_for_the_way_back(&self) -> (Vec<SavedBytes>, u64) {
        let samples = Tensor::empty(&self.gpu, "samples", &[self.chunks()[0].len(), self.samples]);
        let tape = Tape::new();
        let _outputs = self.forward(&Ctx::training(&self.gpu, &tape), &samples, 0);
        (tape.saved(), self.gpu.memory().in_use_bytes)
    }
}
