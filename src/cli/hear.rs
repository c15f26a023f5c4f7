//! `cola hear`: embeddings for the HEAR benchmark.

use super::run::EncoderArgs;
use anyhow::{Context, Result, ensure};
use cola::export::hear::{Task, serve};
use cola::train::checkpoint::Weights;
use cola::train::config::InputScaling;
use cola::train::progress::bar;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// Embed the tasks of HEAR, as its evaluation kit reads them
///
/// TASK is a folder with task_metadata.json, or a folder of such folders. Writes EMBEDDINGS/MODULE/TASK/, on which
/// heareval.predictions.runner trains its classifiers. A task that is done is passed over. Scenes get the mean over
/// windows of 0.98 s, at most half of that apart; timestamp tasks a vector every 50 ms, of the window around it.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cola hear run tasks/ --out embeddings
  cola hear run tasks/esc50-v2.0.0-full tasks/dcase2016_task2-hear2021-full
  python3 -m heareval.predictions.runner embeddings/cola_hear/*
In Python, with the folder python/ on the path: import cola_hear; model = cola_hear.load_model('run')")]
pub struct Args {
    /// Folder of a run, or a .safetensors file
    run: PathBuf,

    /// Folders of tasks
    #[arg(required_unless_present = "pipe")]
    task: Vec<PathBuf>,

    /// Folder to write to
    #[arg(long, value_name = "EMBEDDINGS", default_value = "embeddings")]
    out: PathBuf,

    /// What the encoder is called there
    #[arg(long, default_value = "cola_hear")]
    module: String,

    /// Take sounds from standard input and give their vectors on standard output, as python/cola_hear does
    #[arg(long, conflicts_with_all = ["task", "out", "module"])]
    pipe: bool,

    #[command(flatten)]
    encoder: EncoderArgs,
}

impl Args {
    pub fn run(self) -> Result<ExitCode> {
        let wants_measuring = self.encoder.weights.reading()?.scaling == Some(InputScaling::Standard);
        ensure!(
            !wants_measuring || Weights::open(&self.run)?.info().is_some(),
            "{}: --input-norm standard must not be measured on a benchmark; give none or paper, or store one measured on \
             other audio with cola import --audio",
            self.run.display()
        );
        let mut tasks = Vec::new();
        for folder in &self.task {
            tasks.extend(Task::discover(folder)?);
        }
        let gpu = self.encoder.device.open()?;
        let encoder = self.encoder.load(&gpu, &self.run, &Arc::new(Vec::new()))?;
        if self.pipe {
            serve(&encoder, std::io::stdin().lock(), std::io::stdout().lock()).context("--pipe")?;
            return Ok(ExitCode::SUCCESS);
        }
        for task in tasks {
            let (name, out) = (task.name(), self.out.join(&self.module).join(task.name()));
            if task.is_done(&out) {
                println!("{name}: already done, in {}", out.display());
                continue;
            }
            if let Some(rate) = task.other_rate_hz() {
                eprintln!("note: {name} has no audio at 16000 Hz; it is resampled from {rate} Hz");
            }
            let progress = bar("files", task.files());
            task.embed(&encoder, &out, || progress.inc(1))?;
            progress.finish_and_clear();
            println!("{name}: {} files, vectors of {} in {}", task.files(), encoder.features(), out.display());
        }
        Ok(ExitCode::SUCCESS)
    }
}
