//! `cola report`: a run on one page.

use super::run::{EncoderArgs, tell_skipped};
use anyhow::{Result, ensure};
use cola::audio::{Clip, DiscoverOptions, SAMPLE_RATE_HZ, decode_range, discover, discover_task};
use cola::eval::embed::{Vectors, count_segments, embed};
use cola::eval::heatmap::heatmap_png;
use cola::eval::neighbours::{CosineIndex, standardised};
use cola::eval::plot::ScatterPlot;
use cola::eval::probe_log::all_records;
use cola::eval::projection::pca_2d;
use cola::eval::report::{ClipPicture, NeighbourRow, Report, Training};
use cola::eval::retrieval::NeighbourScore;
use cola::gpu::Gpu;
use cola::ops::log_mel::log_mel_of;
use cola::train::atomic::write_atomic;
use cola::train::codes::CodesReport;
use cola::train::config::{CONFIG_FILE, Method, TrainConfig};
use cola::train::environment::Environment;
use cola::train::metrics::{METRICS_FILE, read_metrics};
use cola::train::progress::bar;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use toml::Table;

/// Clips on the map: enough to see groups, few enough to embed in a minute without a GPU.
const MAP_CLIPS: usize = 300;
const NEIGHBOUR_ROWS: usize = 8;
const NEIGHBOURS: usize = 4;
const PICTURES: usize = 4;
const PICTURE_S: f64 = 4.0;

/// Put a run on one self-contained HTML page
///
/// Curves, probe results, a map of embeddings, nearest neighbours, the log-mel of a few clips, the configuration and
/// the machine. The map shows the test clips of a labelled task (--task), or else clips of the training set.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  cola report run --task speech_commands/ --out report.html")]
pub struct Args {
    /// Folder of a run
    run: PathBuf,

    /// Labelled folder for the map and the neighbours
    #[arg(long)]
    task: Option<PathBuf>,

    /// Page to write [default: RUN/report.html]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Page title [default: the method's]
    #[arg(long)]
    title: Option<String>,

    #[command(flatten)]
    encoder: EncoderArgs,
}

/// The clips shown, and their labels if they have any.
struct Shown {
    clips: Arc<Vec<Clip>>,
    labels: Vec<String>,
    /// Names are given from here on.
    root: PathBuf,
}

impl Args {
    pub fn run(self) -> Result<ExitCode> {
        let metrics = self.run.join(METRICS_FILE);
        ensure!(metrics.exists(), "{} is not the folder of a run: it holds no {METRICS_FILE}", self.run.display());
        let config = TrainConfig::layered(Some(&self.run.join(CONFIG_FILE)), Table::new())?;
        let records = all_records(&self.run);
        let mut report = Report {
            title: self.title.clone().unwrap_or_else(|| {
                let of_method = match config.method {
                    Method::Cola => "COLA pre-training",
                    Method::Simclr => "Pre-training on augmented views",
                    Method::Nextcode => "Next-code pre-training",
                };
                of_method.into()
            }),
            intro: Some(format!("Pre-trained on {}.", config.data.display())),
            training: Some(Training {
                steps: read_metrics(&metrics)?,
                batch: config.batch,
                method: config.method,
                candidates: config.candidates(),
            }),
            codes: CodesReport::read(&self.run),
            probes: records.iter().map(|record| record.score.clone()).collect(),
            neighbour_scores: NeighbourScore::all_of(&self.run),
            config_toml: Some(config.to_toml()),
            environment: environment(&self.run),
            ..Report::default()
        };
        let trained = records.iter().filter(|record| record.score.representation == "pre-trained");
        report.confusions = trained.map(|record| (record.score.task.clone(), record.confusion.clone())).collect();
        match self.shown(&config) {
            Ok(shown) => self.show(&mut report, &shown)?,
            // The data may have moved since; what is known about the run is still worth a page.
            Err(error) if self.task.is_none() => eprintln!("no map and no pictures: {error:#}"),
            Err(error) => return Err(error),
        }
        let out = self.out.unwrap_or_else(|| self.run.join("report.html"));
        write_atomic(&out, |file| file.write_all(report.to_html().as_bytes()))?;
        println!("{}", report.summary());
        println!("report: {}", out.display());
        Ok(ExitCode::SUCCESS)
    }

    fn shown(&self, config: &TrainConfig) -> Result<Shown> {
        let options = DiscoverOptions { workers: self.encoder.workers(), strict: false };
        let (found, root) = match &self.task {
            Some(task) => {
                let mut found = discover_task(task, 0.25, config.seed, options)?;
                found.clips.retain(|clip| clip.split == cola::audio::Split::Test);
                (found, task.clone())
            }
            None => (discover(&config.data, options)?, config.data.clone()),
        };
        let labels = found.labels.clone();
        Ok(Shown { clips: Arc::new(evenly(&found.clips, MAP_CLIPS)), labels, root })
    }

