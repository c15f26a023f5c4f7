//! Encoder and linear layer trained together, on random segments of the training clips.

use super::frozen::{Probe, Standardise};
use super::head::{Criterion, LinearHead};
use super::predictions::Predictions;
use super::{EarlyStopping, FitConfig, Fitted, Task, TransferError};
use crate::audio::{AudioError, Clip, CropLoader, SEGMENT_SAMPLES, Split};
use crate::eval::embed::through_device;
use crate::eval::encoder::Encoder;
use crate::gpu::Pending;
use crate::nn::{NamedArray, Slab};
use crate::ops::batch_norm::{BatchNorm, batch_norm};
use crate::optim::{Adam, AdamConfig};
use crate::tape::{Ctx, Tape, Var};
use crate::tensor::Tensor;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

/// Steps recorded before the first one's loss is waited for.
const IN_FLIGHT: usize = 2;

/// How the work is carried out; no result depends on it.
#[derive(Clone, Copy, Debug)]
pub struct Resources {
    /// Threads that decode.
    pub workers: usize,
    /// RAM for decoded audio in bytes.
    pub cache_bytes: u64,
}

/// Steps of an epoch: one random segment a clip.
pub fn steps_per_epoch(task: &Task, batch: usize) -> u64 {
    task.of_split(Split::Train).len().div_ceil(batch) as u64
}

/// A linear layer on vectors of the encoder, whose gradient goes on into it.
struct Classifier {
    head: LinearHead,
    /// Where it starts as a probe: what its inputs go through, on the host and on the device. The vectors are then those that
    /// the encoder gives out, and otherwise those that it was trained through.
    standardise: Option<(Standardise, BatchNorm)>,
}

impl Classifier {
    fn new(encoder: &Encoder, labels: usize, start: Option<Probe>) -> Classifier {
        match start {
            None => Classifier {
                head: LinearHead::new(encoder.gpu(), encoder.network().trained_len(), labels),
                standardise: None,
            },
            Some(Probe { head, scale }) => {
                // with moments of its own: those of the probe's are of another loss
                let fresh = LinearHead::new(encoder.gpu(), encoder.features(), labels);
                fresh.write(&head.read());
                let on_device = scale.on_device(encoder.gpu());
                Classifier { head: fresh, standardise: Some((scale, on_device)) }
            }
        }
    }

    /// Length of a vector.
    fn features(&self) -> usize {
        self.head.params.get("weight").value.shape()[1]
    }

    /// Logits `[labels, N]` of samples `[N, SEGMENT_SAMPLES]`.
    #[track_caller]
    fn logits(&self, cx: &Ctx, encoder: &Encoder, samples: &Tensor, step: u64) -> Var {
        let input = Var::constant(encoder.front_end().features(samples));
        let network = encoder.network();
        let vectors = match &self.standardise {
            None => network.encode(cx, &input, step),
            Some((_, fixed)) => {
                let fixed_cx = Ctx { training: false, ..*cx };
                batch_norm(&fixed_cx, &network.features(cx, &input, step), fixed, false)
            }
        };
        self.head.logits(cx, &vectors)
    }

    /// Weights and biases on vectors as they are.
    fn read(&self) -> (Vec<f32>, Vec<f32>) {
        match &self.standardise {
            None => self.head.read(),
            Some((scale, _)) => scale.unfolded(self.head.read()),
        }
    }
}

