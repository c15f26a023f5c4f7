//! `cola embed`: vectors of files.

use super::run::{EncoderArgs, tell_skipped};
use anyhow::{Result, ensure};
use cola::audio::{Clip, DiscoverOptions, SAMPLE_RATE_HZ, discover};
use cola::eval::embed::{Vectors, count_segments, embed};
use cola::eval::encoder::Encoder;
use cola::eval::neighbours::{CosineIndex, standardised};
use cola::eval::npy::{write_csv, write_npy};
use cola::train::progress::bar;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// Turn audio files into vectors
///
/// Writes float32 [files, 1280], the mean over the segments of each file, and beside it, with the extension .csv,
/// which file each row is. Segments of 0.98 s follow each other without overlap, each scaled to the same level.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cola embed run recordings/ --out vectors.npy
  cola embed run recordings/ --out segments.npy --segments
  cola embed run recordings/ --out vectors.npy --nearest door.wav
  cola embed timm.safetensors recordings/ --out vectors.npy --input-norm standard")]
pub struct Args {
    /// Folder of a run, or a .safetensors file
    run: PathBuf,

    /// Folder, file, list or manifest
    audio: PathBuf,

    /// File to write, .npy
    #[arg(long, value_name = "X.npy")]
    out: PathBuf,

    /// One vector a segment instead of one a file
    #[arg(long)]
    segments: bool,

    /// Print the files most similar to this one (cosine, each feature standardised over the files)
    #[arg(long, value_name = "FILE")]
    nearest: Option<PathBuf>,

    /// How many of them
    #[arg(long, default_value_t = 10)]
    count: usize,

    /// End at the first file that cannot be used
    #[arg(long)]
    strict: bool,

    #[command(flatten)]
    encoder: EncoderArgs,
}

impl Args {
    pub fn run(self) -> Result<ExitCode> {
        let is_npy = self.out.extension().is_some_and(|e| e == "npy");
        ensure!(is_npy, "--out {}: give it the extension .npy", self.out.display());
        let names = self.out.with_extension("csv");
        let workers = self.encoder.workers();
        let found = discover(&self.audio, DiscoverOptions { workers, strict: self.strict })?;
        tell_skipped(found.skipped.iter().map(|(_, reason)| reason));
        let gpu = self.encoder.device.open()?;
        let clips = Arc::new(found.clips);
        let encoder = self.encoder.load(&gpu, &self.run, &clips)?;

        let progress = bar("segments", count_segments(&clips));
        let all = embed(&encoder, clips.clone(), workers, |done| progress.set_position(done));
        progress.finish_and_clear();
        tell_skipped(all.failed.values());
        if let (true, Some(error)) = (self.strict, all.failed.values().next()) {
            return Err(error.clone().into());
        }
        ensure!(!all.rows.is_empty(), "{}: no file could be used", self.audio.display());
        let means = all.mean_by_clip();
        let written = if self.segments { &all } else { &means };
        write_npy(&self.out, &written.values, written.rows.len(), written.cols)?;
        let rows = written.rows.iter().map(|row| {
            let clip = &clips[row.clip as usize];
            [clip.path.display().to_string(), format!("{:.3}", start_s(clip) + row.start_s)]
        });
        write_csv(&names, &["file", "start_s"], rows)?;
        println!(
            "wrote {} vectors of {} to {}, names to {}",
            written.rows.len(),
            written.cols,
            self.out.display(),
            names.display()
        );
        if let Some(file) = &self.nearest {
            self.print_nearest(file, &encoder, &means, &clips)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn print_nearest(&self, file: &Path, encoder: &Encoder, means: &Vectors, clips: &[Clip]) -> Result<()> {
        let query = discover(file, DiscoverOptions { workers: 1, strict: true })?;
        let query = embed(encoder, Arc::new(query.clips), 1, |_| ()).mean_by_clip();
        if let Some(error) = query.failed.into_values().next() {
            return Err(error.into());
        }
        // The query is scaled with the others, and stands last.
        let together = [&means.values[..], &query.values[..means.cols]].concat();
        let index = CosineIndex::new(&standardised(&together, means.cols), means.cols);
        let same = |row: usize| {
            let path = &clips[means.rows[row].clip as usize].path;
            path.canonicalize().ok() == file.canonicalize().ok()
        };
        println!("\nmost similar to {}:", file.display());
        let ranked = index.nearest_to_row(means.rows.len(), self.count + 1);
        for neighbour in ranked.iter().filter(|n| !same(n.row)).take(self.count) {
            let clip = &clips[means.rows[neighbour.row].clip as usize];
            let start = if clip.start > 0 { format!(" from {:.1} s", start_s(clip)) } else { String::new() };
            println!("{:7.3}  {}{start}", neighbour.similarity, clip.path.display());
        }
        Ok(())
    }
}

fn start_s(clip: &Clip) -> f64 {
    clip.start as f64 / f64::from(SAMPLE_RATE_HZ)
}
