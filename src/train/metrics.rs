//! `metrics.jsonl`: one JSON object a training step, for plots, notebooks and `jq`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Deserializer, Serialize};

use super::atomic::{WriteError, write_atomic};

/// The log's name inside the folder of a run.
pub const METRICS_FILE: &str = "metrics.jsonl";

/// How old an unflushed line may get: someone watching with `tail -f` never waits longer, and fast steps share a write.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// What is recorded about one optimiser step. Floats are written so that reading gives the same bits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepMetrics {
    /// Optimiser steps done, counted from 1.
    pub step: u64,
    /// Passes over the data begun, counted from 0.
    pub epoch: u64,
    /// Mean loss over the batch, in nats.
    #[serde(deserialize_with = "null_is_nan")]
    pub loss: f32,
    /// Fraction of anchors that picked their own positive, 0 to 1; chance is 1 / batch.
    #[serde(deserialize_with = "null_is_nan")]
    pub accuracy: f32,
    /// Learning rate of this step.
    pub lr: f32,
    /// Audio segments through the encoder a second (two a clip), over this step.
    #[serde(deserialize_with = "null_is_nan")]
    pub segments_per_second: f32,
    /// Share of the step's wall time spent waiting for audio, 0 to 100.
    #[serde(deserialize_with = "null_is_nan")]
    pub wait_percent: f32,
    /// L2 norm of all gradients before clipping, on the steps that measure it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grad_norm: Option<f32>,
    /// Effective rank of a batch of pooled features ([`crate::eval::projection::effective_rank`]), on the steps that measure it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_rank: Option<f32>,
    /// [Alignment](crate::eval::geometry::alignment) of the batch's pairs, on the steps that measure it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alignment: Option<f32>,
    /// [Uniformity](crate::eval::geometry::uniformity) of the anchors, on the steps that measure it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uniformity: Option<f32>,
    /// Mean loss over held-out pairs, in nats, on the steps that measure it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out_loss: Option<f32>,
    /// In-batch accuracy on held-out pairs, 0 to 1, on the steps that measure it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out_accuracy: Option<f32>,
}

/// JSON has no NaN: serde_json writes it as `null`, and this reads it back.
fn null_is_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f32, D::Error> {
    Ok(Option::<f32>::deserialize(deserializer)?.unwrap_or(f32::NAN))
}

/// Why a log could not be read.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say what each one is
pub enum MetricsError {
    #[error("cannot read {}: {source}; check that the run's folder is right", .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} line {line} is not a step's record ({source}); remove that line to go on", .path.display())]
    Line { path: PathBuf, line: usize, source: serde_json::Error },
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Appends steps to a run's `metrics.jsonl`.
pub struct MetricsLog {
    path: PathBuf,
    writer: BufWriter<File>,
    flushed: Instant,
}

impl MetricsLog {
    /// Starts an empty log in the folder `run`, replacing one that is there.
    ///
    /// # Errors
    /// [`MetricsError::Write`] if the file cannot be created.
    pub fn create(run: &Path) -> Result<Self, MetricsError> {
        let path = run.join(METRICS_FILE);
        let file = File::create(&path).map_err(|source| WriteError::new(&path, source))?;
        Ok(Self::over(path, file))
    }

    /// Goes on with the log in the folder `run` after a resume from the checkpoint of `step`.
    ///
    /// Steps past `step` were computed after that checkpoint and will be computed again, so they are cut off: the log
    /// keeps each step once. The shortened file replaces the old one in one rename. A run without a log gets one.
    ///
    /// # Errors
    /// As [`read_metrics`], and [`MetricsError::Write`].
    pub fn resume(run: &Path, step: u64) -> Result<Self, MetricsError> {
        let path = run.join(METRICS_FILE);
        if !path.exists() {
            return Self::create(run);
        }
        let kept = read_metrics(&path)?;
        write_atomic(&path, |file| {
            kept.iter().filter(|record| record.step <= step).try_for_each(|record| write_line(file, record))
        })?;
        let file = OpenOptions::new().append(true).open(&path).map_err(|source| WriteError::new(&path, source))?;
        Ok(Self::over(path, file))
    }

    fn over(path: PathBuf, file: File) -> Self {
        MetricsLog { path, writer: BufWriter::new(file), flushed: Instant::now() }
    }

    /// Adds one line; it reaches the file within about a second of further steps, or at [`MetricsLog::sync`].
    ///
    /// # Errors
    /// [`WriteError`], for example of a full disk.
    pub fn append(&mut self, record: &StepMetrics) -> Result<(), WriteError> {
        let result = write_line(&mut self.writer, record).and_then(|()| {
            if self.flushed.elapsed() >= FLUSH_EVERY {
                self.flushed = Instant::now();
                self.writer.flush()?;
            }
            Ok(())
        });
        result.map_err(|source| WriteError::new(&self.path, source))
    }

