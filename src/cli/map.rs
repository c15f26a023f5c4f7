//! `cola map`: clips as points to look at and listen to.

use super::counter::Counter;
use super::run::{EncoderArgs, tell_skipped};
use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cola::audio::{Clip, DiscoverOptions, Discovery, SAMPLE_RATE_HZ, decode_range, discover, discover_task};
use cola::eval::embed::{Vectors, count_segments, embed};
use cola::eval::map::clusters::k_means;
use cola::eval::map::layout::t_sne;
use cola::eval::map::{Grouping, Page, Point, View};
use cola::eval::neighbours::{CosineIndex, standardised};
use cola::eval::projection::pca_2d;
use cola::train::atomic::write_atomic;
use cola::train::progress::human_bytes;
use std::collections::BTreeSet;
use std::io::{Cursor, Write};
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// What is put into the page of each clip.
const EXCERPT_S: f64 = 4.0;

/// Sounds are put into the page up to this size of all of them, in bytes; beyond it the page links to the files.
const EMBED_BYTES: u64 = 40_000_000;

/// Clips named beside a chosen one.
const NEAREST: usize = 5;

/// Groups where there are neither labels nor folders.
const DEFAULT_CLUSTERS: usize = 8;

/// Where the page has its sounds from.
#[derive(Clone, Copy, Debug, PartialEq, clap::ValueEnum)]
enum Sounds {
    /// Inside while all of them are small, the files otherwise
    Auto,
    /// The first 4 s of each clip inside the page, which is then a single file
    Embed,
    /// The files themselves, by links relative to the page
    Link,
    /// Nothing can be played
    None,
}

/// Put clips on a map that can be looked at and listened to
///
/// Writes one HTML page, which needs no network: every clip is a point, placed by t-SNE or by PCA of the vectors.
/// Pointing at it shows the file, a click plays it and names its nearest neighbours. Colours are labels, if AUDIO is a
/// labelled folder {train,test}/<label>/* or a manifest with labels, or else folders; with --clusters, groups that
/// k-means finds.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cola map run recordings/
  cola map run speech_commands/ --out commands.html
  cola map run recordings/ --clusters 12 --audio link")]
pub struct Args {
    /// Folder of a run, or a .safetensors file
    run: PathBuf,

    /// Folder, file, list, manifest or labelled task
    audio: PathBuf,

    /// Page to write
    #[arg(long, value_name = "FILE", default_value = "map.html")]
    out: PathBuf,

    /// Colour by so many groups of similar clips, found by k-means
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u16).range(1..=200))]
    clusters: Option<u16>,

    /// Where the sounds are
    #[arg(long = "audio", value_enum, default_value = "auto", value_name = "auto|embed|link|none")]
    sounds: Sounds,

    /// Points at most; of more clips so many are taken, spread evenly
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u16).range(3..=10_000))]
    max_points: u16,

    /// Decides where k-means starts
    #[arg(long, default_value_t = 0)]
    seed: u64,

    /// Page title [default: the name of AUDIO]
    #[arg(long)]
    title: Option<String>,

    /// End at the first file that cannot be used
    #[arg(long)]
    strict: bool,

    #[command(flatten)]
    encoder: EncoderArgs,
}

impl Args {
    pub fn run(self) -> Result<ExitCode> {
        let folder = folder_of_page(&self.out);
        ensure!(folder.is_dir(), "--out {}: there is no such folder; create it first", self.out.display());
        let found = self.discover()?;
        tell_skipped(found.skipped.iter().map(|(_, reason)| reason));
        let gpu = self.encoder.device.open()?;
        let all = found.clips.len();
        let most = usize::from(self.max_points).min(all);
        let clips: Arc<Vec<Clip>> = Arc::new((0..most).map(|i| found.clips[i * all / most].clone()).collect());
        let encoder = self.encoder.load(&gpu, &self.run, &clips)?;
        let mut counter = Counter::new("segments", count_segments(&clips));
        let vectors = embed(&encoder, clips.clone(), self.encoder.workers(), |done| counter.set(done)).mean_by_clip();
        counter.finish();
        tell_skipped(vectors.failed.values());
        if let (true, Some(error)) = (self.strict, vectors.failed.values().next()) {
            return Err(error.clone().into());
        }
        let rows = vectors.rows.len();
        ensure!(rows >= 3, "{}: {rows} usable clips; a map needs at least 3", self.audio.display());

        let shown: Vec<&Clip> = vectors.rows.iter().map(|row| &clips[row.clip as usize]).collect();
        let page = self.page(&found, all, &shown, &vectors)?;
        let html = page.to_html();
        write_atomic(&self.out, |file| file.write_all(html.as_bytes()))?;
        println!("wrote {}: {rows} clips, {}", self.out.display(), human_bytes(html.len() as u64));
        Ok(ExitCode::SUCCESS)
    }

