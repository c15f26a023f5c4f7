//! A linear layer on vectors that do not change.
//!
//! Every training segment is an example in every epoch (COLA draws one random segment a clip: all of them is less
//! noisy, and the vectors are there). Features are standardised by the training split.

use super::head::{Criterion, LinearHead};
use super::predictions::Predictions;
use super::{EarlyStopping, FitConfig, Fitted, Task};
use crate::audio::Split;
use crate::eval::embed::Vectors;
use crate::gpu::Gpu;
use crate::ops::batch_norm::BatchNorm;
use crate::optim::{Adam, AdamConfig};
use crate::tape::{Ctx, Param, Tape, Var};
use crate::tensor::Tensor;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Trains on the vectors of the training clips and says what becomes of the test clips. `on_epoch` is told how many
/// epochs are done.
///
/// # Panics
/// When `vectors`, which are of the task's clips, hold none of the training split.
pub fn fit(gpu: &Gpu, vectors: &Vectors, task: &Task, config: &FitConfig, on_epoch: impl FnMut(usize)) -> Fitted {
    train(gpu, vectors, task, config, on_epoch).0
}

/// As [`fit`]; also returns what it made, for the encoder to be trained on with.
///
/// # Panics
/// As [`fit`].
pub fn train(
    gpu: &Gpu,
    vectors: &Vectors,
    task: &Task,
    config: &FitConfig,
    mut on_epoch: impl FnMut(usize),
) -> (Fitted, Probe) {
    let of_split = |split| -> Vec<usize> {
        let is_in = |row: &usize| task.clips[vectors.rows[*row].clip as usize].split == split;
        (0..vectors.rows.len()).filter(is_in).collect()
    };
    let (mut order, valid, test) = (of_split(Split::Train), of_split(Split::Valid), of_split(Split::Test));
    let scale = Standardise::of(vectors, &order);
    let head = LinearHead::new(gpu, vectors.cols, task.labels.len());
    let criterion = Criterion::new(task, config.class_weights);
    let mut optimizer = Adam::new(AdamConfig::pytorch());
    let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
    let mut stopping = config.patience.map(EarlyStopping::new);
    let mut best = None;
    let mut epochs = 0;
    while epochs < config.epochs && !stopping.as_ref().is_some_and(|s| s.is_over(epochs)) {
        epochs += 1;
        order.shuffle(&mut rng);
        for batch in order.chunks(config.batch) {
            let clips: Vec<u32> = batch.iter().map(|&row| vectors.rows[row].clip).collect();
            let tape = Tape::new();
            let cx = Ctx::training(gpu, &tape);
            let loss = criterion.loss(&cx, &head.logits(&cx, &scale.columns(gpu, vectors, batch)), &clips);
            head.params.zero_grad();
            tape.backward(&loss, Tensor::from_slice(gpu, &[1], &[1.0f32]));
            optimizer.step(&head.params, config.head_lr(vectors.cols));
        }
        // Without this the host would run thousands of steps ahead of the device.
        gpu.wait();
        if let Some(stopping) = &mut stopping {
            let said = predict(gpu, &head, &scale, vectors, &valid, config.batch);
            if stopping.is_best(epochs, said.score(task), said.loss(task)) {
                best = Some(head.read());
            }
        }
        on_epoch(epochs);
    }
    if let Some(best) = &best {
        head.write(best);
    }
    let validation = stopping.and_then(|stopping| stopping.best());
    let fitted = Fitted {
        test: predict(gpu, &head, &scale, vectors, &test, config.batch),
        epochs,
        best_epoch: validation.map_or(epochs, |(epoch, _)| epoch),
        validation: validation.map(|(_, score)| score),
        classifier: scale.unfolded(head.read()),
    };
    (fitted, Probe { head, scale })
}

/// A linear layer and the standardisation of the vectors in front of it.
pub struct Probe {
    /// The layer.
    pub(super) head: LinearHead,
    /// What its inputs went through.
    pub(super) scale: Standardise,
}

