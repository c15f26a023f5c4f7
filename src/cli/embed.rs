//! `cola embed`: vectors of files.

use super::INTERRUPTED;
use super::counter::Counter;
use super::run::{EncoderArgs, tell_skipped};
use anyhow::{Context, Result, bail, ensure};
use cola::audio::{Clip, Cutting, DiscoverOptions, SAMPLE_RATE_HZ, discover};
use cola::eval::embed::embed;
use cola::eval::embed_job::{EmbedJob, Outcome};
use cola::eval::encoder::Encoder;
use cola::eval::neighbours::StreamQuery;
use cola::eval::vector_file::{Format, read_vectors};
use cola::gpu::Gpu;
use cola::train::checkpoint::Weights;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Turn audio files into vectors
///
/// Writes float32 [files, features], the mean over the segments of each file, and beside it, with the extension .csv,
/// which file each row is. With --out X.csv or X.jsonl, names, times and numbers stand in that one file. Segments of
/// 0.98 s follow each other without overlap, each scaled to the same level.
///
/// Memory does not grow with the files or their length. An interrupted command goes on when it is given again, and
/// the file is then the same, byte for byte.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cola embed run recordings/ --out vectors.npy
  cola embed run recordings/ --out segments.npy --segments
  cola embed run day.flac --out day.npy --hop 0.25        a vector every quarter of a second
  cola embed run recordings/ --out vectors.jsonl
  cola embed run recordings/ --out vectors.npy --nearest door.wav
  cola embed timm.safetensors recordings/ --out vectors.npy --input-norm standard")]
pub struct Args {
    /// Folder of a run, or a .safetensors file
    run: PathBuf,

    /// Folder, file, list or manifest
    audio: PathBuf,

    /// File to write: .npy, .csv or .jsonl
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// One vector a segment instead of one a file
    #[arg(long)]
    segments: bool,

    /// One vector every so many seconds, of the 0.98 s that begin there; the last one ends within the file
    #[arg(long, value_name = "SECONDS")]
    hop: Option<f64>,

    /// Print the files most similar to this one (cosine, each feature standardised over the files)
    #[arg(long, value_name = "FILE")]
    nearest: Option<PathBuf>,

    /// How many of them
    #[arg(long, default_value_t = 10)]
    count: usize,

    /// End at the first file that cannot be used
    #[arg(long)]
    strict: bool,

    /// Begin anew instead of going on with an interrupted file
    #[arg(long)]
    restart: bool,

    #[command(flatten)]
    encoder: EncoderArgs,
}

