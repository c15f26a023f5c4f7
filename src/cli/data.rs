//! `cola data`: manifests of published data sets.

use anyhow::Result;
use cola::audio::Split;
use cola::data_sets::{DATA_SETS, DataSet, check, write};
use cola::train::progress::bar;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Turn a published data set, as it is shipped, into a manifest to pre-train or probe on
///
/// Without arguments the known sets are listed; with NAME alone it says what to download, from where, and how it must
/// lie on the disk. With SRC, the folder that it was unpacked to, it writes to DIR: metadata.csv (a task with the
/// labels and the split of the literature), pretrain.csv (its training files), missing.csv (files that are absent or
/// cannot be read, and why) and NOTES.txt (who made the split, counts beside the official ones, what differs from the
/// paper). Audio is not copied: files are named where they lie, and each one's header is read.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cola data                                    the known data sets
  cola data nsynth                             what to download, and the folders expected
  cola data nsynth /data/nsynth --out nsynth   write the manifest
  cola probe run nsynth                        measure on it
  cola pretrain nsynth/pretrain.csv --out run  or train on it")]
pub struct Args {
    /// Data set
    name: Option<String>,

    /// Folder that it was unpacked to
    #[arg(requires = "out")]
    src: Option<PathBuf>,

    /// Folder to write to
    #[arg(long, value_name = "DIR", requires = "src")]
    out: Option<PathBuf>,

    /// Say of every set what to download and how it must lie on the disk
    #[arg(long, conflicts_with = "name")]
    list: bool,

    /// Threads that read headers [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    workers: Option<u16>,
}

impl Args {
    pub fn run(self) -> Result<ExitCode> {
        let Some(name) = &self.name else {
            print!("{}", if self.list { descriptions() } else { names() });
            return Ok(ExitCode::SUCCESS);
        };
        let set = DataSet::named(name)?;
        match (&self.src, &self.out) {
            (Some(src), Some(out)) => self.import(set, src, out),
            _ => {
                print!("{}", set.description());
                println!("\nnext: cola data {name} SRC --out DIR");
                Ok(ExitCode::SUCCESS)
            }
        }
    }

    fn import(&self, set: &DataSet, src: &Path, out: &Path) -> Result<ExitCode> {
        let listing = set.read(src)?;
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let workers = self.workers.map_or_else(cores, usize::from);
        let progress = bar("reading headers", listing.rows.len() as u64);
        let checked = check(set, listing, workers, |done| progress.set_position(done))?;
        progress.finish_and_clear();
        let written = write(set, &checked, out)?;

        print!("{}", checked.summary());
        println!("wrote {}; its notes: {}", written.manifest.display(), written.notes.display());
        if checked.listing.clips(Split::Test) > 0 {
            println!("next: cola probe RUN {}, or cola pretrain {}", out.display(), written.pretrain.display());
        } else {
            println!("next: cola pretrain {}", written.pretrain.display());
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn names() -> String {
    let lines = DATA_SETS.map(|set| format!("{:<23}{:>7}  {}\n", set.name, set.classes, set.title));
    format!("{:<23}{:>7}  data set\n", "name", "classes")
        + &lines.concat()
        + "\nnext: cola data NAME (what to download), cola data NAME SRC --out DIR (write its manifest)\n"
}

fn descriptions() -> String {
    DATA_SETS.map(|set| set.description()).join("\n")
}
