//! `cola probe`: how good a representation is on labelled clips.

use super::run::{EncoderArgs, folder_of, tell_skipped};
use super::transfer::task_name;
use anyhow::{Context, Result, ensure};
use cola::audio::{DiscoverOptions, Discovery, Split, discover_task};
use cola::eval::embed::{Vectors, count_segments, embed};
use cola::eval::metrics::ProbeScore;
use cola::eval::plot::confusion_svg;
use cola::eval::probe::probe;
use cola::eval::probe_log::{ProbeRecord, add_record};
use cola::eval::retrieval::NeighbourScore;
use cola::eval::stats::log_mel_statistics;
use cola::eval::transfer::{FitConfig, Task};
use cola::gpu::Gpu;
use cola::train::atomic::write_atomic;
use cola::train::progress::bar;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// More vectors than this are not asked for their effective rank, which takes time with their cube.
const RANKED: usize = 256;

/// Measure a frozen encoder on labelled clips with a linear classifier
///
/// TASK is a folder {train,test}/<label>/*, or <label>/* (a share of each label's files is then drawn for the test),
/// or holds a metadata.csv with file_name, label and optionally split. Validation clips are left out: nothing is chosen
/// by them. Logits are averaged over a clip's segments.
/// The same numbers for the encoder before training (--random) and for plain log-mel statistics
/// (--features logmel-stats) tell what the training was worth. The effective rank of the vectors, stage by stage, tells of a
/// collapse: 1 where all of them lie on a line.
///
/// Writes RUN/probe/: the score (<task>.json), and the confusion matrix as CSV and picture. RUN/neighbours/<task>.json
/// holds what nearest neighbours say, without a classifier: k-NN accuracy, precision at 1, 5 and 10, mean average
/// precision.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cola probe run speech_commands/
  cola probe run speech_commands/ --random
  cola probe run speech_commands/ --features logmel-stats
  cola probe timm.safetensors speech_commands/ --input-norm standard")]
pub struct Args {
    /// Folder of a run, or a .safetensors file
    run: PathBuf,

    /// Labelled folder or manifest
    task: PathBuf,

    /// Probe the network of RUN as it was before training
    #[arg(long)]
    random: bool,

    /// Share of each label's files for the test, where the task has no split of its own
    #[arg(long, default_value_t = 0.25, value_name = "FRACTION")]
    test_fraction: f64,

    /// Decides the drawn test files, the order of training, and the weights of --random
    #[arg(long, default_value_t = 0)]
    seed: u64,

    /// Passes over the training segments
    #[arg(long, default_value_t = FitConfig::default().epochs)]
    epochs: usize,

    /// Segments a step of the classifier's training
    #[arg(long, default_value_t = FitConfig::default().batch)]
    batch: usize,

    /// Learning rate of the classifier [default: 1e-3 as in the paper; beyond its 1280 features, so much less]
    #[arg(long)]
    lr: Option<f64>,

    /// End at the first file that cannot be used
    #[arg(long)]
    strict: bool,

    #[command(flatten)]
    encoder: EncoderArgs,
}

