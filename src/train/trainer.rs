//! The training loop.
//!
//! The device is kept busy: a step's numbers are waited for only after the next step has been recorded, so two steps
//! are in flight. Data order, crops, noise, learning rate and stochastic depth are functions of (seed, step); with the
//! checkpoint that makes a resumed run equal to an uninterrupted one, bit for bit on the same adapter.

use super::checkpoint::{self, Part, RunState, Weights};
use super::config::{InputScaling, Method, TrainConfig};
use super::error::TrainError;
use super::held_out::{self, HeldOut};
use super::learner::{self, Learner, Preparation, Prepared, Score};
use super::memory;
use super::metrics::StepMetrics;
use super::prepare;
use super::records::Records;
use super::step::{StepPending, StepResult};
use crate::audio::{Clip, Loader, LoaderConfig, PairBatch};
use crate::eval::geometry::{alignment, uniformity};
use crate::eval::projection::effective_rank;
use crate::frontend::{FrontEnd, InputNorm};
use crate::gpu::{Gpu, GpuError, catch};
use crate::tensor::Tensor;
use crate::trace;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Steps recorded before the first one's numbers are waited for.
const IN_FLIGHT: usize = 2;
/// Steps between two measurements of how features spread.
const SPREAD_EVERY: u64 = 50;
/// Pairs that it is measured on.
const SPREAD_PAIRS: usize = 128;
/// Steps that are timed before a run of `--minutes` fixes its length.
const TIMED_STEPS: u64 = 10;
/// Segments that the scaling of the input is measured on.
const NORM_SEGMENTS: usize = 1024;

/// What a run is given besides its configuration.
pub struct Job<'a> {
    /// Clips to train on.
    pub clips: Vec<Clip>,
    /// Folder of the run; it exists.
    pub run: &'a Path,
    /// The configuration.
    pub config: &'a TrainConfig,
    /// Set by Ctrl-C: the run saves and ends.
    pub stop: &'a AtomicBool,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Steps done, in all.
    pub steps: u64,
    /// Whether all steps were done; else it was stopped.
    pub finished: bool,
    /// The last held-out score, and among how many pairs it chooses, if recordings were held out.
    pub held_out: Option<(Score, usize)>,
    /// Clips that turned out unusable while training, with the reason.
    pub skipped: Vec<(PathBuf, crate::audio::AudioError)>,
}

/// Trains to the end, or until stopped; goes on where a checkpoint is found in the folder of the run.
///
/// # Errors
/// [`TrainError`]: bad data, a full disk, a loss that is not finite, a device that fails. The last checkpoint stays.
pub fn run(gpu: &Gpu, job: Job) -> Result<Outcome, TrainError> {
    let config = job.config;
    catch(|| Trainer::new(gpu, job)?.run()).unwrap_or_else(|error| Err(explain(gpu, config, error)))
}

struct Trainer<'a> {
    config: &'a TrainConfig,
    run: &'a Path,
    stop: &'a AtomicBool,
    learner: Box<dyn Learner>,
    /// Clips to train on.
    clips: Arc<Vec<Clip>>,
    loader: Loader,
    held_out: Option<HeldOut>,
    records: Records,
    saved: RunState,
    in_flight: VecDeque<(PairBatch, StepPending)>,
    /// Losses since the last checkpoint, to tell the best one.
    losses: Vec<f32>,
    last_score: Option<Score>,
    seconds_before: f64,
    /// When this process began, and when its last step and its first one were done.
    began: Instant,
    last_done: Instant,
    first_done: Option<(u64, Instant)>,
}

