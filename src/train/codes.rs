//! The codes of `--method nextcode`, which are learnt before the transformer: an auto-encoder of patches, then k-means on
//! its vectors. What was learnt so far is kept in `RUN/codes/`, from where a stopped run goes on.

use super::atomic::write_atomic;
use super::checkpoint::{self, RunState};
use super::config::TrainConfig;
use super::error::TrainError;
use super::learner::{Preparation, Prepared};
use super::progress::bar;
use super::trainer::loader_config;
use crate::audio::{Loader, LoaderConfig, SEGMENT_SAMPLES};
use crate::codes::kmeans::{KMeans, KMeansConfig, plus_plus};
use crate::eval::npy::write_csv;
use crate::frontend::FrontEnd;
use crate::gpu::{Gpu, Pending};
use crate::nn::auto_encoder::AutoEncoder;
use crate::nn::next_code::NextCode;
use crate::ops::elementwise::{add_scaled, axpby};
use crate::ops::reduce::sum_squares;
use crate::optim::{Adam, AdamConfig, Decay, Schedule};
use crate::tape::{Ctx, Tape, Var};
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::Ordering;

/// The folder inside that of a run.
pub const CODES_FOLDER: &str = "codes";
/// What is known about the codes, inside that folder.
pub const CODES_FILE: &str = "codes.json";

/// Adam's highest learning rate for the auto-encoder, and the steps over which it rises.
const LR: f64 = 1e-3;
const WARMUP: u64 = 20;
/// Vectors that k-means is run on: so many, or fewer where their products with all centres would not fit a binding.
const POINTS: usize = 1 << 16;
const PRODUCTS: usize = 1 << 24;
/// Every so many-th vector of a batch is taken; odd, so that all bands come in turn.
const STRIDE: usize = 3;
/// Pairs a step at most: thousands of patches are plenty.
const MOST_PAIRS: usize = 16;
/// Batches they are taken from, at most, and batches that what is lost is measured on.
const BATCHES: usize = 64;
const MEASURED: usize = 4;
const ROUNDS: usize = 50;
/// A round over some of the points costs less and does less.
const MINI_BATCH_ROUNDS: usize = 200;

/// How good the codes are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CodesReport {
    /// Share of the log-mel's variance that the auto-encoder keeps.
    pub explained_by_vectors: f64,
    /// Share that is kept when every vector is replaced by its centre.
    pub explained_by_codes: f64,
    /// Codes that any vector has.
    pub used: usize,
    /// exp of the entropy of their use: as many codes in equal use would have it.
    pub perplexity: f64,
    /// Vectors of each code.
    pub counts: Vec<u64>,
    /// Inertia before each round of k-means over all vectors, and after the last.
    pub inertia: Vec<f64>,
}

