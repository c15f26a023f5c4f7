//! `cola watch`.

use super::device::DeviceArgs;
use anyhow::{Context, Result};
use cola::bench::watch::{Look, Subject};
use cola::gpu::wgsl::Sources;
use cola::gpu::{Gpu, GpuError, catch};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

/// How often the file is looked at.
const EVERY: Duration = Duration::from_millis(200);

/// Edit a kernel and see, each time it is saved, whether it is still right and how much faster it became
///
/// FILE is a shader in the folder shaders of the sources, or in a copy of it; snippets of its lib are shaders, too. Of the
/// cases of cola bench kernels those run that need it. Their results, forward and backward, on two segments are compared with
/// those of the portable kernels under run-time checks as this program has them compiled in. Then the kernels that FILE is a
/// part of are timed as compiled in and as saved, in turns, so that both see the same machine.
///
/// A file that does not compile is told with its line, and waited for. Ctrl-C ends.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cola watch shaders/layer_norm.wgsl
  cola watch shaders/unary.wgsl gelu
  cola watch shaders/matmul/tile.wgsl head --tier portable --segments 64
  cola watch shaders/lib/total.wgsl --once")]
pub struct Args {
    /// A shader
    file: PathBuf,

    /// Only cases whose name contains this
    #[arg(default_value = "")]
    filter: String,

    /// Segments in the batch
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    segments: u16,

    /// Runs of each case and side; the median counts
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u16).range(1..))]
    repeats: u16,

    /// Look at it as it is, and end; exit code 1 if a result is wrong
    #[arg(long)]
    once: bool,

    #[command(flatten)]
    device: DeviceArgs,
}

impl Args {
    pub fn run(self) -> Result<ExitCode> {
        let mut text = read(&self.file)?;
        let (embedded, checker) = (self.device.open_with(Sources::Embedded)?, self.device.open_checker()?);
        let subject = Subject::find(embedded.caps(), &self.file, &self.filter, self.segments.into())
            .map_err(anyhow::Error::msg)?;
        let caps = embedded.caps();
        println!(
            "{} ({}), {} kernels: {} in {} of the cases, {} segments",
            caps.adapter,
            caps.driver,
            caps.tier,
            self.file.display(),
            subject.case_count(),
            self.segments
        );
        let mut last = Vec::new();
        loop {
            match self.look(&subject, &embedded, &checker, &last) {
                Ok(looks) => last = looks,
                Err(error @ (GpuError::Shader(_) | GpuError::Validation(_))) if !self.once => {
                    println!("\n{}", error.to_string().trim_end())
                }
                Err(error) => return Err(error.into()),
            }
            if self.once {
                return Ok(if last.iter().all(Look::is_right) { ExitCode::SUCCESS } else { ExitCode::FAILURE });
            }
            text = changed(&self.file, &text);
        }
    }

    /// Prints a line a case; `last` is what the save before came to.
    fn look(&self, subject: &Subject, embedded: &Gpu, checker: &Gpu, last: &[Look]) -> Result<Vec<Look>, GpuError> {
        let edited = self.device.open_with(Sources::Folder(subject.folder.clone()))?;
        let devices = [embedded, &edited, checker];
        catch(|| {
            let looks = subject.look(devices, self.segments.into(), self.repeats.into());
            let mut heading = Some("\n compiled in    as saved    ±%   speed  before it  results");
            let print = |look: &Look| {
                heading.take().into_iter().for_each(|line| println!("{line}"));
                print(look, last);
            };
            looks.inspect(print).collect()
        })
    }
}

fn print(look: &Look, last: &[Look]) {
    let last = last.iter().find(|last| last.name == look.name);
    let last = last.map_or(String::new(), |last| format!("{:.2}x", last.speed()));
    let results = match look.is_right() {
        true => format!("right, off by {:.0e}", look.error),
        false => format!("WRONG, off by {:.0e}", look.error),
    };
    println!(
        "{:>9.3} ms {:>8.3} ms {:>5.1} {:>6.2}x {last:>10}  {results:<21} {}",
        look.before.median_ms,
        look.now.median_ms,
        100.0 * look.now.spread(),
        look.speed(),
        look.name
    );
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

/// Waits until the file holds another text, and gives that. An editor may take it away for a moment.
fn changed(file: &Path, text: &str) -> String {
    loop {
        sleep(EVERY);
        match std::fs::read_to_string(file) {
            Ok(now) if now != text && !now.is_empty() => return now,
            _ => {}
        }
    }
}