/// The mean logits of the clips of these rows.
fn predict(
    gpu: &Gpu,
    head: &LinearHead,
    scale: &Standardise,
    vectors: &Vectors,
    rows: &[usize],
    batch: usize,
) -> Predictions {
    let mut said = Predictions::default();
    for segments in rows.chunk_by(|&a, &b| vectors.rows[a].clip == vectors.rows[b].clip) {
        let mut sums: Vec<f64> = Vec::new();
        for batch in segments.chunks(batch) {
            let logits = head.logits(&Ctx::inference(gpu), &scale.columns(gpu, vectors, batch)).value.read::<f32>();
            let of_label = logits.chunks(batch.len()).map(|row| row.iter().map(|&x| f64::from(x)).sum::<f64>());
            sums.resize(logits.len() / batch.len(), 0.0);
            sums.iter_mut().zip(of_label).for_each(|(sum, more)| *sum += more);
        }
        said.clips.push(vectors.rows[segments[0]].clip);
        said.logits.extend(sums.iter().map(|sum| (sum / segments.len() as f64) as f32));
    }
    said
}

/// Mean and 1 / deviation of each feature over the training rows.
pub(super) struct Standardise {
    mean: Vec<f64>,
    scale: Vec<f64>,
}

impl Standardise {
    fn of(vectors: &Vectors, train: &[usize]) -> Standardise {
        assert!(!train.is_empty(), "no training segments");
        let n = train.len() as f64;
        let mut mean = vec![0.0; vectors.cols];
        for &row in train {
            mean.iter_mut().zip(vectors.row(row)).for_each(|(sum, &x)| *sum += f64::from(x) / n);
        }
        let mut variance = vec![0.0; vectors.cols];
        for &row in train {
            let terms = variance.iter_mut().zip(&mean).zip(vectors.row(row));
            terms.for_each(|((sum, m), &x)| *sum += (f64::from(x) - m).powi(2) / n);
        }
        // A feature that never changes says nothing: it is set to 0.
        let scale = variance.iter().map(|&v| if v > 1e-24 { 1.0 / v.sqrt() } else { 0.0 }).collect();
        Standardise { mean, scale }
    }

    /// Rows of the vectors as columns `[features, rows]`, standardised.
    fn columns(&self, gpu: &Gpu, vectors: &Vectors, rows: &[usize]) -> Var {
        let mut columns = vec![0.0; vectors.cols * rows.len()];
        for (n, &row) in rows.iter().enumerate() {
            for (f, &x) in vectors.row(row).iter().enumerate() {
                columns[f * rows.len() + n] = ((f64::from(x) - self.mean[f]) * self.scale[f]) as f32;
            }
        }
        Var::constant(Tensor::from_slice(gpu, &[vectors.cols, rows.len()], &columns))
    }

    /// The same on the device, as a batch norm whose statistics stay.
    pub(super) fn on_device(&self, gpu: &Gpu) -> BatchNorm {
        let features = self.mean.len();
        let tensor = |of: &dyn Fn(usize) -> f64| {
            let values: Vec<f32> = (0..features).map(|f| of(f) as f32).collect();
            Tensor::from_slice(gpu, &[features], &values)
        };
        let param = |name: &str, of: &dyn Fn(usize) -> f64| Param {
            name: name.into(),
            value: tensor(of),
            grad: Tensor::zeros(gpu, "gradient that nobody asks for", &[features]),
        };
        BatchNorm {
            weight: param("scale", &|f| self.scale[f]),
            bias: param("shift", &|f| -self.mean[f] * self.scale[f]),
            running_mean: tensor(&|_| 0.0),
            running_var: tensor(&|_| 1.0),
            eps: 0.0,
            momentum: 0.0,
        }
    }

    /// The layer that does on vectors as they are what the given one does on standardised ones.
    pub(super) fn unfolded(&self, (weight, bias): (Vec<f32>, Vec<f32>)) -> (Vec<f32>, Vec<f32>) {
        let rows = weight.chunks(self.mean.len());
        let scaled =
            |row: &[f32]| -> Vec<f64> { row.iter().zip(&self.scale).map(|(&w, s)| f64::from(w) * s).collect() };
        let rows: Vec<Vec<f64>> = rows.map(scaled).collect();
        let shift = |row: &Vec<f64>| row.iter().zip(&self.mean).map(|(w, m)| w * m).sum::<f64>();
        let bias = bias.iter().zip(&rows).map(|(&b, row)| (f64::from(b) - shift(row)) as f32).collect();
        (rows.into_iter().flatten().map(|w| w as f32).collect(), bias)
    }
}
