//! `cola synth`: labelled sounds of our own.

use anyhow::Result;
use std::path::PathBuf;
use std::process::ExitCode;

/// Write labelled synthetic sounds as WAV files, to try everything without recordings
///
/// Writes DIR/{train,test}/<family>/*.wav. Such sounds are easier to tell apart than recorded ones: a number
/// measured on them says that the program works, not how good the representation is.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  cola synth sounds --clips-per-family 40 && cola pretrain sounds/train --out run")]
pub struct Args {
    /// Folder to write to
    dir: PathBuf,

    /// Clips of each family, test clips included
    #[arg(long, default_value_t = 50)]
    clips_per_family: usize,

    /// Decides every clip
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

impl Args {
    pub fn run(self) -> Result<ExitCode> {
        let files = cola::audio::synth::write_dataset(&self.dir, self.clips_per_family, self.seed)?;
        println!("wrote {} clips to {}", files.len(), self.dir.display());
        println!("next: cola pretrain {}/train --out run", self.dir.display());
        Ok(ExitCode::SUCCESS)
    }
}