    fn show(&self, report: &mut Report, shown: &Shown) -> Result<()> {
        let gpu = self.encoder.device.open()?;
        report.clips = pictures(&gpu, shown)?;
        let encoder = self.encoder.load(&gpu, &self.run, &shown.clips)?;
        let progress = bar("segments", count_segments(&shown.clips));
        let on_batch = |done| progress.set_position(done);
        let vectors = embed(&encoder, shown.clips.clone(), self.encoder.workers(), on_batch).mean_by_clip();
        progress.finish_and_clear();
        tell_skipped(vectors.failed.values());
        if vectors.rows.len() >= 3 {
            let standard = standardised(&vectors.values, vectors.cols);
            report.map = Some(map(&standard, &vectors, shown));
            report.neighbours = neighbours(&standard, &vectors, shown);
        }
        Ok(())
    }
}

/// At most `most` of the clips, spread evenly over the list.
fn evenly(clips: &[Clip], most: usize) -> Vec<Clip> {
    let count = clips.len().min(most);
    (0..count).map(|i| clips[i * clips.len() / count].clone()).collect()
}

fn map(standard: &[f32], vectors: &Vectors, shown: &Shown) -> ScatterPlot {
    let map = pca_2d(standard, vectors.rows.len(), vectors.cols);
    let folders: Vec<String> = vectors.rows.iter().map(|row| shown.group(row.clip)).collect();
    let names: Vec<String> = folders.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect();
    let share = |i: usize| format!("component {} ({:.0}% of the variance)", i + 1, 100.0 * map.explained[i]);
    ScatterPlot {
        title: format!("{} clips by the two main directions of their vectors", vectors.rows.len()),
        x_label: share(0),
        y_label: share(1),
        points: map.points,
        labels: folders.iter().map(|name| names.binary_search(name).unwrap_or(0)).collect(),
        label_names: names,
    }
}

fn neighbours(standard: &[f32], vectors: &Vectors, shown: &Shown) -> Vec<NeighbourRow> {
    let index = CosineIndex::new(standard, vectors.cols);
    let rows = vectors.rows.len();
    let count = NEIGHBOUR_ROWS.min(rows);
    let name = |row: usize| shown.name(vectors.rows[row].clip);
    let about = |query: usize| NeighbourRow {
        name: name(query),
        nearest: index.nearest_to_row(query, NEIGHBOURS).iter().map(|n| (name(n.row), n.similarity)).collect(),
    };
    (0..count).map(|i| about((2 * i + 1) * rows / (2 * count))).collect()
}

fn pictures(gpu: &Gpu, shown: &Shown) -> Result<Vec<ClipPicture>> {
    let mut pictures = Vec::new();
    let most = (PICTURE_S * f64::from(SAMPLE_RATE_HZ)) as u64;
    let count = PICTURES.min(shown.clips.len());
    for i in (0..count).map(|i| (2 * i + 1) * shown.clips.len() / (2 * count)) {
        let clip = &shown.clips[i];
        let samples = clip.samples.min(most) as usize;
        // A file that cannot be decoded is told about when it is embedded.
        let Ok(audio) = decode_range(&clip.path, clip.start, samples) else { continue };
        let (log_mel, frames, bands) = log_mel_of(gpu, &audio);
        let seconds = samples as f64 / f64::from(SAMPLE_RATE_HZ);
        pictures.push(ClipPicture {
            name: shown.name(i as u32),
            seconds,
            png: heatmap_png(&log_mel, frames, bands, 2),
        });
    }
    Ok(pictures)
}

impl Shown {
    fn name(&self, clip: u32) -> String {
        let clip = &self.clips[clip as usize];
        clip.path.strip_prefix(&self.root).unwrap_or(&clip.path).display().to_string()
    }

    /// The label, or without labels the folder.
    fn group(&self, clip: u32) -> String {
        let clip = &self.clips[clip as usize];
        let label = clip.label().and_then(|label| self.labels.get(label as usize)).cloned();
        let folder = || Some(clip.path.parent()?.file_name()?.to_string_lossy().into_owned());
        label.or_else(folder).unwrap_or_else(|| "clips".into())
    }
}

fn environment(run: &Path) -> Vec<(String, String)> {
    let Some(here) = Environment::read(run) else { return Vec::new() };
    let entry = |what: &str, value: String| (what.to_string(), value);
    vec![
        entry("adapter", here.adapter.clone()),
        entry("driver", here.driver.clone()),
        entry("kernels", here.tier.clone()),
        entry("system", format!("{}, {} cores", here.system, here.cores)),
        entry("cola-wgpu", here.cola_wgpu.clone()),
        entry("started", here.started()),
    ]
}
