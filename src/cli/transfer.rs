//! `cola transfer`: what a representation is worth on labelled clips, in four ways.

use super::run::{EncoderArgs, folder_of, tell_skipped};
use anyhow::{Context, Result, ensure};
use cola::audio::{DiscoverOptions, Split, discover_task};
use cola::eval::embed::{Vectors, count_segments, embed};
use cola::eval::encoder::Encoder;
use cola::eval::npy::write_csv;
use cola::eval::plot::confusion_svg;
use cola::eval::transfer::finetune::{self, Resources};
use cola::eval::transfer::frozen::{self, Probe};
use cola::eval::transfer::page::page;
use cola::eval::transfer::record::{self, Protocol, TransferRecord};
use cola::eval::transfer::save::save;
use cola::eval::transfer::{FitConfig, Fitted, Mode, PAPER_LR, Task};
use cola::gpu::Gpu;
use cola::nn::backbone::{BackboneKind, Features};
use cola::nn::network::NetworkConfig;
use cola::train::atomic::write_atomic;
use cola::train::bytes::Bytes;
use cola::train::checkpoint::Weights;
use cola::train::config::TrainConfig;
use cola::train::progress::bar;
use indicatif::ProgressBar;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

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

/// Carries transfers out.
pub struct Measure {
    pub options: Options,
    pub encoder: EncoderArgs,
    /// In place of the run's network, untrained.
    pub network: Option<BackboneKind>,
    pub gpu: Gpu,
}

impl Measure {
    /// Opens the device. Ctrl-C ends the program from now on; results are written whole, so none is spoilt.
    pub fn new(options: Options, encoder: EncoderArgs) -> Result<Measure> {
        ctrlc::set_handler(|| {
            eprintln!("\nstopped; results that were finished stay");
            std::process::exit(130);
        })
        .context("cannot catch Ctrl-C")?;
        let gpu = encoder.device.open()?;
        Ok(Measure { options, encoder, network: None, gpu })
    }

    /// What a result would depend on.
    pub fn protocol(&self, run: &Path, task: &Task, drawn: Option<f64>, mode: Mode) -> Result<Protocol> {
        let weights = Weights::open(run)?;
        let frozen_stages = match (mode, self.options.frozen_stages) {
            (Mode::Frozen | Mode::Random, _) | (Mode::Scratch, None) => 0,
            (Mode::Finetune, None) => weights.stages_at_start(),
            (Mode::Finetune | Mode::Scratch, Some(stages)) => stages,
        };
        let given_out = match weights.info().map(|info| &info.model) {
            Some(NetworkConfig::Cola(config)) => config.features,
            _ => Features::Pooled,
        };
        let from_probe = match (mode, self.encoder.weights.reading()?.features) {
            (Mode::Frozen | Mode::Random, _) => false,
            (Mode::Finetune, None) => given_out == Features::Stages,
            (Mode::Scratch, None) => false,
            (Mode::Finetune | Mode::Scratch, Some(asked)) => asked == Features::Stages,
        };
        let most = self.stages(&weights) - 1;
        ensure!(frozen_stages <= most, "--frozen-stages must leave a stage to train: at most {most} of this network");
        let bytes =
            std::fs::read(weights.path()).with_context(|| format!("cannot read {}", weights.path().display()))?;
        Ok(Protocol {
            weights: format!("{:08x}", crc32c::crc32c(&bytes)),
            encoder: format!("{:?}", self.encoder.weights.reading()?),
            network: self.network,
            data: record::describe(task),
            fit: FitConfig { frozen_stages, from_probe, ..self.options.fit() },
            seeds: self.options.seeds.into(),
            valid_fraction: drawn,
        })
    }

    /// Of the network that is trained; one where it has none.
    fn stages(&self, weights: &Weights) -> usize {
        match (self.network, weights.info().map(|info| &info.model)) {
            (Some(kind), _) => kind.stages(),
            (None, Some(NetworkConfig::Cola(config))) => config.encoder.stages(),
            (None, Some(_)) => 1,
            (None, None) => BackboneKind::default().stages(),
        }
    }

