//! `cola bench adapters`.

use anyhow::{Context, Result, bail};
use cola::bench::adapters::{AdapterLine, markdown};
use cola::gpu::{AdapterChoice, Gpu, GpuOptions, adapter_list};
use cola::train::atomic::write_atomic;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Measure every adapter of this machine by the same work, one line each
///
/// The table is Markdown, the fastest in training first. With --table it is made of what --json wrote on other machines,
/// and nothing is measured: that is how the table of benches/results is made. To send yours, put the JSON file into
/// benches/results/machines.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cola bench adapters
  cola bench adapters --json benches/results/machines/my-machine.json
  cola bench adapters --table benches/results/machines/*.json")]
pub struct Args {
    /// Write the numbers as JSON, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Print the table of such files instead of measuring
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with = "json")]
    table: Vec<PathBuf>,
}

impl Args {
    pub fn run(self) -> Result<ExitCode> {
        let lines = if self.table.is_empty() { measure()? } else { read(&self.table)? };
        if let Some(path) = &self.json {
            write_atomic(path, |file| Ok(serde_json::to_writer_pretty(file, &lines)?))?;
        }
        print!("{}", markdown(&lines));
        Ok(ExitCode::SUCCESS)
    }
}

fn measure() -> Result<Vec<AdapterLine>> {
    let mut lines = Vec::new();
    for (index, caps) in adapter_list().iter().enumerate() {
        eprintln!("measuring {}: {}", index, caps.adapter);
        let opened = Gpu::open(&GpuOptions { adapter: AdapterChoice::Index(index), ..GpuOptions::default() });
        match opened.and_then(|gpu| AdapterLine::measure(&gpu)) {
            Ok(line) => lines.push(line),
            Err(error) => eprintln!("left out: {}: {error}", caps.adapter),
        }
    }
    if lines.is_empty() {
        bail!("no adapter could be measured; cola doctor says why");
    }
    Ok(lines)
}

fn read(files: &[PathBuf]) -> Result<Vec<AdapterLine>> {
    let of_file = |path: &PathBuf| -> Result<Vec<AdapterLine>> {
        let text = std::fs::read(path).with_context(|| format!("cannot read {}", Path::display(path)))?;
        serde_json::from_slice(&text)
            .with_context(|| format!("{}: not what --json of cola bench adapters writes", path.display()))
    };
    Ok(files.iter().map(of_file).collect::<Result<Vec<_>>>()?.concat())
}
