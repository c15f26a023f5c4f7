//! How much device memory a training step takes, found by following the same step without computing it.

use super::config::TrainConfig;
use super::step::{State, train_step};
use crate::audio::SEGMENT_SAMPLES;
use crate::frontend::InputNorm;
use crate::gpu::{Caps, Gpu, GpuError, catch};

/// Bytes in use at the peak of training with `batch` pairs on an adapter with these capabilities.
///
/// # Errors
/// A tensor that passes the adapter's largest buffer.
pub fn predict_peak_bytes(caps: &Caps, config: &TrainConfig, batch: usize) -> Result<u64, GpuError> {
    let config = TrainConfig { batch, ..config.clone() };
    // Never touched, so never really taken.
    let samples = vec![0.0; 2 * batch * SEGMENT_SAMPLES];
    catch(|| {
        let gpu = Gpu::dry_run(caps.clone());
        // Any scaling but none takes the same memory.
        let mut state = State::new(&gpu, &config, InputNorm::PAPER, 2);
        // The second step finds the first one's results still in flight.
        let first = train_step(&mut state, &samples, true);
        train_step(&mut state, &samples, true).wait();
        first.wait();
        gpu.memory().peak_bytes
    })
}

/// The largest batch whose peak stays within `limit_bytes`, and that peak; `None` if not even 2 pairs fit.
pub fn largest_batch(caps: &Caps, config: &TrainConfig, limit_bytes: u64) -> Option<(usize, u64)> {
    let fits = |batch| predict_peak_bytes(caps, config, batch).ok().filter(|&peak| peak <= limit_bytes);
    let (mut good, mut peak, mut step) = (2, fits(2)?, 2);
    // Doubling up to the first that does not fit, then halving the distance.
    while let Some(found) = (good + step < MOST_PAIRS).then(|| fits(good + step)).flatten() {
        (good, peak) = (good + step, found);
        step *= 2;
    }
    while step > 1 {
        step /= 2;
        if let Some(found) = fits(good + step) {
            (good, peak) = (good + step, found);
        }
    }
    Some((good, peak))
}

/// No larger batch is looked for.
const MOST_PAIRS: usize = 1 << 16;

/// RAM that could be taken without swapping, where the system tells (Linux).
pub fn available_ram_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(1024 * kib)
}