    /// Trains, tests, and writes the result into its folder, which is returned.
    pub fn run(
        &self,
        run: &Path,
        (task, drawn): &(Task, Option<f64>),
        mode: Mode,
        save_to: Option<&Path>,
    ) -> Result<(TransferRecord, PathBuf)> {
        let began = Instant::now();
        let protocol = self.protocol(run, task, *drawn, mode)?;
        if let (None, stages @ 1..) = (self.options.frozen_stages, protocol.fit.frozen_stages) {
            eprintln!(
                "note: the first {stages} stages stay at the random start that pre-training left them at; \
                 --frozen-stages 0 trains them, too"
            );
        }
        let mut fitted = Vec::new();
        // those of the pre-trained encoder are the same for all seeds
        let mut vectors: Option<Vectors> = None;
        for i in 0..self.options.seeds {
            let fit = FitConfig { seed: protocol.fit.seed + u64::from(i), ..protocol.fit.clone() };
            let loaded = self.encoder.load(&self.gpu, run, &task.clips)?;
            let encoder = match self.network {
                _ if mode.is_pretrained() => loaded,
                None => loaded.before_training(fit.seed),
                Some(kind) => loaded.other(kind, TrainConfig::default().model(), fit.seed),
            };
            if (mode.is_frozen() || fit.from_probe) && (!mode.is_pretrained() || vectors.is_none()) {
                vectors = Some(self.vectors(&encoder, task)?);
            }
            let vectors = vectors.as_ref();
            let result = if mode.is_frozen() {
                let progress = self.bar("epochs", i, fit.epochs as u64);
                let vectors = vectors.context("vectors are made above")?;
                let result = frozen::fit(&self.gpu, vectors, task, &fit, |epoch| progress.set_position(epoch as u64));
                progress.finish_and_clear();
                result
            } else {
                let start = vectors.map(|vectors| self.probe(vectors, task, &fit, i));
                self.train(&encoder, task, &fit, start, i)?
            };
            if self.options.seeds > 1 {
                eprintln!(
                    "{}, {mode}, seed {}: {} {:.1}%",
                    task.name,
                    fit.seed,
                    task.metric(),
                    100.0 * result.test.score(task)
                );
            }
            if let (0, Some(folder)) = (i, save_to) {
                save(folder, &encoder, task, &result)?;
            }
            fitted.push(result);
        }
        let (adapter, seconds) = (&self.gpu.caps().adapter, began.elapsed().as_secs_f64());
        let record = TransferRecord::of(task, mode, protocol, &fitted, seconds, adapter);
        ensure!(record.mean.is_finite(), "{}: no test clip has any of the labels", task.name);
        let folder = record::folder_of(&folder_of(run), &task.name, mode, self.network);
        write(&record, &folder)?;
        Ok((record, folder))
    }

    fn bar(&self, what: &str, seed: u16, total: u64) -> ProgressBar {
        match self.options.seeds {
            1 => bar(what, total),
            seeds => bar(&format!("{what}, seed {} of {seeds}", seed + 1), total),
        }
    }

    /// The vectors of all clips, with some in every split that is needed.
    fn vectors(&self, encoder: &Encoder, task: &Task) -> Result<Vectors> {
        let progress = bar("segments", count_segments(&task.clips));
        let on_batch = |done| progress.set_position(done);
        let vectors = embed(encoder, task.clips.clone(), self.encoder.workers(), on_batch);
        progress.finish_and_clear();
        tell_skipped(vectors.failed.values());
        if let (true, Some(error)) = (self.options.strict, vectors.failed.values().next()) {
            return Err(error.clone().into());
        }
        for (split, name) in [(Split::Train, "training"), (Split::Valid, "validation"), (Split::Test, "test")] {
            let used = vectors.rows.iter().any(|row| task.clips[row.clip as usize].split == split);
            ensure!(used || task.of_split(split).is_empty(), "{}: none of the {name} clips could be used", task.name);
        }
        Ok(vectors)
    }

    /// What fine-tuning starts from, after as many epochs as the frozen mode has by default.
    fn probe(&self, vectors: &Vectors, task: &Task, fit: &FitConfig, seed: u16) -> Probe {
        let fit = FitConfig { epochs: FitConfig::default().epochs, ..fit.clone() };
        let progress = self.bar("epochs of the probe", seed, fit.epochs as u64);
        let on_epoch = |epoch| progress.set_position(epoch as u64);
        let (fitted, probe) = frozen::train(&self.gpu, vectors, task, &fit, on_epoch);
        progress.finish_and_clear();
        eprintln!("the probe to start from: {} {:.1}%", task.metric(), 100.0 * fitted.test.score(task));
        probe
    }

    fn train(
        &self,
        encoder: &Encoder,
        task: &Task,
        fit: &FitConfig,
        start: Option<Probe>,
        seed: u16,
    ) -> Result<Fitted> {
        let steps = fit.epochs as u64 * finetune::steps_per_epoch(task, fit.batch);
        let progress = self.bar("steps", seed, steps);
        let resources = Resources { workers: self.encoder.workers(), cache_bytes: self.options.cache.0 };
        let result = finetune::fit(encoder, task, fit, resources, start, |step| progress.set_position(step));
        progress.finish_and_clear();
        let (fitted, skipped) = result?;
        tell_skipped(skipped.iter().map(|(_, reason)| reason));
        if let (true, Some((_, error))) = (self.options.strict, skipped.first()) {
            return Err(error.clone().into());
        }
        Ok(fitted)
    }
}

fn write(record: &TransferRecord, folder: &Path) -> Result<()> {
    record.write(folder)?;
    if let Some(confusion) = &record.confusion {
        confusion.write_csv(&folder.join("confusion.csv"))?;
        let svg = confusion_svg(&format!("{}: {}", record.task, record.mode.in_words()), confusion);
        write_atomic(&folder.join("confusion.svg"), |file| file.write_all(svg.as_bytes()))?;
    }
    if let Some(precisions) = &record.average_precisions {
        let number = |x: &Option<f64>| x.map_or(String::new(), |x| format!("{x:.4}"));
        let rows = record.labels.iter().zip(precisions).map(|(label, ap)| [label.clone(), number(ap)]);
        write_csv(&folder.join("labels.csv"), &["label", "average precision"], rows)?;
    }
    let html = page(record).to_html();
    write_atomic(&folder.join("report.html"), |file| file.write_all(html.as_bytes()))?;
    Ok(())
}

/// The folder's name, or the manifest's without its extension.
pub fn task_name(task: &Path) -> String {
    let path = task.canonicalize().unwrap_or_else(|_| task.to_owned());
    let name = if path.is_dir() { path.file_name() } else { path.file_stem() };
    name.map_or_else(|| "task".into(), |name| name.to_string_lossy().into_owned())
}