    /// As a labelled task where the folder is one, so that its clips have labels.
    fn discover(&self) -> Result<Discovery> {
        let options = DiscoverOptions { workers: self.encoder.workers(), strict: self.strict };
        let has = |name: &str| self.audio.join(name).exists();
        let is_task = has("metadata.csv") || has("train") && has("test");
        // All splits are shown, so which clips a missing split would give to the test is no matter.
        Ok(if is_task { discover_task(&self.audio, 0.25, 0, options)? } else { discover(&self.audio, options)? })
    }

    fn page(&self, found: &Discovery, all: usize, shown: &[&Clip], vectors: &Vectors) -> Result<Page> {
        let (rows, cols) = (shown.len(), vectors.cols);
        let standard = standardised(&vectors.values, cols);
        let index = CosineIndex::new(&standard, cols);
        let pca = pca_2d(&standard, rows, cols);
        let [first, second] = pca.explained.map(|share| 100.0 * share);
        let tsne = t_sne(&index, rows, &pca.points).map(|points| View {
            name: "t-SNE".into(),
            note: "Close together means alike to the encoder. How far groups are from each other, and how large they \
                   are, means little."
                .into(),
            points,
        });
        let pca = View {
            name: "PCA".into(),
            note: format!(
                "The two directions in which the vectors differ most ({first:.0}% and {second:.0}% of the variance). \
                 Distances are to scale, but what is apart in the full space may meet here."
            ),
            points: pca.points,
        };
        let (sounds, how) = self.sounds(shown)?;
        let nearest = |row| index.nearest_to_row(row, NEAREST).iter().map(|n| n.row).collect();
        let points = shown.iter().zip(sounds).enumerate();
        let points = points.map(|(row, (clip, audio))| Point { name: self.name(clip), audio, nearest: nearest(row) });
        let sampled = if all > shown.len() { format!(" of {all}, taken evenly") } else { String::new() };
        Ok(Page {
            title: self.title.clone().unwrap_or_else(|| name_of(&self.audio)),
            about: format!("{rows} clips{sampled}, as {} hears them. {how}", name_of(&self.run)),
            points: points.collect(),
            views: tsne.into_iter().chain([pca]).collect(),
            groupings: self.groupings(found, shown, &standard, cols),
        })
    }

    /// Labels, or folders where there are several; clusters where they are asked for, or there is nothing else.
    fn groupings(&self, found: &Discovery, shown: &[&Clip], standard: &[f32], cols: usize) -> Vec<Grouping> {
        let grouping = |name: &str, of_clip: &dyn Fn(&Clip) -> String| {
            let names: Vec<String> = shown.iter().map(|clip| of_clip(clip)).collect();
            let sorted: Vec<String> = names.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect();
            let of = names.iter().map(|name| sorted.binary_search(name).unwrap_or(0)).collect();
            Grouping { name: name.into(), names: sorted, of }
        };
        let known = if found.labels.is_empty() {
            let folder = |clip: &Clip| clip.path.parent().map_or_else(String::new, name_of);
            Some(grouping("folder", &folder)).filter(|folders| folders.names.len() > 1)
        } else {
            let label = |clip: &Clip| match clip.labels[..] {
                [] => "no label".to_owned(),
                _ => clip.labels.iter().map(|&l| &found.labels[l as usize][..]).collect::<Vec<_>>().join(", "),
            };
            Some(grouping("label", &label))
        };
        let k = self.clusters.map(usize::from).or_else(|| known.is_none().then_some(DEFAULT_CLUSTERS));
        let clusters = k.map(|k| {
            let of = k_means(standard, cols, k, self.seed);
            let count = of.iter().max().map_or(0, |most| most + 1);
            Grouping { name: "cluster".into(), names: (1..=count).map(|n| format!("cluster {n}")).collect(), of }
        });
        clusters.into_iter().chain(known).collect()
    }

