//! How much device memory a training step takes, found by following the same step without computing it.

use super::TrainError;
use super::config::TrainConfig;
use super::learner::{self, Learner};
use super::progress::human_bytes;
use crate::frontend::InputNorm;
use crate::gpu::{Caps, Gpu, GpuError, catch};
use std::collections::BTreeMap;

/// Device memory of training with a batch, to the byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// Pairs a step.
    pub batch: usize,
    /// Bytes in use at the peak of a step.
    pub peak_bytes: u64,
    /// Bytes held from the device: the peak, and buffers of other sizes that wait to be used again.
    pub held_bytes: u64,
    /// The weights; their gradients take as much, and Adam's moments twice as much.
    pub parameter_bytes: u64,
    /// Bytes in use between two steps: the above, running statistics, tables.
    pub lasting_bytes: u64,
    /// Bytes in use between the way forward and the way back, less the lasting ones.
    pub kept_bytes: u64,
    /// What each kind of op keeps for the way back, the most first. What two ops keep counts at both.
    pub kept_by_op: Vec<KeptByOp>,
}

/// All ops of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptByOp {
    /// Name on the tape.
    pub name: &'static str,
    /// How often a step runs it.
    pub ops: usize,
    /// Bytes it keeps, all together.
    pub bytes: u64,
}

/// A step that is followed on a device of the given capabilities.
struct Follower {
    learner: Box<dyn Learner>,
    /// Of a segment.
    samples: usize,
    parameter_bytes: u64,
}

impl Follower {
    fn new(caps: &Caps, config: &TrainConfig) -> Result<Follower, GpuError> {
        catch(|| {
            let gpu = Gpu::dry_run(caps.clone());
            // Any scaling but none takes the same memory.
            let learner = learner::start(&gpu, config, InputNorm::PAPER, u64::MAX);
            Follower {
                parameter_bytes: learner.model().params().grads().size_bytes(),
                samples: config.segment_samples(),
                learner,
            }
        })
    }

    fn forecast(&mut self, batch: usize) -> Result<Forecast, GpuError> {
        let gpu = self.learner.gpu().clone();
        // Never touched, so never really taken.
        let samples = vec![0.0; 2 * batch * self.samples];
        catch(|| {
            self.learner.set_batch(batch);
            let (saved, in_use_bytes) = self.learner.kept_for_the_way_back();
            let mut by_op = BTreeMap::<_, KeptByOp>::new();
            for op in saved.iter().filter(|op| op.bytes > 0) {
                let sum = by_op.entry(op.name).or_insert(KeptByOp { name: op.name, ops: 0, bytes: 0 });
                (sum.ops, sum.bytes) = (sum.ops + 1, sum.bytes + op.bytes);
            }
            let mut kept_by_op: Vec<_> = by_op.into_values().collect();
            kept_by_op.sort_by_key(|op| std::cmp::Reverse(op.bytes));
            // What was there before this batch must not be counted, or be found in the pool.
            gpu.trim();
            gpu.reset_peak();
            let lasting_bytes = gpu.memory().in_use_bytes;
            // The second step finds the first one's results still in flight.
            let first = self.learner.train_step(&samples, true);
            self.learner.train_step(&samples, true).wait();
            first.wait();
            let memory = gpu.memory();
            Forecast {
                batch,
                peak_bytes: memory.peak_bytes,
                held_bytes: memory.reserved_bytes,
                parameter_bytes: self.parameter_bytes,
                lasting_bytes,
                kept_bytes: in_use_bytes - lasting_bytes,
                kept_by_op,
            }
        })
    }
}

/// Device memory of training with `batch` pairs on an adapter with these capabilities.
///
/// # Errors
/// A tensor that passes the adapter's largest buffer.
pub fn forecast(caps: &Caps, config: &TrainConfig, batch: usize) -> Result<Forecast, GpuError> {
    Follower::new(caps, config)?.forecast(batch)
}

/// The largest batch that holds at most `limit_bytes`, in whole chunks where the configuration has any; `None` if not even
/// 2 pairs, or one chunk, fit.
pub fn largest_batch(caps: &Caps, config: &TrainConfig, limit_bytes: u64) -> Option<Forecast> {
    let mut follower = Follower::new(caps, config).ok()?;
    let mut fits = |batch| follower.forecast(batch).ok().filter(|f| f.held_bytes <= limit_bytes);
    let (least, unit) = if config.chunk > 0 { (config.chunk, config.chunk) } else { (2, 1) };
    let (mut good, mut step) = (fits(least)?, 2 * unit);
    // Doubling up to the first that does not fit, then halving the distance.
    while let Some(found) = (good.batch + step < MOST_PAIRS).then(|| fits(good.batch + step)).flatten() {
        good = found;
        step *= 2;
    }
    while step > unit {
        step /= 2;
        if let Some(found) = fits(good.batch + step) {
            good = found;
        }
    }
    Some(good)
}

/// No larger batch is looked for.
const MOST_PAIRS: usize = 1 << 16;

/// What to do about a batch that is too large.
pub fn what_fits(caps: &Caps, config: &TrainConfig, limit_bytes: u64) -> String {
    if let Some(found) = largest_batch(caps, config, limit_bytes) {
        return format!("--batch {} takes {} and fits", found.batch, human_bytes(found.held_bytes));
    }
    let whole = TrainConfig { chunk: 0, ..config.clone() };
    match largest_batch(caps, &whole, limit_bytes).filter(|_| config.chunk > 0) {
        Some(found) => format!("not even one chunk of {} fits; --chunk {} would", config.chunk, found.batch),
        None => "not even a batch of 2 fits there; use another --adapter".into(),
    }
}

/// Refuses, before anything is taken, a batch that does not fit the memory budget of the device, if it has one.
///
/// # Errors
/// [`TrainError::OverBudget`], which names the largest batch that fits.
pub fn ensure_fits(gpu: &Gpu, config: &TrainConfig) -> Result<(), TrainError> {
    let Some(limit_bytes) = gpu.memory_limit_bytes() else { return Ok(()) };
    let held = match forecast(gpu.caps(), config, config.batch) {
        Ok(forecast) if forecast.held_bytes <= limit_bytes => return Ok(()),
        Ok(forecast) => human_bytes(forecast.held_bytes),
        Err(_) => "more than this adapter's buffers hold".into(),
    };
    let hint = what_fits(gpu.caps(), config, limit_bytes);
    Err(TrainError::OverBudget { batch: config.batch, held, limit: human_bytes(limit_bytes), hint })
}

/// RAM that could be taken without swapping, where the system tells (Linux).
pub fn available_ram_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(1024 * kib)
}
