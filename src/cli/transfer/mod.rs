//! `cola transfer`: what a representation is worth on labelled clips, in four ways.

mod measure;

pub use measure::Measure;

use super::run::{EncoderArgs, tell_skipped};
use anyhow::{Result, ensure};
use cola::audio::{DiscoverOptions, Split, discover_task};
use cola::eval::transfer::{FitConfig, Mode, PAPER_LR, Task};
use cola::nn::backbone::BackboneKind;
use cola::train::bytes::Bytes;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Measure what a representation is worth on a labelled task, in one of the paper's four modes
///
/// frozen: a linear layer on the vectors of the pre-trained encoder; finetune: the encoder is trained further with it;
/// scratch: both are trained from their initial weights; random: a linear layer on the untrained encoder.
///
/// finetune, of a run that gives out all stages, first does what frozen does and goes on from there, with the stages that
/// pre-training trained; --features pooled --frozen-stages 0 is the paper's way, a new layer on the last map.
///
/// TASK is as for cola probe; a manifest with the column labels (names separated by ;) is a multi-label task, trained
/// with binary cross-entropy and measured by mean average precision.
///
/// Writes RUN/transfer/<task>/<mode>/: result.json, the confusion matrix (CSV, SVG), report.html.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cola transfer run speech_commands/
  cola transfer run speech_commands/ --mode finetune --encoder-lr 1e-4 --epochs 30
  cola transfer run speech_commands/ --mode scratch --patience 10 --seeds 3
  cola transfer run speech_commands/ --mode scratch --encoder vgg
  cola transfer run fsd50k.csv --mode finetune --save tagger/")]
pub struct Args {
    /// Folder of a run, or a .safetensors file
    run: PathBuf,

    /// Labelled folder or manifest
    task: PathBuf,

    /// frozen, finetune, scratch or random
    #[arg(long, default_value = "frozen")]
    mode: Mode,

    /// Another network than the run's, with --mode scratch or random: efficientnet-b0 or vgg; its results go to a folder of
    /// their own [default: the run's]
    #[arg(long = "encoder", value_name = "NAME")]
    network: Option<BackboneKind>,

    /// Write encoder, linear layer and label names of the first seed to this folder
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,

    #[command(flatten)]
    options: Options,

    #[command(flatten)]
    encoder: EncoderArgs,
}

/// How to train and test, the same for all tasks and modes.
#[derive(clap::Args, Clone)]
pub struct Options {
    /// Passes over the training clips. The classifier that fine-tuning may start from has the default's, always
    #[arg(long, default_value_t = FitConfig::default().epochs)]
    pub epochs: usize,

    /// Segments a step
    #[arg(long, default_value_t = FitConfig::default().batch)]
    pub batch: usize,

    /// Learning rate of the linear layer [default: 1e-3 as in the paper; beyond its 1280 features, so much less]
    #[arg(long)]
    pub lr: Option<f64>,

    /// Learning rate of the encoder where it is trained [default: that of --lr, or 1e-3 as in the paper]
    #[arg(long)]
    pub encoder_lr: Option<f64>,

    /// Where the encoder is trained, leave so many of its first stages as they are [default: in fine-tuning those that
    /// pre-training left at their random start, otherwise 0]
    #[arg(long, value_name = "STAGES")]
    pub frozen_stages: Option<usize>,

    /// Stop after so many epochs without a better validation score and take the best epoch [default: never, as in the
    /// paper]
    #[arg(long, value_name = "EPOCHS")]
    pub patience: Option<usize>,

    /// Share of each label's training files that validates, with --patience, where the task has no validation split
    #[arg(long, default_value_t = 0.1, value_name = "FRACTION")]
    pub valid_fraction: f64,

    /// Let every label count alike in the loss, however many clips it has
    #[arg(long)]
    pub class_weights: bool,

    /// Trainings with seeds that count up from --seed; mean and standard deviation are told
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub seeds: u16,