    /// The address of each clip's sound, and what is to be said about them.
    fn sounds(&self, shown: &[&Clip]) -> Result<(Vec<Option<String>>, String)> {
        let samples = |clip: &Clip| clip.samples.min((EXCERPT_S * f64::from(SAMPLE_RATE_HZ)) as u64);
        let bytes = shown.iter().map(|clip| (44 + 2 * samples(clip)) * 4 / 3).sum::<u64>();
        let sounds = match self.sounds {
            Sounds::Auto if bytes <= EMBED_BYTES => Sounds::Embed,
            Sounds::Auto => {
                eprintln!(
                    "the sounds would make a page of {}, so it links to the files; --audio embed puts them in",
                    human_bytes(bytes)
                );
                Sounds::Link
            }
            other => other,
        };
        Ok(match sounds {
            Sounds::None => (vec![None; shown.len()], String::new()),
            Sounds::Link => {
                let folder = folder_of_page(&self.out).canonicalize().context("the folder of the page")?;
                let links = shown.iter().map(|clip| link(&folder, clip).ok());
                (
                    links.collect(),
                    "The sounds are the files: the page plays them as long as both stay where they are.".into(),
                )
            }
            _ => {
                // A file that cannot be read any more was told about when it was embedded.
                let excerpt = |clip: &&Clip| decode_range(&clip.path, clip.start, samples(clip) as usize).ok();
                let addresses = shown.iter().map(|clip| excerpt(clip).map(|audio| wav_address(&audio)));
                let longest = shown.iter().map(|clip| clip.samples).max().unwrap_or(0);
                let part = if longest > (EXCERPT_S * f64::from(SAMPLE_RATE_HZ)) as u64 {
                    format!("The sounds are the first {EXCERPT_S} s of each clip.")
                } else {
                    String::new()
                };
                (addresses.collect(), part)
            }
        })
    }

    /// The file as seen from AUDIO, and where in it a part begins.
    fn name(&self, clip: &Clip) -> String {
        let root = if self.audio.is_dir() { Some(self.audio.as_path()) } else { self.audio.parent() };
        let path = root.and_then(|root| clip.path.strip_prefix(root).ok()).unwrap_or(&clip.path);
        match clip.start {
            0 => path.display().to_string(),
            start => format!("{} from {:.2} s", path.display(), start as f64 / f64::from(SAMPLE_RATE_HZ)),
        }
    }
}

fn folder_of_page(out: &Path) -> &Path {
    out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The last part of a path, even of one such as `.`.
fn name_of(path: &Path) -> String {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    whole.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// 16 kHz, 16 bits, as an address that is the sound itself.
fn wav_address(audio: &[f32]) -> String {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: SAMPLE_RATE_HZ,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut bytes = Cursor::new(Vec::new());
    let mut wav = hound::WavWriter::new(&mut bytes, spec).expect("a header can be written to memory");
    for &x in audio {
        wav.write_sample((x * 32_767.0) as i16).expect("samples can be written to memory");
    }
    wav.finalize().expect("a length can be written to memory");
    format!("data:audio/wav;base64,{}", STANDARD.encode(bytes.into_inner()))
}

/// The address of a clip's file as seen from `folder`, with the part of it to play.
fn link(folder: &Path, clip: &Clip) -> Result<String> {
    let file = clip.path.canonicalize()?;
    let same = folder.components().zip(file.components()).take_while(|(a, b)| a == b).count();
    let up = folder.components().skip(same).map(|_| "..".to_owned());
    let down = file.components().skip(same).filter_map(|part| match part {
        Component::Normal(name) => Some(percent_encoded(&name.to_string_lossy())),
        _ => None,
    });
    let seconds = |samples: u64| samples as f64 / f64::from(SAMPLE_RATE_HZ);
    let part = format!("#t={},{}", seconds(clip.start), seconds(clip.start + clip.samples));
    Ok(up.chain(down).collect::<Vec<_>>().join("/") + &part)
}

fn percent_encoded(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    name.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cola::audio::Split;

    #[test]
    fn links_lead_from_the_page_to_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("sounds/a b")).unwrap();
        std::fs::create_dir(root.join("pages")).unwrap();
        let path = root.join("sounds/a b/50% é#1.wav");
        std::fs::write(&path, "").unwrap();
        let clip = Clip { path, start: 8_000, samples: 16_000, labels: vec![], split: Split::Train };
        assert_eq!(link(&root.join("pages"), &clip).unwrap(), "../sounds/a%20b/50%25%20%C3%A9%231.wav#t=0.5,1.5");
        assert_eq!(link(&root, &clip).unwrap(), "sounds/a%20b/50%25%20%C3%A9%231.wav#t=0.5,1.5");
    }
}