impl Args {
    pub fn run(self) -> Result<ExitCode> {
        ensure!(self.test_fraction > 0.0 && self.test_fraction < 1.0, "--test-fraction must be between 0 and 1");
        ensure!(self.batch > 0 && self.epochs > 0, "--batch and --epochs must be at least 1");
        ensure!(self.lr.is_none_or(|lr| lr > 0.0 && lr.is_finite()), "--lr must be above 0");
        let statistics = self.encoder.weights.log_mel_statistics();
        ensure!(!(statistics && self.random), "--features logmel-stats need no network; leave --random out");
        let options = DiscoverOptions { workers: self.encoder.workers(), strict: self.strict };
        let mut task = discover_task(&self.task, self.test_fraction, self.seed, options)?;
        ensure!(!task.multi_label, "{}: several labels a clip; use cola transfer", self.task.display());
        // Nothing is stopped or chosen here.
        task.clips.retain(|clip| clip.split != Split::Valid);
        tell_skipped(task.skipped.iter().map(|(_, reason)| reason));
        let name = task_name(&self.task);
        let taught = Task::new(name.clone(), &task);
        let clips = taught.clips.clone();
        let gpu = self.encoder.device.open()?;
        let (vectors, parts, representation) = self.vectors(&gpu, &clips)?;
        tell_skipped(vectors.failed.values());
        if let (true, Some(error)) = (self.strict, vectors.failed.values().next()) {
            return Err(error.clone().into());
        }
        self.check(&task, &vectors)?;

        let config =
            FitConfig { epochs: self.epochs, batch: self.batch, lr: self.lr, seed: self.seed, ..FitConfig::default() };
        let progress = bar("epochs", self.epochs as u64);
        let on_epoch = |epoch| progress.set_position(epoch as u64);
        let confusion = probe(&gpu, &vectors, &taught, &config, on_epoch);
        progress.finish_and_clear();

        let score = ProbeScore::of(&name, &representation, &confusion);
        let folder = folder_of(&self.run).join("probe");
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let stem = format!("{name}-{}", representation.replace(", ", "-").replace(' ', "-"));
        let (table, picture) = (folder.join(format!("{stem}.csv")), folder.join(format!("{stem}.svg")));
        confusion.write_csv(&table)?;
        let svg = confusion_svg(&format!("{name}: {representation}"), &confusion);
        write_atomic(&picture, |file| file.write_all(svg.as_bytes()))?;
        println!(
            "{name}, {representation}: accuracy {:.1}%, balanced accuracy {:.1}% ({} labels, {} test clips, chance {:.1}%)",
            100.0 * score.accuracy,
            100.0 * score.balanced_accuracy,
            score.labels,
            score.test_clips,
            100.0 * score.chance()
        );
        let neighbours = NeighbourScore::of(&name, &representation, &vectors, &clips);
        neighbours.save(&folder_of(&self.run))?;
        println!("{}", neighbours.in_words());
        let some = vectors.some(RANKED);
        let ranks: Vec<String> = some.ranks(&parts).iter().map(|rank| format!("{rank:.1}")).collect();
        let stages = if ranks.len() > 1 { ", log-mel statistics and stage by stage" } else { "" };
        println!("effective rank of {} vectors{stages}: {}", some.rows.len(), ranks.join(" "));
        println!("confusion matrix: {} and {}", table.display(), picture.display());
        add_record(&folder.join(format!("{name}.json")), ProbeRecord { score, confusion, seed: self.seed })?;
        Ok(ExitCode::SUCCESS)
    }

    /// What is classified, the lengths of its parts, and what it is called.
    fn vectors(&self, gpu: &Gpu, clips: &Arc<Vec<cola::audio::Clip>>) -> Result<(Vectors, Vec<usize>, String)> {
        let workers = self.encoder.workers();
        let progress = bar("segments", count_segments(clips));
        let on_batch = |done| progress.set_position(done);
        let result = if self.encoder.weights.log_mel_statistics() {
            let vectors = log_mel_statistics(gpu, clips.clone(), workers, on_batch);
            let parts = vec![vectors.cols];
            (vectors, parts, "log-mel statistics".into())
        } else {
            let encoder = self.encoder.load(gpu, &self.run, clips)?;
            let (encoder, name) = match self.random {
                true => (encoder.before_training(self.seed), "untrained encoder"),
                false => (encoder, "pre-trained"),
            };
            // a result of its own beside that of the run's own choice
            let features = self.encoder.weights.reading()?.features;
            let chosen = features.map(|features| format!(", {features}")).unwrap_or_default();
            (embed(&encoder, clips.clone(), workers, on_batch), encoder.parts(), format!("{name}{chosen}"))
        };
        progress.finish_and_clear();
        Ok(result)
    }

    /// Files that turned out unusable may have emptied a split.
    fn check(&self, task: &Discovery, vectors: &Vectors) -> Result<()> {
        for (split, name) in [(Split::Train, "training"), (Split::Test, "test")] {
            let any = vectors.rows.iter().any(|row| task.clips[row.clip as usize].split == split);
            ensure!(any, "{}: none of the {name} clips could be used", self.task.display());
        }
        Ok(())
    }
}
