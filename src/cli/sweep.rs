//! `cola sweep`: a grid of pre-trainings, each measured on the same tasks.

use super::pretrain::training_clips;
use super::run::EncoderArgs;
use super::transfer::{Measure, Options};
use anyhow::{Context, Result, bail, ensure};
use cola::eval::npy::write_csv;
use cola::eval::report;
use cola::eval::transfer::record::{self, TransferRecord};
use cola::gpu::Gpu;
use cola::train::atomic::write_atomic;
use cola::train::config::{CONFIG_FILE, TrainConfig};
use cola::train::environment::Environment;
use cola::train::sweep::{Cell, Sweep, table};
use cola::train::trainer::{self, Job};
use cola::train::{checkpoint, memory};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use toml::Table;

/// Pre-train every combination of some settings, and measure each on the same tasks
///
/// SWEEP.toml names the tasks, the modes (those of cola transfer), what all cells share ([base], keys of config.toml) and
/// what is varied ([grid], lists of values). With seed in the grid the table has means and standard deviations.
///
/// Each cell is a run in OUT/cells/. Stopped or killed, the same command goes on: finished cells are kept, the one under
/// way goes on from its last checkpoint. The table so far is in OUT/sweep.md, .csv and .html.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cola sweep examples/table3_similarity.toml --data audioset.csv --tasks tasks/* --out table3
  cola sweep examples/table4_batch.toml --data audioset.csv --tasks tasks/* --out table4")]
pub struct Args {
    /// The grid
    #[arg(value_name = "SWEEP.toml")]
    sweep: PathBuf,

    /// Folder for cells and tables
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// Audio to pre-train on, in place of the file's
    #[arg(long)]
    data: Option<PathBuf>,

    /// Labelled tasks, in place of the file's
    #[arg(long, num_args = 1.., value_name = "DIR")]
    tasks: Vec<PathBuf>,

    #[command(flatten)]
    options: Options,

    #[command(flatten)]
    encoder: EncoderArgs,
}

/// Written into a cell's folder when its pre-training has come to its end.
const FINISHED: &str = "finished";

/// Ctrl-C: pre-training saves first, everything else may be left at once.
static STOP: AtomicBool = AtomicBool::new(false);
static PRETRAINING: AtomicBool = AtomicBool::new(false);

fn on_ctrl_c() {
    if !PRETRAINING.load(Ordering::Relaxed) || STOP.swap(true, Ordering::Relaxed) {
        std::process::exit(130);
    }
    eprintln!("\nsaving after this step; Ctrl-C again leaves at once, without saving");
}

impl Args {
    pub fn run(self) -> Result<ExitCode> {
        self.options.check()?;
        let sweep = Sweep::read(&self.sweep)?;
        let cells = sweep.cells(&self.given()?)?;
        let tasks = if self.tasks.is_empty() { sweep.tasks.clone() } else { self.tasks.clone() };
        ensure!(!tasks.is_empty(), "{}: no tasks; name some with --tasks, or in the file", self.sweep.display());
        let nameless = cells.iter().any(|cell| cell.config.data.as_os_str().is_empty());
        ensure!(!nameless, "{}: no data; name it with --data, or as data in [base]", self.sweep.display());
        ctrlc::set_handler(on_ctrl_c).context("cannot catch Ctrl-C")?;

        let gpu = self.encoder.device.open()?;
        let measure = Measure { options: self.options, encoder: self.encoder, network: None, gpu };
        // A task that cannot be read should be known of before hours of training.
        let workers = measure.encoder.workers();
        let tasks = tasks.iter().map(|path| measure.options.task(path, workers)).collect::<Result<Vec<_>>>()?;
        let columns: Vec<String> = tasks
            .iter()
            .flat_map(|(task, _)| sweep.modes.iter().map(move |mode| format!("{} {mode}", task.name)))
            .collect();
        let mut scores: Vec<(&Cell, Vec<f64>)> = Vec::new();
        for (i, cell) in cells.iter().enumerate() {
            let run = self.out.join("cells").join(&cell.name);
            eprintln!("cell {} of {}: {}", i + 1, cells.len(), cell.name);
            if !pretrain(&measure.gpu, cell, &run)? {
                println!("stopped and saved; the same command goes on with {}", cell.name);
                return Ok(ExitCode::from(130));
            }
            let mut of_cell = Vec::new();
            for task in &tasks {
                for &mode in &sweep.modes {
                    let protocol = measure.protocol(&run, &task.0, task.1, mode)?;
                    let stored = TransferRecord::read(&record::folder_of(&run, &task.0.name, mode, None))?;
                    let record = match stored.filter(|stored| stored.protocol == protocol) {
                        Some(stored) => stored,
                        None => measure.run(&run, task, mode, None)?.0,
                    };
                    of_cell.push(record.mean);
                }
            }
            scores.push((cell, of_cell));
            write(&self.out, &columns, &scores, cells.len())?;
        }
        print!("{}", std::fs::read_to_string(self.out.join("sweep.md"))?);
        println!(
            "\nwritten to {}; the runs are in {}",
            self.out.join("sweep.{md,csv,html}").display(),
            self.out.join("cells").display()
        );
        Ok(ExitCode::SUCCESS)
    }

    /// Keys that the command line sets.
    fn given(&self) -> Result<Table> {
        let mut given = Table::new();
        if let Some(data) = &self.data {
            let data = std::path::absolute(data).unwrap_or_else(|_| data.clone());
            let Some(data) = data.to_str() else { bail!("{}: the path is not valid UTF-8; rename it", data.display()) };
            given.insert("data".into(), data.into());
        }
        if self.encoder.device.no_tune {
            given.insert("tune".into(), false.into());
        }
        Ok(given)
    }
}

/// Brings a cell's pre-training to its end, from wherever it stands; false where Ctrl-C stopped it.
fn pretrain(gpu: &Gpu, cell: &Cell, run: &Path) -> Result<bool> {
    let (config, file) = (&cell.config, run.join(CONFIG_FILE));
    if file.exists() {
        let before = TrainConfig::layered(Some(&file), Table::new())?;
        let length = |c: &TrainConfig| (c.steps, c.epochs, c.minutes.to_bits(), c.data.clone());
        ensure!(
            before.fingerprint() == config.fingerprint() && length(&before) == length(config),
            "{}: this cell was begun under other settings; delete it or choose another --out",
            run.display()
        );
    }
    if run.join(FINISHED).exists() {
        eprintln!("pre-trained already");
        return Ok(true);
    }
    memory::ensure_fits(gpu, config)?;
    let found = training_clips(config)?;
    std::fs::create_dir_all(run).with_context(|| format!("cannot make the folder {}", run.display()))?;
    write_atomic(&file, |file| file.write_all(config.to_toml().as_bytes()))?;
    Environment::here(gpu).write(run)?;
    if let Some(state) = checkpoint::find(run)? {
        eprintln!("going on from step {}", state.step);
    }
    PRETRAINING.store(true, Ordering::Relaxed);
    let outcome = trainer::run(gpu, Job { clips: found.clips, run, config, stop: &STOP });
    PRETRAINING.store(false, Ordering::Relaxed);
    let outcome = outcome?;
    if outcome.finished {
        write_atomic(&run.join(FINISHED), |file| writeln!(file, "{} steps", outcome.steps))?;
    }
    Ok(outcome.finished)
}

/// The table so far, in three forms.
fn write(folder: &Path, columns: &[String], scores: &[(&Cell, Vec<f64>)], cells: usize) -> Result<()> {
    let (header, rows) = table(columns, scores);
    let note = format!(
        "Test scores in percent, {} of {cells} cells. With ± the standard deviation over pre-trainings that differ in the \
         seed.",
        scores.len()
    );
    let line = |row: &[String]| format!("|{}|\n", row.join("|"));
    let rule: Vec<String> = header.iter().map(|_| "---".into()).collect();
    let text = line(&header) + &line(&rule) + &rows.iter().map(|row| line(row)).collect::<String>();
    let page = report::Report {
        title: "Sweep".into(),
        tables: vec![report::Table {
            title: "Cells".into(),
            note: note.clone(),
            header: header.clone(),
            rows: rows.clone(),
        }],
        ..report::Report::default()
    };
    for (extension, text) in [("md", format!("{text}\n{note}\n")), ("html", page.to_html())] {
        let path = folder.join("sweep").with_extension(extension);
        write_atomic(&path, |file| file.write_all(text.as_bytes()))?;
    }
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    write_csv(&folder.join("sweep.csv"), &header, rows)?;
    Ok(())
}
