//! What is written and shown of every step: `metrics.jsonl`, TensorBoard events, the progress bar.

use super::error::TrainError;
use super::metrics::{MetricsLog, StepMetrics};
use super::progress::Progress;
use super::tensorboard::EventWriter;
use std::path::Path;

/// The folder of TensorBoard events inside the folder of a run.
const EVENTS_FOLDER: &str = "tensorboard";

/// The records of a run.
pub struct Records {
    log: MetricsLog,
    events: EventWriter,
    first_step: u64,
    /// Made at the first step, when the length of the run is known, and anew when that changes.
    progress: Option<(u64, Progress)>,
}

impl Records {
    /// Starts the records of a run, or goes on with them behind `step`.
    ///
    /// # Errors
    /// Files that cannot be written, or a log that cannot be read.
    pub fn open(run: &Path, step: u64) -> Result<Records, TrainError> {
        let folder = run.join(EVENTS_FOLDER);
        let (log, events) = match step {
            0 => (MetricsLog::create(run)?, EventWriter::create(&folder)?),
            _ => (MetricsLog::resume(run, step)?, EventWriter::resume(&folder, step)?),
        };
        Ok(Records { log, events, first_step: step, progress: None })
    }

    /// Notes a step. `total` is the length of the run, `u64::MAX` while it is not known.
    ///
    /// # Errors
    /// A full disk, mostly.
    pub fn step(&mut self, record: &StepMetrics, total: u64, peak_bytes: u64) -> Result<(), TrainError> {
        self.log.append(record)?;
        let curves = [
            ("train/loss", Some(record.loss)),
            ("train/accuracy", Some(record.accuracy)),
            ("train/learning_rate", Some(record.lr)),
            ("train/gradient_norm", record.grad_norm),
            ("train/effective_rank", record.effective_rank),
            ("train/alignment", record.alignment),
            ("train/uniformity", record.uniformity),
            ("held_out/loss", record.held_out_loss),
            ("held_out/accuracy", record.held_out_accuracy),
            ("speed/segments_per_second", Some(record.segments_per_second)),
            ("speed/wait_percent", Some(record.wait_percent)),
        ];
        for (tag, value) in curves {
            if let Some(value) = value {
                self.events.scalar(tag, record.step, value)?;
            }
        }
        if total == u64::MAX {
            eprintln!("step {}  loss {:.3}  (timed to plan the length of the run)", record.step, record.loss);
            return Ok(());
        }
        if self.progress.as_ref().is_none_or(|(length, _)| *length != total) {
            self.progress = Some((total, Progress::new(self.first_step, total)));
        }
        if let Some((_, progress)) = &mut self.progress {
            progress.step(record, peak_bytes);
            if let (Some(rank), Some(alignment), Some(uniformity)) =
                (record.effective_rank, record.alignment, record.uniformity)
            {
                progress.note(&format!(
                    "step {}: features have effective rank {rank:.1}, alignment {alignment:.3}, uniformity {uniformity:.3}",
                    record.step
                ));
            }
            if let Some(accuracy) = record.held_out_accuracy {
                progress.note(&format!("step {}: held-out accuracy {:.1}%", record.step, 100.0 * accuracy));
            }
        }
        Ok(())
    }

    /// Forces everything to the disk, as before a checkpoint.
    ///
    /// # Errors
    /// A full disk, mostly.
    pub fn sync(&mut self) -> Result<(), TrainError> {
        self.log.sync()?;
        self.events.flush()?;
        Ok(())
    }

    /// Leaves the terminal in order.
    pub fn finish(&mut self) {
        if let Some((_, progress)) = self.progress.take() {
            progress.finish();
        }
    }
}
