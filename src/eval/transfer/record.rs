//! What is kept of a transfer: `RUN/transfer/<task>/<mode>/result.json`.

use super::predictions::{Predictions, bootstrap};
use super::{FitConfig, Fitted, Mode, Task};
use crate::audio::Split;
use crate::eval::metrics::Confusion;
use crate::nn::backbone::BackboneKind;
use crate::train::atomic::{WriteError, write_atomic};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The result's name inside its folder.
pub const RESULT_FILE: &str = "result.json";

/// Everything that a result depends on: of two equal protocols only one has to be carried out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Protocol {
    /// Checksum of the weights' file.
    pub weights: String,
    /// Scaling and pooling that were asked for, in place of what is stored with the weights.
    pub encoder: String,
    /// An untrained network in place of the run's own.
    #[serde(default)]
    pub network: Option<BackboneKind>,
    /// Number of clips, and a checksum of their names, lengths, labels and splits.
    pub data: String,
    /// How the classifier is trained; its seed is the first one.
    pub fit: FitConfig,
    /// How many seeds, one after the other.
    pub seeds: usize,
    /// Share of the training files that validated, where early stopping needed it and the task has no such split.
    pub valid_fraction: Option<f64>,
}

/// One training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeedResult {
    /// Its seed.
    pub seed: u64,
    /// Accuracy or mean average precision on the test clips, 0 to 1.
    pub score: f64,
    /// Mean over labels of the share that was right; not for multi-label tasks.
    pub balanced_accuracy: Option<f64>,
    /// Score of the validation clips, with early stopping.
    pub validation: Option<f64>,
    /// Epochs done.
    pub epochs: usize,
    /// The epoch whose weights were taken.
    pub best_epoch: usize,
}

/// A task, a mode, one or several seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransferRecord {
    /// Name of the task.
    pub task: String,
    /// How the encoder was used.
    pub mode: Mode,
    /// What a score is: `accuracy` or `mAP`.
    pub metric: String,
    /// Mean score over the seeds.
    pub mean: f64,
    /// Its standard deviation over the seeds (n - 1); `None` for one seed.
    pub std: Option<f64>,
    /// 95 % interval of the mean as the test clips vary, by bootstrap.
    pub interval: [f64; 2],
    /// Every training.
    pub seeds: Vec<SeedResult>,
    /// Label names.
    pub labels: Vec<String>,
    /// Clips of the training, validation and test split that the labels came from.
    pub clips: [usize; 3],
    /// What it depends on.
    pub protocol: Protocol,
    /// Wall time of the trainings, in seconds.
    pub seconds: f64,
    /// The adapter it ran on.
    pub adapter: String,
    /// Which labels were taken for which, over all seeds; not for multi-label tasks.
    pub confusion: Option<Confusion>,
    /// Average precision of each label, mean over the seeds, in a multi-label task; `None` for labels that no test clip
    /// has.
    pub average_precisions: Option<Vec<Option<f64>>>,
}

impl TransferRecord {
    /// The record of trainings with seeds that count up from the protocol's.
    ///
    /// # Panics
    /// Without a training.
    pub fn of(
        task: &Task,
        mode: Mode,
        protocol: Protocol,
        fitted: &[Fitted],
        seconds: f64,
        adapter: &str,
    ) -> TransferRecord {
        assert!(!fitted.is_empty(), "a record of no training");
        let seed = |(i, fitted): (usize, &Fitted)| SeedResult {
            seed: protocol.fit.seed + i as u64,
            score: fitted.test.score(task),
            balanced_accuracy: (!task.multi_label).then(|| fitted.test.confusion(task).balanced_accuracy()),
            validation: fitted.validation,
            epochs: fitted.epochs,
            best_epoch: fitted.best_epoch,
        };
        let seeds: Vec<SeedResult> = fitted.iter().enumerate().map(seed).collect();
        let (mean, std) = mean_std(&seeds.iter().map(|s| s.score).collect::<Vec<_>>());
        let tests: Vec<Predictions> = fitted.iter().map(|fitted| fitted.test.clone()).collect();
        let precisions: Vec<Vec<f64>> = match task.multi_label {
            true => tests.iter().map(|said| said.average_precisions(task)).collect(),
            false => Vec::new(),
        };
        let of_label = |label: usize| {
            let (mean, _) = mean_std(&precisions.iter().map(|p| p[label]).collect::<Vec<_>>());
            Some(mean).filter(|mean| mean.is_finite())
        };
        TransferRecord {
            task: task.name.clone(),
            mode,
            metric: task.metric().into(),
            mean,
            std,
            interval: bootstrap(&tests, task),
            seeds,
            labels: task.labels.clone(),
            clips: [Split::Train, Split::Valid, Split::Test].map(|split| task.of_split(split).len()),
            protocol,
            seconds,
            adapter: adapter.into(),
            confusion: (!task.multi_label)
                .then(|| Confusion::new(task.labels.clone(), tests.iter().flat_map(|said| said.pairs(task)))),
            average_precisions: task.multi_label.then(|| (0..task.labels.len()).map(of_label).collect()),
        }
    }

