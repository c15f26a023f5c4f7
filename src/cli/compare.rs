//! `cola compare`: runs and modes beside each other on several tasks.

use super::run::{EncoderArgs, folder_of};
use super::transfer::{Measure, Options};
use anyhow::{Context, Result, ensure};
use cola::eval::npy::write_csv;
use cola::eval::transfer::Mode;
use cola::eval::transfer::compare::{Column, Comparison};
use cola::eval::transfer::record::{self, TransferRecord};
use cola::train::atomic::write_atomic;
use cola::train::checkpoint;
use cola::train::config::{CONFIG_FILE, Method, TrainConfig};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use toml::Table;

/// Compare runs and modes on several tasks, and with the paper where the task is one of its nine
///
/// One table: a row a task, a column a run and mode. Results that are stored under the same settings, weights and clips
/// are taken from RUN/transfer/; what is missing is trained first. A task counts as the paper's by its labels, and where
/// other sets have the same ones, if its folder's name holds libri, v1, bird, musan or voxforge.
///
/// Prints the table and writes compare.md, compare.csv and compare.html.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cola compare run --tasks speech_commands/ nsynth/
  cola compare paper standard --tasks tasks/* --modes frozen,random --seeds 3 --out comparison
  cola compare run --tasks tasks/* --modes frozen,finetune,scratch,random --patience 10
  cola compare cola simclr nextcode --framework --tasks tasks/* --encoder-epochs 20")]
pub struct Args {
    /// Folders of runs, or .safetensors files in folders of their own
    #[arg(required = true)]
    runs: Vec<PathBuf>,

    /// Labelled folders or manifests
    #[arg(long, required = true, num_args = 1.., value_name = "DIR")]
    tasks: Vec<PathBuf>,

    /// Of frozen, finetune, scratch and random, separated by commas
    #[arg(long, value_delimiter = ',', default_value = "frozen,random")]
    modes: Vec<Mode>,

    /// The comparison of Verma and Smith (2020): every run's encoder frozen, and each kind of network trained with labels
    /// alone, with the authors' own figures below
    #[arg(long, conflicts_with = "modes")]
    framework: bool,

    /// Passes over the training clips where the encoder is trained, too [default: those of --epochs]
    #[arg(long, value_name = "EPOCHS", value_parser = clap::value_parser!(u32).range(1..))]
    encoder_epochs: Option<u32>,

    /// Folder for the tables
    #[arg(long, default_value = ".", value_name = "DIR")]
    out: PathBuf,

    #[command(flatten)]
    options: Options,

    #[command(flatten)]
    encoder: EncoderArgs,
}

impl Args {
    pub fn run(self) -> Result<ExitCode> {
        self.options.check()?;
        // What is wrong with the last run should not be found after an hour on the first.
        for run in &self.runs {
            checkpoint::Weights::open(run)?;
        }
        let names = names(&self.runs);
        let columns = self.columns()?;
        let mut measure = Measure::new(self.options, self.encoder)?;
        let epochs = [measure.options.epochs, self.encoder_epochs.map_or(measure.options.epochs, |n| n as usize)];
        let mut comparison = Comparison {
            columns: columns
                .iter()
                .map(|&(run, mode, method)| Column { run: names[run].clone(), mode, method })
                .collect(),
            about_runs: self.runs.iter().zip(&names).map(|(run, name)| about(run, name)).collect(),
            rows: Vec::new(),
        };
        for path in &self.tasks {
            let task = measure.options.task(path, measure.encoder.workers())?;
            let taken = comparison.rows.iter().any(|row: &Vec<TransferRecord>| row[0].task == task.0.name);
            ensure!(!taken, "{}: another task is called {}; rename its folder", path.display(), task.0.name);
            let mut row = Vec::new();
            for &(run, mode, _) in &columns {
                let run = &self.runs[run];
                measure.options.epochs = epochs[usize::from(!mode.is_frozen())];
                let protocol = measure.protocol(run, &task.0, task.1, mode)?;
                let folder = record::folder_of(&folder_of(run), &task.0.name, mode, None);
                let stored = TransferRecord::read(&folder)?;
                row.push(match stored {
                    Some(stored) if stored.protocol == protocol => {
                        eprintln!("{}, {mode}, {}: taken from {}", task.0.name, run.display(), folder.display());
                        stored
                    }
                    stored => {
                        let why = if stored.is_some() { "stored under other settings" } else { "missing" };
                        eprintln!("{}, {mode}, {}: {why}, training", task.0.name, run.display());
                        measure.run(run, &task, mode, None)?.0
                    }
                });
            }
            comparison.rows.push(row);
        }
        write(&comparison, &self.out)?;
        print!("{}", comparison.to_markdown());
        println!("\nwritten to {}", self.out.join("compare.{md,csv,html}").display());
        Ok(ExitCode::SUCCESS)
    }
}

impl Args {
    /// Number of the run, mode, and in the comparison of Verma and Smith what the run learned.
    fn columns(&self) -> Result<Vec<(usize, Mode, Option<Method>)>> {
        if !self.framework {
            let of_run = |run| self.modes.iter().map(move |&mode| (run, mode, None));
            return Ok((0..self.runs.len()).flat_map(of_run).collect());
        }
        let (mut supervised, mut frozen) = (Vec::new(), Vec::new());
        let mut networks = Vec::new();
        for (i, run) in self.runs.iter().enumerate() {
            let config = TrainConfig::layered(Some(&run.join(CONFIG_FILE)), Table::new()).with_context(|| {
                format!("{}: --framework compares runs, whose configuration tells the method", run.display())
            })?;
            // Networks that only differ in what is done with them once are trained with labels once.
            let network = (config.encoder, (config.method == Method::Nextcode).then(|| config.next_code()));
            if !networks.contains(&network) {
                networks.push(network);
                supervised.push((i, Mode::Scratch, Some(config.method)));
            }
            frozen.push((i, Mode::Frozen, Some(config.method)));
        }
        Ok([supervised, frozen].concat())
    }
}

/// Writes the three forms of the table.
fn write(comparison: &Comparison, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let texts = [("md", comparison.to_markdown()), ("html", comparison.to_report().to_html())];
    for (extension, text) in texts {
        let path = folder.join("compare").with_extension(extension);
        write_atomic(&path, |file| file.write_all(text.as_bytes()))?;
    }
    let header = comparison.header();
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    write_csv(&folder.join("compare.csv"), &header, comparison.table())?;
    Ok(())
}

/// What the runs are called: their folders' names, or their whole paths where two are equal.
fn names(runs: &[PathBuf]) -> Vec<String> {
    let short = |run: &PathBuf| {
        let whole = run.canonicalize().unwrap_or_else(|_| run.clone());
        whole.file_stem().map_or_else(|| run.display().to_string(), |name| name.to_string_lossy().into_owned())
    };
    let names: Vec<String> = runs.iter().map(short).collect();
    let unique = names.iter().collect::<std::collections::BTreeSet<_>>().len() == names.len();
    if unique { names } else { runs.iter().map(|run| run.display().to_string()).collect() }
}

/// A sentence on how a run was pre-trained.
fn about(run: &Path, name: &str) -> String {
    let config = TrainConfig::layered(Some(&run.join(CONFIG_FILE)), Table::new());
    match (config, checkpoint::find(run)) {
        (Ok(config), Ok(Some(state))) => format!(
            "{name}: pre-trained on {} by the recipe {}, {}, {} steps of {} pairs.",
            state.data,
            state.recipe,
            learnt(&config),
            state.step,
            config.batch
        ),
        _ => format!("{name}: weights from {}.", run.display()),
    }
}

/// What a run learnt, in a few words.
fn learnt(config: &TrainConfig) -> String {
    match config.method {
        Method::Cola => {
            let similarity = toml::Value::try_from(config.similarity).ok();
            format!("{} similarity", similarity.as_ref().and_then(toml::Value::as_str).unwrap_or("unknown"))
        }
        Method::Simclr => "method simclr".into(),
        Method::Nextcode => format!(
            "method nextcode ({} codes, {} layers of {} in {} heads)",
            config.codes, config.layers, config.width, config.heads
        ),
    }
}
