//! The linear probe: one linear layer on frozen features, trained on the GPU with the engine's own tape.
//!
//! Every training segment is an example. In testing the logits are averaged over a clip's segments. Features are
//! standardised by the training split (COLA trains on one random segment a clip and epoch; all of them is less noisy).

use super::embed::Vectors;
use super::metrics::Confusion;
use crate::audio::{Clip, Split};
use crate::gpu::Gpu;
use crate::nn::{NamedArray, ParamStore};
use crate::ops::bias::bias;
use crate::ops::matmul::linear;
use crate::ops::softmax_xent::{Samples, softmax_xent};
use crate::optim::{Adam, AdamConfig};
use crate::tape::{Ctx, Tape, Var};
use crate::tensor::Tensor;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// How the linear layer is trained, with COLA's batch and learning rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProbeConfig {
    /// Passes over the training segments.
    pub epochs: usize,
    /// Segments a step; the last one of an epoch may be smaller.
    pub batch: usize,
    /// Adam's learning rate.
    pub lr: f64,
    /// Decides the order of the segments.
    pub seed: u64,
}

impl Default for ProbeConfig {
    fn default() -> ProbeConfig {
        ProbeConfig { epochs: 100, batch: 64, lr: 1e-3, seed: 0 }
    }
}

/// Trains on the clips of the training split and counts what becomes of the others.
///
/// `vectors` are of clips in `clips`, whose labels count into `labels`. `on_epoch` is told how many are done.
///
/// # Panics
/// When a clip has no label, or the training split has no vector.
pub fn probe(
    gpu: &Gpu,
    vectors: &Vectors,
    clips: &[Clip],
    labels: &[String],
    config: ProbeConfig,
    mut on_epoch: impl FnMut(usize),
) -> Confusion {
    let label = |row: usize| {
        let clip = &clips[vectors.rows[row].clip as usize];
        clip.label().expect("every clip of a task has a label; discover_task sees to it")
    };
    let is_train = |row: &usize| clips[vectors.rows[*row].clip as usize].split == Split::Train;
    let (train, test): (Vec<usize>, Vec<usize>) = (0..vectors.rows.len()).partition(is_train);
    let scale = Standardise::of(vectors, &train);
    let classifier = Classifier::new(gpu, vectors.cols, labels.len());
    let mut optimizer = Adam::new(AdamConfig::pytorch());
    let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
    let mut order = train;
    for epoch in 1..=config.epochs {
        order.shuffle(&mut rng);
        for batch in order.chunks(config.batch) {
            let targets: Vec<u32> = batch.iter().map(|&row| label(row)).collect();
            classifier.step(&scale.columns(vectors, batch), &targets, &mut optimizer, config.lr);
        }
        // Without this the host would run thousands of steps ahead of the device.
        gpu.wait();
        on_epoch(epoch);
    }

    let mut pairs = Vec::new();
    for segments in test.chunk_by(|&a, &b| vectors.rows[a].clip == vectors.rows[b].clip) {
        let mut sums = vec![0.0f64; labels.len()];
        for batch in segments.chunks(config.batch) {
            let logits = classifier.logits(&scale.columns(vectors, batch), batch.len());
            for (sum, row) in sums.iter_mut().zip(logits.chunks(batch.len())) {
                *sum += row.iter().map(|&x| f64::from(x)).sum::<f64>();
            }
        }
        let best = (0..sums.len()).max_by(|&a, &b| sums[a].total_cmp(&sums[b])).unwrap_or(0);
        pairs.push((label(segments[0]) as usize, best));
    }
    Confusion::new(labels.to_vec(), pairs)
}

/// Mean and 1 / deviation of each feature over the training rows.
struct Standardise {
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

    /// Rows of the vectors as columns `[features][rows]`, standardised.
    fn columns(&self, vectors: &Vectors, rows: &[usize]) -> Vec<f32> {
        let mut columns = vec![0.0; vectors.cols * rows.len()];
        for (n, &row) in rows.iter().enumerate() {
            for (f, &x) in vectors.row(row).iter().enumerate() {
                columns[f * rows.len() + n] = ((f64::from(x) - self.mean[f]) * self.scale[f]) as f32;
            }
        }
        columns
    }
}

/// A linear layer. It starts at zero: the problem is convex, so any start leads to the same place.
struct Classifier {
    gpu: Gpu,
    params: ParamStore,
    features: usize,
}

impl Classifier {
    fn new(gpu: &Gpu, features: usize, classes: usize) -> Classifier {
        let zeros = |name: &str, shape: &[usize]| NamedArray {
            name: name.into(),
            shape: shape.to_vec(),
            data: vec![0.0; shape.iter().product()],
        };
        let params = ParamStore::build(gpu, &[zeros("weight", &[classes, features]), zeros("bias", &[classes])]);
        Classifier { gpu: gpu.clone(), params, features }
    }

    fn forward(&self, cx: &Ctx, columns: &[f32]) -> Var {
        let shape = [self.features, columns.len() / self.features];
        let x = Var::constant(Tensor::from_slice(&self.gpu, &shape, columns));
        bias(cx, &linear(cx, &self.params.get("weight"), &x), &self.params.get("bias"))
    }

    fn step(&self, columns: &[f32], targets: &[u32], optimizer: &mut Adam, lr: f64) {
        let tape = Tape::new();
        let cx = Ctx::training(&self.gpu, &tape);
        let targets = Tensor::from_slice(&self.gpu, &[targets.len()], targets);
        let out = softmax_xent(&cx, &self.forward(&cx, columns), Samples::Columns, &targets);
        self.params.zero_grad();
        tape.backward(&out.loss, Tensor::from_slice(&self.gpu, &[1], &[1.0f32]));
        optimizer.step(&self.params, lr);
    }

    /// `[classes][n]`.
    fn logits(&self, columns: &[f32], n: usize) -> Vec<f32> {
        let logits = self.forward(&Ctx::inference(&self.gpu), columns).value;
        debug_assert_eq!(logits.dims2()[1], n);
        logits.read()
    }
}