impl CodesReport {
    /// That of a run; `None` where it has none.
    pub fn read(run: &Path) -> Option<CodesReport> {
        let text = std::fs::read(run.join(CODES_FOLDER).join(CODES_FILE)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// In a sentence.
    pub fn in_words(&self) -> String {
        format!(
            "{} of {} codes are in use, as evenly as {:.0} in equal use; of the log-mel's variance {:.1}% is kept by the auto-encoder and {:.1}% by its codes",
            self.used,
            self.counts.len(),
            self.perplexity,
            100.0 * self.explained_by_vectors,
            100.0 * self.explained_by_codes
        )
    }

    fn write(&self, folder: &Path) -> Result<(), TrainError> {
        let total = self.counts.iter().sum::<u64>() as f64;
        let row = |(code, &count): (usize, &u64)| {
            [code.to_string(), count.to_string(), format!("{:.6}", count as f64 / total)]
        };
        write_csv(&folder.join("codes.csv"), &["code", "count", "share"], self.counts.iter().enumerate().map(row))?;
        let text = serde_json::to_vec_pretty(self).expect("plain values make valid JSON");
        Ok(write_atomic(&folder.join(CODES_FILE), |file| file.write_all(&text))?)
    }
}

/// Learns the codes and puts them into `model`.
///
/// # Errors
/// As training itself, and [`TrainError::FewPatches`].
pub fn learn(
    gpu: &Gpu,
    front_end: &FrontEnd,
    model: &NextCode,
    preparation: &Preparation,
) -> Result<Prepared, TrainError> {
    let Preparation { clips, config, run, data, .. } = *preparation;
    let folder = run.join(CODES_FOLDER);
    let codes = AutoEncoder::new(gpu, &config.codes(), config.seed);
    let mut saved = match checkpoint::find(&folder)? {
        Some(_) => checkpoint::load(&folder, &codes, &config.fingerprint())?,
        None => RunState::new(front_end.norm, config.recipe.name(), config.fingerprint(), data.to_string()),
    };
    let pairs = config.batch.min(MOST_PAIRS);
    // Other crops than the transformer's first ones.
    let loading = LoaderConfig {
        batch: pairs,
        samples: SEGMENT_SAMPLES,
        seed: config.seed.wrapping_add(2),
        ..loader_config(config)
    };
    let mut loader = Loader::start(clips.clone(), loading, saved.step)?;
    let mut log_mels = || -> Result<Tensor, TrainError> {
        let samples = Tensor::from_slice(gpu, &[2 * pairs, SEGMENT_SAMPLES], &loader.next()?.samples);
        Ok(front_end.features(&samples))
    };
    if !train(&codes, &mut saved, &folder, &mut log_mels, preparation)? {
        return Ok(Prepared::Stopped);
    }
    let (points, count) = some_vectors(&codes, config, &mut log_mels)?;
    let start = plus_plus(&points, config.bottleneck, config.codes, config.seed);
    let rounds = if config.codes_batch > 0 { MINI_BATCH_ROUNDS } else { ROUNDS };
    let (centres, batch, seed) = (config.codes, config.codes_batch, config.seed);
    let how = KMeansConfig { centres, rounds, tolerance: 1e-4, batch, seed };
    let found = KMeans::fit(&Tensor::from_slice(gpu, &[config.bottleneck, count], &points), &start, &how);
    codes.set_centres(&found.centres);
    model.set_codes(&codes);
    let report = judge(&codes, model, found, &mut log_mels)?;
    checkpoint::save(&folder, &codes, &saved, true)?;
    report.write(&folder)?;
    eprintln!("codes: {}", report.in_words());
    Ok(Prepared::Learnt)
}

/// Where scaled log-mels `[1, segments, 96, 64]` come from, batch after batch.
type LogMels<'a> = &'a mut dyn FnMut() -> Result<Tensor, TrainError>;

/// Trains the auto-encoder from where it stands. False where it was stopped, and saved.
fn train(
    codes: &AutoEncoder,
    saved: &mut RunState,
    folder: &Path,
    log_mels: LogMels,
    &Preparation { config, run, stop, .. }: &Preparation,
) -> Result<bool, TrainError> {
    let total_steps = config.codes_steps;
    let schedule = Schedule { peak: LR, warmup_steps: WARMUP, total_steps, decay: Decay::Cosine };
    let mut optimizer = Adam::new(AdamConfig::pytorch());
    optimizer.steps = saved.step;
    let progress = bar("learning codes", total_steps);
    let mut in_flight: Option<Pending> = None;
    loop {
        let ended = optimizer.steps >= total_steps || stop.load(Ordering::Relaxed);
        if ended || optimizer.steps.is_multiple_of(config.checkpoint_every) {
            finite(in_flight.take(), saved, run)?;
            if optimizer.steps > saved.step {
                saved.step = optimizer.steps;
                checkpoint::save(folder, codes, saved, true)?;
            }
        }
        if ended {
            progress.finish_and_clear();
            return Ok(optimizer.steps >= total_steps);
        }
        let lr = schedule.at(optimizer.steps);
        let loss = train_step(codes, &mut optimizer, lr, &codes.patches(&log_mels()?));
        finite(in_flight.replace(loss.read_later()), saved, run)?;
        progress.set_position(optimizer.steps);
    }
}

/// What the codes that k-means has found keep of a few more batches.
fn judge(codes: &AutoEncoder, model: &NextCode, found: KMeans, log_mels: LogMels) -> Result<CodesReport, TrainError> {
    let (mut square, mut by_vectors, mut by_codes) = (0.0, 0.0, 0.0);
    for _ in 0..MEASURED {
        let log_mel = log_mels()?;
        let (patches, cx) = (codes.patches(&log_mel), Ctx::inference(log_mel.gpu()));
        let decoded = codes.decode(&cx, &codes.encode(&cx, &Var::constant(patches.clone()))).value;
        let ids = model.codebook.assign(&log_mel).ids.read::<u32>();
        square += f64::from(sum_squares(&patches).read::<f32>()[0]);
        by_vectors += distance(&decoded, &patches);
        by_codes += distance(&model.codebook.patches_of(&ids), &patches);
    }
    let total = found.counts.iter().sum::<u64>() as f64;
    let shares = found.counts.iter().filter(|count| **count > 0).map(|&count| count as f64 / total);
    Ok(CodesReport {
        explained_by_vectors: 1.0 - by_vectors / square,
        explained_by_codes: 1.0 - by_codes / square,
        used: shares.clone().count(),
        perplexity: shares.map(|p| -p * p.ln()).sum::<f64>().exp(),
        counts: found.counts,
        inertia: found.inertia,
    })
}

/// One step on patches `[patch_len, tokens]`, down the mean squared error. Returns the sum of the squares, `[1]`.
fn train_step(codes: &AutoEncoder, optimizer: &mut Adam, lr: f64, patches: &Tensor) -> Tensor {
    let gpu = patches.gpu();
    codes.params.zero_grad();
    let tape = Tape::new();
    let cx = Ctx::training(gpu, &tape);
    let decoded = codes.decode(&cx, &codes.encode(&cx, &Var::constant(patches.clone())));
    let error = difference(&decoded.value, patches);
    let loss = sum_squares(&error);
    let slope = Tensor::empty(gpu, "slope of the squared error", patches.shape());
    axpby(2.0 / patches.len() as f32, &error, 0.0, &slope);
    tape.backward(&decoded, slope);
    optimizer.step(&codes.params, lr);
    loss
}

fn difference(a: &Tensor, b: &Tensor) -> Tensor {
    let [a, b] = [a, b].map(|t| Var::constant(t.clone()));
    add_scaled(&Ctx::inference(a.value.gpu()), 1.0, &a, -1.0, &b).value
}

fn distance(a: &Tensor, b: &Tensor) -> f64 {
    f64::from(sum_squares(&difference(a, b)).read::<f32>()[0])
}

/// Vectors `[bottleneck][count]` of patches from several batches, and their count.
fn some_vectors(codes: &AutoEncoder, config: &TrainConfig, log_mels: LogMels) -> Result<(Vec<f32>, usize), TrainError> {
    let wanted = POINTS.min(PRODUCTS / config.codes);
    let mut rows: Vec<Vec<f32>> = vec![Vec::new(); config.bottleneck];
    for _ in 0..BATCHES {
        let patches = Var::constant(codes.patches(&log_mels()?));
        let tokens = patches.value.dims2()[1];
        let vectors = codes.encode(&Ctx::inference(patches.value.gpu()), &patches).value.read::<f32>();
        for (row, values) in rows.iter_mut().zip(vectors.chunks(tokens)) {
            row.extend(values.iter().step_by(STRIDE));
            row.truncate(wanted);
        }
        if rows[0].len() == wanted {
            break;
        }
    }
    let count = rows[0].len();
    match count < config.codes {
        true => Err(TrainError::FewPatches { patches: count, codes: config.codes }),
        false => Ok((rows.concat(), count)),
    }
}

fn finite(loss: Option<Pending>, saved: &RunState, run: &Path) -> Result<(), TrainError> {
    match loss.map(|loss| loss.wait::<f32>()[0]) {
        Some(loss) if !loss.is_finite() => {
            Err(TrainError::NotFinite { step: saved.step + 1, lr: LR as f32, saved: saved.step, run: run.to_owned() })
        }
        _ => Ok(()),
    }
}