impl Args {
    pub fn run(self) -> Result<ExitCode> {
        let (format, cutting) = (self.format()?, self.cutting()?);
        let workers = self.encoder.workers();
        if let Some(file) = &self.nearest {
            std::fs::metadata(file).with_context(|| format!("--nearest {}: cannot read it", file.display()))?;
        }
        let found = discover(&self.audio, DiscoverOptions { workers, strict: self.strict })?;
        tell_skipped(found.skipped.iter().map(|(_, reason)| reason));
        let gpu = self.encoder.device.open()?;
        let clips = Arc::new(found.clips);
        let encoder = self.encoder.load(&gpu, &self.run, &clips)?;
        let job = EmbedJob {
            encoder: &encoder,
            clips: clips.clone(),
            workers,
            cutting,
            by_segment: self.segments || self.hop.is_some(),
            out: &self.out,
            format,
            depends_on: self.depends_on(&gpu)?,
            strict: self.strict,
        };
        let (rows, failed) = match self.embed(&job)? {
            Outcome::Done { rows, failed } => (rows, failed),
            Outcome::Stopped => {
                println!("interrupted; the same command goes on, with --restart it begins anew");
                return Ok(ExitCode::from(INTERRUPTED));
            }
        };
        tell_skipped(failed.values());
        ensure!(rows > 0, "{}: no file could be used", self.audio.display());
        let names = format.names_of(&self.out).map(|names| format!(", names to {}", names.display()));
        println!(
            "wrote {rows} vectors of {} to {}{}",
            encoder.features(),
            self.out.display(),
            names.unwrap_or_default()
        );
        if let Some(file) = &self.nearest {
            let usable = (0..clips.len() as u32).filter(|clip| !failed.contains_key(clip)).collect();
            self.print_nearest(file, &job, usable)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn format(&self) -> Result<Format> {
        let Some(format) = Format::of(&self.out) else {
            bail!("--out {}: give it the extension .npy, .csv or .jsonl", self.out.display());
        };
        let folder = self.out.parent().filter(|folder| !folder.as_os_str().is_empty());
        ensure!(
            folder.is_none_or(Path::is_dir),
            "--out {}: there is no such folder; create it first",
            self.out.display()
        );
        // Writing over the list of what is to be embedded would destroy it.
        for written in [Some(self.out.clone()), format.names_of(&self.out)].into_iter().flatten() {
            let is_source = written.exists() && written.canonicalize().ok() == self.audio.canonicalize().ok();
            ensure!(!is_source, "{} would be written over; give --out another name", written.display());
        }
        Ok(format)
    }

    fn cutting(&self) -> Result<Cutting> {
        let Some(hop_s) = self.hop else { return Ok(Cutting::BackToBack) };
        ensure!((0.001..=86_400.0).contains(&hop_s), "--hop {hop_s}: give 0.001 to 86400 seconds");
        Ok(Cutting::Every { hop_samples: hop_s * f64::from(SAMPLE_RATE_HZ) })
    }

    /// What an interrupted file must have been begun with.
    fn depends_on(&self, gpu: &Gpu) -> Result<BTreeMap<String, String>> {
        let weights = Weights::open(&self.run)?.path().to_owned();
        let bytes = std::fs::read(&weights).with_context(|| format!("cannot read {}", weights.display()))?;
        Ok(BTreeMap::from([
            ("weights".into(), format!("{} bytes, {:08x}", bytes.len(), crc32c::crc32c(&bytes))),
            ("how they are read".into(), format!("{:?}", self.encoder.weights.reading()?)),
            ("adapter".into(), format!("{}, {}", gpu.caps().adapter, gpu.caps().tier)),
        ]))
    }

    fn embed(&self, job: &EmbedJob) -> Result<Outcome> {
        static STOP: AtomicBool = AtomicBool::new(false);
        ctrlc::set_handler(|| {
            if STOP.swap(true, Ordering::Relaxed) {
                std::process::exit(INTERRUPTED.into());
            }
            eprintln!("\nsaving after this batch; Ctrl-C again leaves at once");
        })
        .context("cannot catch Ctrl-C")?;
        let mut counter = Counter::new("segments", job.segments());
        let outcome = job.run(self.restart, &STOP, |done| counter.set(done))?;
        counter.finish();
        Ok(outcome)
    }

    /// Reads the vectors again from the file: there may be more than fit into memory.
    fn print_nearest(&self, file: &Path, job: &EmbedJob, usable: Vec<u32>) -> Result<()> {
        let query = query(file, job.encoder)?;
        let clip = |n: u32| &job.clips[n as usize];
        let same = |n: u32| clip(n).path.canonicalize().ok() == file.canonicalize().ok();
        let others: Vec<bool> = usable.iter().map(|&n| !same(n)).collect();
        let mut search = StreamQuery::new(&query, self.count);
        for pass in 0..2 {
            let mut row = 0;
            each_mean(job, &usable, |mean| {
                match pass {
                    0 => search.measure(mean),
                    _ if others[row] => search.compare(row, mean),
                    _ => (),
                }
                row += 1;
            })?;
        }
        println!("\nmost similar to {}:", file.display());
        for neighbour in search.nearest() {
            let clip = clip(usable[neighbour.row]);
            let start_s = clip.start as f64 / f64::from(SAMPLE_RATE_HZ);
            let start = if clip.start > 0 { format!(" from {start_s:.1} s") } else { String::new() };
            println!("{:7.3}  {}{start}", neighbour.similarity, clip.path.display());
        }
        Ok(())
    }
}

/// The mean over the segments of a file.
fn query(file: &Path, encoder: &Encoder) -> Result<Vec<f32>> {
    let found = discover(file, DiscoverOptions { workers: 1, strict: true })?;
    let means = embed(encoder, Arc::new(found.clips), 1, |_| ()).mean_by_clip();
    if let Some(error) = means.failed.into_values().next() {
        return Err(error.into());
    }
    Ok(means.values[..means.cols].to_vec())
}

/// The mean vector of each clip in the finished file.
fn each_mean(job: &EmbedJob, usable: &[u32], mut take: impl FnMut(&[f32])) -> Result<()> {
    let rows_of = |clip: &Clip| if job.by_segment { job.cutting.count(clip.samples) } else { 1 };
    let mut rows = usable.iter().map(|&n| rows_of(&job.clips[n as usize]));
    let (mut sums, mut count) = (vec![0.0f64; job.encoder.features()], 0);
    let mut wanted = rows.next().unwrap_or(0);
    read_vectors(job.out, job.format, |vector| {
        sums.iter_mut().zip(vector).for_each(|(sum, &x)| *sum += f64::from(x));
        count += 1;
        if count == wanted {
            take(&sums.iter().map(|sum| (sum / count as f64) as f32).collect::<Vec<_>>());
            sums.fill(0.0);
            (count, wanted) = (0, rows.next().unwrap_or(0));
        }
    })
    .context("cannot search it")
}