    /// Forces every line to the disk. Call it before each checkpoint: a run resumed from step S needs the log up to S.
    ///
    /// # Errors
    /// [`WriteError`], for example of a full disk.
    pub fn sync(&mut self) -> Result<(), WriteError> {
        self.flushed = Instant::now();
        self.writer
            .flush()
            .and_then(|()| self.writer.get_ref().sync_data())
            .map_err(|source| WriteError::new(&self.path, source))
    }
}

fn write_line(writer: &mut impl Write, record: &StepMetrics) -> io::Result<()> {
    serde_json::to_writer(&mut *writer, record)?;
    writer.write_all(b"\n")
}

/// Reads a `metrics.jsonl`. A last line that is cut short, as `kill -9` leaves it, is dropped; empty lines are passed over.
///
/// # Errors
/// [`MetricsError::Read`] if the file cannot be read, [`MetricsError::Line`] for a bad line before the last.
pub fn read_metrics(path: &Path) -> Result<Vec<StepMetrics>, MetricsError> {
    let bytes = fs::read(path).map_err(|source| MetricsError::Read { path: path.to_owned(), source })?;
    let mut records = Vec::new();
    let mut lines = bytes.split(|&byte| byte == b'\n').enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        match serde_json::from_slice(line) {
            Ok(record) => records.push(record),
            // No newline follows it, so the line was still being written.
            Err(_) if lines.peek().is_none() => break,
            Err(source) => {
                return Err(MetricsError::Line { path: path.to_owned(), line: index + 1, source });
            }
        }
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(step: u64) -> StepMetrics {
        StepMetrics {
            step,
            epoch: step / 10,
            loss: 1.0 / step as f32,
            accuracy: 0.1,
            lr: 1e-4,
            segments_per_second: 12.5,
            wait_percent: 0.0,
            grad_norm: step.is_multiple_of(2).then_some(3.3),
            effective_rank: None,
            alignment: None,
            uniformity: None,
            held_out_loss: None,
            held_out_accuracy: None,
        }
    }

    #[test]
    fn round_trip_keeps_every_bit() {
        let run = tempfile::tempdir().unwrap();
        let mut log = MetricsLog::create(run.path()).unwrap();
        let records: Vec<_> = (1..=200).map(record).collect();
        for record in &records {
            log.append(record).unwrap();
        }
        log.sync().unwrap();
        let path = run.path().join(METRICS_FILE);
        assert_eq!(read_metrics(&path).unwrap(), records);
        let text = fs::read_to_string(&path).unwrap();
        let first = text.lines().next().unwrap();
        assert!(first.starts_with(r#"{"step":1,"epoch":0,"loss":1.0,"accuracy":0.1,"lr":0.0001,"#));
        assert!(!first.contains("grad_norm"), "{first}");
    }

    #[test]
    fn nan_survives() {
        let run = tempfile::tempdir().unwrap();
        let mut log = MetricsLog::create(run.path()).unwrap();
        let bad = StepMetrics { loss: f32::NAN, ..record(1) };
        log.append(&bad).unwrap();
        log.sync().unwrap();
        let back = read_metrics(&run.path().join(METRICS_FILE)).unwrap();
        assert!(back[0].loss.is_nan());
    }

    #[test]
    fn resume_after_a_kill_keeps_each_step_once() {
        let run = tempfile::tempdir().unwrap();
        let path = run.path().join(METRICS_FILE);
        let mut log = MetricsLog::create(run.path()).unwrap();
        (1..=7).for_each(|step| log.append(&record(step)).unwrap());
        log.sync().unwrap();
        drop(log);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(br#"{"step":8,"epoch":0,"lo"#).unwrap();
        assert_eq!(read_metrics(&path).unwrap().len(), 7);

        let mut log = MetricsLog::resume(run.path(), 5).unwrap();
        (6..=9).for_each(|step| log.append(&record(step)).unwrap());
        drop(log);
        let steps: Vec<_> = read_metrics(&path).unwrap().iter().map(|r| r.step).collect();
        assert_eq!(steps, (1..=9).collect::<Vec<_>>());
    }

    #[test]
    fn resume_without_a_log_starts_one() {
        let run = tempfile::tempdir().unwrap();
        MetricsLog::resume(run.path(), 3).unwrap();
        assert!(read_metrics(&run.path().join(METRICS_FILE)).unwrap().is_empty());
    }

    #[test]
    fn a_bad_line_in_the_middle_is_named() {
        let run = tempfile::tempdir().unwrap();
        let path = run.path().join(METRICS_FILE);
        fs::write(&path, "{\"step\":1}\n{}\n").unwrap();
        let error = read_metrics(&path).unwrap_err().to_string();
        assert!(error.contains("metrics.jsonl line 1"), "{error}");
        let error = read_metrics(&run.path().join("none")).unwrap_err().to_string();
        assert!(error.contains("none"), "{error}");
    }
}