/// Trains and says what becomes of the test clips. The weights of `encoder` move, and its running statistics. With `start`
/// the linear layer begins as a probe of the encoder's vectors and is trained on with it, instead of from zero on the
/// vectors that the encoder was trained through (Kumar et al. 2022, linear probing then fine-tuning). `on_step` is told the
/// steps done. Also returns the clips that turned out unusable while training.
///
/// # Errors
/// A loss that is not finite; splits without a usable clip.
pub fn fit(
    encoder: &Encoder,
    task: &Task,
    config: &FitConfig,
    resources: Resources,
    start: Option<Probe>,
    mut on_step: impl FnMut(u64),
) -> Result<(Fitted, Vec<(PathBuf, AudioError)>), TransferError> {
    let (gpu, network) = (encoder.gpu(), encoder.network());
    let classifier = Classifier::new(encoder, task.labels.len(), start);
    let head = &classifier.head;
    let criterion = Criterion::new(task, config.class_weights);
    let train = task.of_split(Split::Train);
    let Resources { workers, cache_bytes } = resources;
    let mut loader = CropLoader::start(task.clips.clone(), train, config.batch, config.seed, workers, cache_bytes);
    let mut optimizers = [0; 2].map(|_| Adam::new(AdamConfig::pytorch()));
    let mut stopping = config.patience.map(EarlyStopping::new);
    let mut best: Option<Snapshot> = None;
    let mut in_flight: VecDeque<Pending> = VecDeque::new();
    let (mut epochs, mut step) = (0, 0);
    while epochs < config.epochs && !stopping.as_ref().is_some_and(|s| s.is_over(epochs)) {
        epochs += 1;
        for _ in 0..steps_per_epoch(task, config.batch) {
            let batch = loader.next()?;
            let tape = Tape::new();
            let cx = Ctx { frozen_stages: config.frozen_stages, ..Ctx::training(gpu, &tape) };
            let samples = Tensor::from_slice(gpu, &[config.batch, SEGMENT_SAMPLES], &batch.samples);
            let loss = criterion.loss(&cx, &classifier.logits(&cx, encoder, &samples, step), &batch.clips);
            network.params().zero_grad();
            head.params.zero_grad();
            let value = loss.value.clone();
            tape.backward(&loss, Tensor::from_slice(gpu, &[1], &[1.0f32]));
            optimizers[0].step(network.params(), config.encoder_lr);
            optimizers[1].step(&head.params, config.head_lr(classifier.features()));
            in_flight.push_back(value.read_later());
            while in_flight.len() >= IN_FLIGHT {
                finite(in_flight.pop_front(), epochs)?;
            }
            step += 1;
            on_step(step);
        }
        while !in_flight.is_empty() {
            finite(in_flight.pop_front(), epochs)?;
        }
        if let Some(stopping) = &mut stopping {
            let said = predict(encoder, &classifier, task, Split::Valid, workers)?;
            if stopping.is_best(epochs, said.score(task), said.loss(task)) {
                best = Some(Snapshot::of(encoder, head));
            }
        }
    }
    if let Some(best) = &best {
        best.put_back(encoder, head);
    }
    let validation = stopping.and_then(|stopping| stopping.best());
    let fitted = Fitted {
        test: predict(encoder, &classifier, task, Split::Test, workers)?,
        epochs,
        best_epoch: validation.map_or(epochs, |(epoch, _)| epoch),
        validation: validation.map(|(_, score)| score),
        classifier: classifier.read(),
    };
    Ok((fitted, loader.skipped()))
}

fn finite(loss: Option<Pending>, epoch: usize) -> Result<(), TransferError> {
    let loss = loss.map_or(0.0, |loss| loss.wait::<f32>()[0]);
    if loss.is_finite() { Ok(()) } else { Err(TransferError::NotFinite { epoch }) }
}

/// Weights and running statistics of the best epoch, on the host.
struct Snapshot {
    params: Vec<NamedArray>,
    state: Vec<NamedArray>,
    head: (Vec<f32>, Vec<f32>),
}

impl Snapshot {
    fn of(encoder: &Encoder, head: &LinearHead) -> Snapshot {
        let network = encoder.network();
        Snapshot {
            params: network.params().read_all(Slab::Values),
            state: network.state().read_all(),
            head: head.read(),
        }
    }

    fn put_back(&self, encoder: &Encoder, head: &LinearHead) {
        let network = encoder.network();
        for array in &self.params {
            network.params().write(Slab::Values, &array.name, &array.data).expect("read from this model");
        }
        for array in &self.state {
            network.state().write(&array.name, &array.data).expect("read from this model");
        }
        head.write(&self.head);
    }
}

/// The mean logits of a split's clips over all their segments, batch norm with its running statistics.
fn predict(
    encoder: &Encoder,
    classifier: &Classifier,
    task: &Task,
    split: Split,
    workers: usize,
) -> Result<Predictions, TransferError> {
    let numbers = task.of_split(split);
    let clips: Arc<Vec<Clip>> = Arc::new(numbers.iter().map(|&i| task.clips[i as usize].clone()).collect());
    let cx = Ctx::inference(encoder.gpu());
    let labels = task.labels.len();
    let mut sums: Vec<(u32, usize, Vec<f64>)> = Vec::new();
    let failed = through_device(
        encoder.gpu(),
        clips,
        workers,
        |samples| classifier.logits(&cx, encoder, samples, 0).value,
        |rows, logits| {
            let columns = logits.len() / labels;
            for (n, row) in rows.iter().enumerate() {
                if sums.last().is_none_or(|(clip, ..)| *clip != row.clip) {
                    sums.push((row.clip, 0, vec![0.0; labels]));
                }
                let Some((_, count, sum)) = sums.last_mut() else { continue };
                *count += 1;
                sum.iter_mut().enumerate().for_each(|(c, sum)| *sum += f64::from(logits[c * columns + n]));
            }
        },
    );
    let mut said = Predictions::default();
    for (clip, count, sum) in sums.iter().filter(|(clip, ..)| !failed.contains_key(clip)) {
        said.clips.push(numbers[*clip as usize]);
        said.logits.extend(sum.iter().map(|sum| (sum / *count as f64) as f32));
    }
    match said.clips.is_empty() {
        true => Err(TransferError::EmptySplit(if split == Split::Test { "test" } else { "validation" })),
        false => Ok(said),
    }
}