    /// Writes it into its folder.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn write(&self, folder: &Path) -> Result<(), WriteError> {
        let path = folder.join(RESULT_FILE);
        fs::create_dir_all(folder).map_err(|source| WriteError::new(&path, source))?;
        write_atomic(&path, |file| {
            serde_json::to_writer_pretty(&mut *file, self)?;
            file.write_all(b"\n")
        })
    }

    /// The record in a folder; `None` where there is none.
    ///
    /// # Errors
    /// A file that is there but is no such record.
    pub fn read(folder: &Path) -> io::Result<Option<TransferRecord>> {
        let path = folder.join(RESULT_FILE);
        match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io::Error::new(error.kind(), format!("cannot read {}: {error}", path.display()))),
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| {
                io::Error::other(format!("{}: no result of a transfer ({error}); delete it", path.display()))
            }),
        }
    }

    /// `71.2 ± 0.4`, or `71.2` for a single seed, in percent.
    pub fn score_text(&self) -> String {
        match self.std {
            Some(std) => format!("{:.1} ± {:.1}", 100.0 * self.mean, 100.0 * std),
            None => format!("{:.1}", 100.0 * self.mean),
        }
    }
}

/// Where the result of a task and mode is kept, with a network in place of the run's or without.
pub fn folder_of(run: &Path, task: &str, mode: Mode, network: Option<BackboneKind>) -> PathBuf {
    let name = network.map_or(mode.name().into(), |kind| format!("{mode}-{}", kind.name()));
    run.join("transfer").join(task).join(name)
}

/// Number of clips, and a checksum of what a classifier is taught and asked about them; folders may move.
pub fn describe(task: &Task) -> String {
    let sum = task.clips.iter().fold(0, |sum, clip| {
        let name = clip.path.file_name().unwrap_or_default().to_string_lossy();
        let line = format!("{name} {} {} {:?} {:?}\n", clip.start, clip.samples, clip.labels, clip.split);
        crc32c::crc32c_append(sum, line.as_bytes())
    });
    let sum = crc32c::crc32c_append(sum, task.labels.join("\n").as_bytes());
    format!("{} clips ({sum:08x})", task.clips.len())
}

/// Mean, and the standard deviation of several.
pub fn mean_std(values: &[f64]) -> (f64, Option<f64>) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
    (mean, (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::Clip;
    use std::sync::Arc;

    fn task(multi_label: bool) -> Task {
        let clip = |(i, split)| Clip {
            path: format!("{i}.wav").into(),
            start: 0,
            samples: 16_000,
            labels: vec![i % 2],
            split,
        };
        let splits = [Split::Train, Split::Train, Split::Test, Split::Test];
        let clips = Arc::new((0u32..).zip(splits).map(clip).collect());
        Task { name: "birds".into(), clips, labels: ["no", "yes"].map(String::from).to_vec(), multi_label }
    }

    fn record(multi_label: bool) -> TransferRecord {
        let task = task(multi_label);
        let fitted = |right: f32| Fitted {
            test: Predictions { clips: vec![2, 3], logits: vec![1.0, 0.0, 0.0, right] },
            epochs: 3,
            best_epoch: 2,
            validation: Some(0.5),
            classifier: (Vec::new(), Vec::new()),
        };
        let protocol = Protocol {
            weights: "0".into(),
            encoder: String::new(),
            network: None,
            data: describe(&task),
            fit: FitConfig::default(),
            seeds: 2,
            valid_fraction: Some(0.1),
        };
        TransferRecord::of(&task, Mode::Frozen, protocol, &[fitted(1.0), fitted(-1.0)], 1.5, "a device")
    }

    #[test]
    fn a_record_reads_back() {
        let run = tempfile::tempdir().unwrap();
        for multi_label in [false, true] {
            let record = record(multi_label);
            let folder = folder_of(run.path(), "birds", Mode::Frozen, None);
            record.write(&folder).unwrap();
            assert_eq!(TransferRecord::read(&folder).unwrap(), Some(record));
        }
        let single = record(false);
        assert_eq!((single.mean, single.clips), (0.75, [2, 0, 2]));
        assert_eq!(single.score_text(), "75.0 ± 35.4");
        assert_eq!(single.confusion.unwrap().total(), 4);
        let elsewhere = run.path().join("nowhere");
        assert_eq!(TransferRecord::read(&elsewhere).unwrap(), None);
        std::fs::create_dir(&elsewhere).unwrap();
        std::fs::write(elsewhere.join(RESULT_FILE), "{}").unwrap();
        let error = TransferRecord::read(&elsewhere).unwrap_err().to_string();
        assert!(error.contains(RESULT_FILE) && error.contains("delete it"), "{error}");
    }

    #[test]
    fn the_data_is_told_by_names_labels_and_splits() {
        let before = task(false);
        let mut clips = before.clips.to_vec();
        clips[0].split = Split::Valid;
        let after = Task { clips: Arc::new(clips), ..before.clone() };
        assert_ne!(describe(&before), describe(&after));
    }
}