impl<'a> Trainer<'a> {
    fn new(gpu: &Gpu, job: Job<'a>) -> Result<Trainer<'a>, TrainError> {
        let Job { clips, run, config, stop } = job;
        let began = Instant::now();
        prepare::for_training(gpu, config);
        let data = describe(&clips);
        let (train, held) = held_out::split(clips, config.held_out, config.seed);
        let train = Arc::new(train);
        let loading = loader_config(config);
        let (learner, saved) = match checkpoint::find(run)? {
            Some(saved) if saved.data != data => {
                return Err(TrainError::DataChanged { run: run.to_owned(), was: saved.data, now: data });
            }
            Some(saved) => {
                let mut learner = learner::start(gpu, config, saved.input_norm, UNKNOWN);
                let saved = checkpoint::load(run, learner.model(), &config.fingerprint())?;
                learner.set_steps(saved.step);
                (learner, saved)
            }
            None => {
                let norm = input_norm(gpu, &train, config)?;
                let saved = RunState::new(norm, config.recipe.name(), config.fingerprint(), data);
                let learner = learner::start(gpu, config, norm, UNKNOWN);
                if !config.init.as_os_str().is_empty() {
                    Weights::open(&config.init)?.load_into(learner.model(), Part::Encoder)?;
                }
                (learner, saved)
            }
        };
        let loader = Loader::start(train.clone(), loading.clone(), saved.step)?;
        let held_out = match held.is_empty() {
            true => None,
            false => Some(HeldOut::load(
                held,
                LoaderConfig { seed: config.seed.wrapping_add(1), same_segment: false, ..loading },
            )?),
        };
        let records = Records::open(run, saved.step)?;
        let (in_flight, losses, last_score, first_done) = Default::default();
        let (seconds_before, last_done) = (saved.seconds, Instant::now());
        Ok(Trainer {
            config,
            run,
            stop,
            learner,
            clips: train,
            loader,
            held_out,
            records,
            saved,
            in_flight,
            losses,
            last_score,
            seconds_before,
            began,
            last_done,
            first_done,
        })
    }

    fn run(mut self) -> Result<Outcome, TrainError> {
        self.settle_length();
        if self.step() == 0 {
            self.save(true)?;
            match self.prepare()? {
                Prepared::Nothing => (),
                Prepared::Learnt => self.save(true)?,
                Prepared::Stopped => return Ok(self.outcome()),
            }
        }
        while self.step() < self.length() && !self.stop.load(Ordering::Relaxed) && !self.out_of_time() {
            let mut batch = {
                let _span = trace::span("wait for data");
                self.loader.next()?
            };
            let keep_pooled = self.step().is_multiple_of(SPREAD_EVERY);
            let pending = {
                let _span = trace::span("record a step");
                self.learner.train_step(&std::mem::take(&mut batch.samples), keep_pooled)
            };
            self.in_flight.push_back((batch, pending));
            self.drain(IN_FLIGHT - 1, None)?;
            let settled = self.settle_length();
            if settled || self.step().is_multiple_of(self.config.checkpoint_every) {
                self.checkpoint()?;
            }
        }
        self.checkpoint()?;
        self.records.finish();
        Ok(self.outcome())
    }

    fn outcome(&self) -> Outcome {
        Outcome {
            steps: self.step(),
            finished: self.step() >= self.length() || self.out_of_time(),
            held_out: self.last_score.zip(self.held_out.as_ref().map(HeldOut::pairs)),
            skipped: self.loader.skipped(),
        }
    }

    /// What some methods learn before the first step.
    fn prepare(&mut self) -> Result<Prepared, TrainError> {
        let Trainer { config, run, stop, .. } = *self;
        self.learner.prepare(&Preparation { clips: &self.clips, config, run, data: &self.saved.data, stop })
    }

    /// Steps recorded so far, those in flight included.
    fn step(&self) -> u64 {
        self.learner.steps()
    }

    fn length(&self) -> u64 {
        self.learner.length()
    }

    /// Waits for steps until at most `most` are in flight. `score` belongs to the last of them.
    fn drain(&mut self, most: usize, score: Option<Score>) -> Result<(), TrainError> {
        while self.in_flight.len() > most {
            let Some((batch, pending)) = self.in_flight.pop_front() else { break };
            let score = score.filter(|_| self.in_flight.is_empty());
            self.done(&batch, pending.wait(), score)?;
        }
        Ok(())
    }

    /// Notes the numbers of a step.
    fn done(&mut self, batch: &PairBatch, result: StepResult, score: Option<Score>) -> Result<(), TrainError> {
        let now = Instant::now();
        let wall = (now - self.last_done).as_secs_f64().max(1e-9);
        self.last_done = now;
        let step = batch.step + 1;
        self.first_done.get_or_insert((step, now));
        if !(result.loss.is_finite() && result.grad_norm.is_finite()) {
            return Err(TrainError::NotFinite {
                step,
                lr: result.lr,
                saved: self.saved.step,
                run: self.run.to_owned(),
            });
        }
        self.losses.push(result.loss);
        let spread = result.pooled.map(|pooled| Spread::of(&pooled, self.learner.batch()));
        let record = StepMetrics {
            step,
            epoch: batch.epoch,
            loss: result.loss,
            accuracy: result.accuracy,
            lr: result.lr,
            segments_per_second: (2.0 * self.learner.batch() as f64 / wall) as f32,
            wait_percent: (batch.wait_ms / (10.0 * wall)).min(100.0) as f32,
            grad_norm: Some(result.grad_norm),
            effective_rank: spread.map(|s| s.effective_rank),
            alignment: spread.map(|s| s.alignment),
            uniformity: spread.map(|s| s.uniformity),
            held_out_loss: score.map(|s| s.loss),
            held_out_accuracy: score.map(|s| s.accuracy),
        };
        self.records.step(&record, self.length(), self.learner.gpu().memory().peak_bytes)?;
        Ok(())
    }

    /// Measures the held-out recordings and saves.
    fn checkpoint(&mut self) -> Result<(), TrainError> {
        if self.saved.step == self.step() {
            return Ok(());
        }
        let score = self.held_out.as_ref().map(|held_out| held_out.measure(&*self.learner));
        self.drain(0, score)?;
        self.last_score = score.or(self.last_score);
        let mean = self.losses.iter().sum::<f32>() / self.losses.len() as f32;
        self.losses.clear();
        let loss = score.map_or(mean, |score| score.loss);
        let best = loss < self.saved.best_loss;
        if best {
            self.saved.best_loss = loss;
        }
        self.save(best)
    }

    /// Only called with nothing in flight: what is saved is known to be finite.
    fn save(&mut self, best: bool) -> Result<(), TrainError> {
        self.records.sync()?;
        self.saved.step = self.step();
        self.saved.total_steps = self.length();
        self.saved.seconds = self.seconds();
        checkpoint::save(self.run, self.learner.model(), &self.saved, best)?;
        tracing::debug!(step = self.saved.step, best, "checkpoint saved");
        Ok(())
    }

    /// Seconds spent on this run, earlier processes included.
    fn seconds(&self) -> f64 {
        self.seconds_before + self.began.elapsed().as_secs_f64()
    }

    fn out_of_time(&self) -> bool {
        self.config.minutes > 0.0 && self.seconds() > 60.0 * self.config.minutes
    }

    /// Works out the number of steps once it can be known; true when that happens after the start, which calls for a
    /// checkpoint: a resumed run must follow the same schedule.
    fn settle_length(&mut self) -> bool {
        if self.length() != UNKNOWN {
            return false;
        }
        let config = self.config;
        if config.minutes == 0.0 {
            self.set_length(config.steps.max(config.epochs * self.loader.steps_per_epoch()));
            return false;
        }
        if self.saved.total_steps > 0 && self.saved.total_steps != UNKNOWN {
            self.set_length(self.saved.total_steps);
            return false;
        }
        let Some((first, at)) = self.first_done else { return false };
        let timed = self.step() - self.in_flight.len() as u64 - first;
        if timed < TIMED_STEPS {
            return false;
        }
        let seconds_a_step = (self.last_done - at).as_secs_f64() / timed as f64;
        let left = (60.0 * config.minutes - self.seconds()).max(0.0);
        self.set_length(self.step() + (0.97 * left / seconds_a_step) as u64);
        tracing::debug!(seconds_a_step, steps = self.length(), "length of the run planned");
        true
    }

    fn set_length(&mut self, steps: u64) {
        self.learner.set_length(steps);
    }
}

/// The length of a run that has yet to be timed; a cosine over it stays at its peak.
const UNKNOWN: u64 = u64::MAX;

/// How many clips, and a checksum of their names and lengths; folders may move.
fn describe(clips: &[Clip]) -> String {
    let sum = clips.iter().fold(0, |sum, clip| {
        let name = clip.path.file_name().unwrap_or_default().to_string_lossy();
        crc32c::crc32c_append(sum, format!("{name} {} {}\n", clip.start, clip.samples).as_bytes())
    });
    format!("{} clips ({sum:08x})", clips.len())
}

/// How the configuration has audio loaded.
pub(super) fn loader_config(config: &TrainConfig) -> LoaderConfig {
    LoaderConfig {
        batch: config.batch,
        samples: config.segment_samples(),
        seed: config.seed,
        workers: config.workers,
        queue: 2,
        cache_bytes: config.cache.0,
        crop: config.crop_rule(),
        same_segment: config.method == Method::Simclr,
        noise: config.noise as f32,
        strict: config.strict,
    }
}

/// The scaling of the log-mel, measured on the first batches where the recipe asks for that.
fn input_norm(gpu: &Gpu, clips: &Arc<Vec<Clip>>, config: &TrainConfig) -> Result<InputNorm, TrainError> {
    match config.input_norm {
        InputScaling::None => Ok(InputNorm::NONE),
        InputScaling::Paper => Ok(InputNorm::PAPER),
        InputScaling::Standard => {
            let mut loader = Loader::start(clips.clone(), loader_config(config), 0)?;
            let batches = loader.steps_per_epoch().min(NORM_SEGMENTS.div_ceil(2 * config.batch) as u64);
            let batches = (0..batches).map(|_| loader.next()).collect::<Result<Vec<_>, _>>()?;
            let shape = [2 * config.batch, config.segment_samples()];
            let samples = batches.iter().map(|batch| Tensor::from_slice(gpu, &shape, &batch.samples));
            Ok(FrontEnd::new(gpu, InputNorm::NONE).measure(samples).unwrap_or(InputNorm::NONE))
        }
    }
}

/// How the encoder's outputs spread; a collapse shows in all three.
#[derive(Clone, Copy)]
struct Spread {
    effective_rank: f32,
    alignment: f32,
    uniformity: f32,
}

impl Spread {
    /// Of outputs `[features, 2 batch]`, anchors first, or of as many pairs as it takes.
    fn of(pooled: &[f32], batch: usize) -> Spread {
        let segments = 2 * batch;
        let (rows, features) = (batch.min(SPREAD_PAIRS), pooled.len() / segments);
        let row = |n: usize| (0..features).map(move |f| pooled[f * segments + n]);
        let anchors: Vec<f32> = (0..rows).flat_map(row).collect();
        let positives: Vec<f32> = (batch..batch + rows).flat_map(row).collect();
        Spread {
            effective_rank: effective_rank(&anchors, rows, features) as f32,
            alignment: alignment(&anchors, &positives, features) as f32,
            uniformity: uniformity(&anchors, features) as f32,
        }
    }
}

/// A device failure with what to do about it: where memory or a limit was passed, the largest batch that fits.
fn explain(gpu: &Gpu, config: &TrainConfig, error: GpuError) -> TrainError {
    let limit_bytes = match &error {
        GpuError::OutOfMemory { in_use_bytes, .. } => gpu.memory_limit_bytes().unwrap_or(*in_use_bytes),
        GpuError::TooLarge { .. } => gpu.memory_limit_bytes().unwrap_or(u64::MAX),
        _ => return TrainError::Gpu(error),
    };
    let hint = memory::what_fits(gpu.caps(), config, limit_bytes);
    TrainError::TooLarge { error, hint }
}