    /// Decides drawn test and validation files, order, crops, and initial weights
    #[arg(long, default_value_t = 0)]
    pub seed: u64,

    /// Share of each label's files for the test, where the task has no split of its own
    #[arg(long, default_value_t = 0.25, value_name = "FRACTION")]
    pub test_fraction: f64,

    /// RAM for decoded audio where the encoder is trained
    #[arg(long, default_value = "2GB", value_name = "SIZE")]
    pub cache: Bytes,

    /// End at the first file that cannot be used
    #[arg(long)]
    pub strict: bool,
}

impl Options {
    pub fn check(&self) -> Result<()> {
        let share = |x: f64| x > 0.0 && x < 1.0;
        let rate = |x: f64| x > 0.0 && x.is_finite();
        ensure!(share(self.test_fraction), "--test-fraction must be between 0 and 1");
        ensure!(share(self.valid_fraction), "--valid-fraction must be between 0 and 1");
        ensure!(self.batch > 0 && self.epochs > 0, "--batch and --epochs must be at least 1");
        ensure!(self.patience != Some(0), "--patience must be at least 1");
        ensure!(self.lr.is_none_or(rate), "--lr must be above 0");
        ensure!(self.encoder_lr.is_none_or(|x| rate(x) || x == 0.0), "--encoder-lr must be 0 or more");
        Ok(())
    }

    fn fit(&self) -> FitConfig {
        FitConfig {
            epochs: self.epochs,
            batch: self.batch,
            lr: self.lr,
            encoder_lr: self.encoder_lr.or(self.lr).unwrap_or(PAPER_LR),
            frozen_stages: 0,
            from_probe: false,
            patience: self.patience,
            class_weights: self.class_weights,
            seed: self.seed,
        }
    }

    /// The task with its splits, and the share of training files that were made validation files, if any were.
    pub fn task(&self, path: &Path, workers: usize) -> Result<(Task, Option<f64>)> {
        let mut found =
            discover_task(path, self.test_fraction, self.seed, DiscoverOptions { workers, strict: self.strict })?;
        tell_skipped(found.skipped.iter().map(|(_, reason)| reason));
        ensure!(
            !(self.class_weights && found.multi_label),
            "{}: --class-weights is for tasks of one label a clip; leave it out",
            path.display()
        );
        let mut drawn = None;
        if self.patience.is_none() {
            // Nothing is stopped or chosen.
            found.clips.retain(|clip| clip.split != Split::Valid);
        } else if found.clips.iter().all(|clip| clip.split != Split::Valid) {
            found.draw_validation(self.valid_fraction, self.seed);
            drawn = Some(self.valid_fraction);
        }
        Ok((Task::new(task_name(path), &found), drawn))
    }
}

impl Args {
    pub fn run(self) -> Result<ExitCode> {
        self.options.check()?;
        ensure!(
            self.network.is_none() || !self.mode.is_pretrained(),
            "--encoder puts an untrained network in place of the run's: take --mode scratch or random, or leave it out"
        );
        let measure = Measure { network: self.network, ..Measure::new(self.options, self.encoder)? };
        let task = measure.options.task(&self.task, measure.encoder.workers())?;
        let (record, folder) = measure.run(&self.run, &task, self.mode, self.save.as_deref())?;
        println!(
            "{}, {}: {} {}% (95% interval {:.1} to {:.1}%; {} labels, {} test clips)",
            record.task,
            record.mode.in_words(),
            record.metric,
            record.score_text(),
            100.0 * record.interval[0],
            100.0 * record.interval[1],
            record.labels.len(),
            record.clips[2]
        );
        println!("written to {}", folder.display());
        Ok(ExitCode::SUCCESS)
    }
}

/// The folder's name, or the manifest's without its extension.
pub fn task_name(task: &Path) -> String {
    let path = task.canonicalize().unwrap_or_else(|_| task.to_owned());
    let name = if path.is_dir() { path.file_name() } else { path.file_stem() };
    name.map_or_else(|| "task".into(), |name| name.to_string_lossy().into_owned())
}
