//! Carrying a transfer out: the encoder, its seeds, and what is written.

use super::Options;
use crate::cli::run::{EncoderArgs, folder_of, tell_skipped};
use anyhow::{Context, Result, ensure};
use cola::audio::Split;
use cola::eval::embed::{Vectors, count_segments, embed};
use cola::eval::encoder::Encoder;
use cola::eval::npy::write_csv;
use cola::eval::plot::confusion_svg;
use cola::eval::transfer::finetune::{self, Resources};
use cola::eval::transfer::frozen::{self, Probe};
use cola::eval::transfer::page::page;
use cola::eval::transfer::record::{self, Protocol, TransferRecord};
use cola::eval::transfer::save::save;
use cola::eval::transfer::{FitConfig, Fitted, Mode, Task};
use cola::gpu::Gpu;
use cola::nn::backbone::{BackboneKind, Features};
use cola::nn::network::NetworkConfig;
use cola::train::atomic::write_atomic;
use cola::train::checkpoint::Weights;
use cola::train::config::TrainConfig;
use cola::train::progress::bar;
use indicatif::ProgressBar;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The share of its start that a batch norm's running statistics may still hold when training ends, without a note.
const UNSETTLED: f32 = 0.05;

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
            if mode == Mode::Scratch && i == 0 {
                tell_unsettled(&encoder, task, &fit);
            }
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

/// Tests go by the running statistics of the batch norms, which start at 0 and 1 and move by a share of the way each step:
/// a note where too few steps leave too much of that start in them.
fn tell_unsettled(encoder: &Encoder, task: &Task, fit: &FitConfig) {
    let NetworkConfig::Cola(config) = encoder.network().network() else { return };
    let kept = 1.0 - config.bn_momentum;
    let per_epoch = finetune::steps_per_epoch(task, fit.batch);
    let steps = fit.epochs as u64 * per_epoch;
    let left = kept.powf(steps as f32);
    if left > UNSETTLED {
        let enough = (UNSETTLED.ln() / kept.ln()).ceil() as u64;
        eprintln!(
            "note: after {steps} steps the running statistics of the batch norms are still {:.0}% the start's, which spoils \
             the test; take --epochs {} or more",
            100.0 * left,
            enough.div_ceil(per_epoch)
        );
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
