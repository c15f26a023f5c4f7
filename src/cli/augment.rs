//! `cola augment`: what augmentation does to a sound, to hear and to see.

use super::device::DeviceArgs;
use anyhow::{Context, Result, ensure};
use cola::audio::crop::{is_silent, l2_normalise, squared_norm};
use cola::audio::{SAMPLE_RATE_HZ, decode_range, probe_file, write_wav};
use cola::eval::heatmap::heatmap_png;
use cola::eval::html::escape;
use cola::frontend::{FrontEnd, InputNorm};
use cola::gpu::Gpu;
use cola::ops::augment::key;
use cola::tensor::Tensor;
use cola::train::atomic::write_atomic;
use cola::train::augment::{Augmentation, Stage};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Longer ones help nobody to hear what an augmentation does.
const MOST_SECONDS: f64 = 30.0;
/// Points of a log-mel's picture, to each side.
const SCALE: usize = 3;

/// Write what each augmentation makes of a sound, to hear and to see
///
/// Writes DIR/<augmentation>-<draw>.wav (those that work on sounds) and .png (the log-mel, time to the right), the
/// sound as it is beside them, and DIR/index.html with all of them. Mixing takes the second file.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cola augment --list
  cola augment talk.flac --out augmented
  cola augment talk.flac rain.wav --out augmented --only pitch,mix --draws 5")]
pub struct Args {
    /// Audio files: what is augmented, and what is mixed into it
    #[arg(required_unless_present = "list", num_args = 1..=2)]
    files: Vec<PathBuf>,

    /// Folder to write to
    #[arg(long, value_name = "DIR", required_unless_present = "list")]
    out: Option<PathBuf>,

    /// Only these
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',')]
    only: Vec<Augmentation>,

    /// How often each is drawn
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    draws: u32,

    /// Where to begin, in seconds
    #[arg(long, default_value_t = 0.0)]
    start: f64,

    /// How much, in seconds
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,

    /// Decides what is drawn
    #[arg(long, default_value_t = 0)]
    seed: u64,

    /// Say what there is, and end
    #[arg(long)]
    list: bool,

    #[command(flatten)]
    device: DeviceArgs,
}

impl Args {
    pub fn run(self) -> Result<ExitCode> {
        if self.list {
            for augmentation in Augmentation::ALL {
                let default = if Augmentation::DEFAULT.contains(&augmentation) { "  (simclr's default)" } else { "" };
                println!("{:<12} {}{default}", augmentation.name(), augmentation.in_words());
            }
            return Ok(ExitCode::SUCCESS);
        }
        let out = self.out.as_ref().context("--out DIR is needed")?;
        ensure!(self.seconds >= 0.1 && self.seconds <= MOST_SECONDS, "--seconds must be from 0.1 to {MOST_SECONDS}");
        ensure!(self.start >= 0.0, "--start must be 0 or more");
        let sounds = self.sounds()?;
        let gpu = self.device.open()?;
        std::fs::create_dir_all(out).with_context(|| format!("cannot make the folder {}", out.display()))?;

        let bench = Bench::new(&gpu, &sounds);
        let mut rows = vec![("as it is".to_string(), bench.write(out, "original", &bench.sounds)?)];
        let chosen = |a: &Augmentation| self.only.is_empty() || self.only.contains(a);
        for augmentation in Augmentation::ALL.into_iter().filter(chosen) {
            if augmentation == Augmentation::Mix && sounds.len() == 1 {
                eprintln!("note: mix needs a second file, to be mixed into the first");
                continue;
            }
            let mut cells = String::new();
            for draw in 0..self.draws {
                let key = key(self.seed, u64::from(draw), augmentation as u32);
                let stem = format!("{}-{}", augmentation.name(), draw + 1);
                cells += &match augmentation.stage() {
                    Stage::Sound => bench.write(out, &stem, &augmentation.apply(&bench.sounds, key))?,
                    Stage::LogMel => bench.draw(out, &stem, &augmentation.apply(&bench.log_mel, key))?,
                    Stage::Scaled => bench.draw(out, &stem, &augmentation.apply(&bench.scaled(), key))?,
                };
            }
            rows.push((format!("{}: {}", augmentation.name(), augmentation.in_words()), cells));
        }
        let page = out.join("index.html");
        let title = self.files[0].display().to_string();
        write_atomic(&page, |file| file.write_all(html(&title, &rows).as_bytes()))?;
        println!("wrote {} augmentations of {title} to {}", rows.len() - 1, page.display());
        Ok(ExitCode::SUCCESS)
    }

    /// The files, cut to one length.
    fn sounds(&self) -> Result<Vec<Vec<f32>>> {
        let rate = f64::from(SAMPLE_RATE_HZ);
        let (start, mut length) = ((self.start * rate) as u64, (self.seconds * rate) as u64);
        for file in &self.files {
            let samples = probe_file(file)?.samples;
            let left = samples.saturating_sub(start);
            ensure!(
                left as f64 >= 0.1 * rate,
                "{}: less than 0.1 s of audio from {} s on; choose an earlier --start",
                file.display(),
                self.start
            );
            length = length.min(left);
        }
        let read = |file: &PathBuf| -> Result<Vec<f32>> {
            let sound = decode_range(file, start, length as usize)?;
            ensure!(!is_silent(&sound), "{}: silent from {} s on; choose another --start", file.display(), self.start);
            Ok(sound)
        };
        self.files.iter().map(read).collect()
    }
}

/// The sounds on the device, and what turns results into files.
struct Bench {
    /// `[files, samples]`, each of unit L2 norm.
    sounds: Tensor,
    log_mel: Tensor,
    front_end: FrontEnd,
    /// From unit norm to the first file's own level.
    level: f32,
}

impl Bench {
    fn new(gpu: &Gpu, sounds: &[Vec<f32>]) -> Bench {
        let level = squared_norm(&sounds[0]).sqrt() as f32;
        let mut all = sounds.to_vec();
        all.iter_mut().for_each(|sound| l2_normalise(sound));
        let sounds = Tensor::from_slice(gpu, &[all.len(), all[0].len()], &all.concat());
        let mut front_end = FrontEnd::new(gpu, InputNorm::NONE);
        front_end.norm = front_end.measure([sounds.clone()].into_iter()).unwrap_or(InputNorm::NONE);
        Bench { log_mel: front_end.log_mel(&sounds), sounds, front_end, level }
    }

    fn scaled(&self) -> Tensor {
        self.front_end.scale(self.log_mel.clone())
    }

    /// Writes the first of some sounds, and the picture of its log-mel. Returns its cell of the table.
    fn write(&self, out: &Path, stem: &str, sounds: &Tensor) -> Result<String> {
        let [_, samples] = sounds.dims2();
        let sound: Vec<f32> = sounds.slice(0, &[samples]).read::<f32>().iter().map(|x| self.level * x).collect();
        write_wav(&out.join(format!("{stem}.wav")), &sound)?;
        let picture = self.draw(out, stem, &self.front_end.log_mel(sounds))?;
        let player = format!("<audio controls preload=\"none\" src=\"{stem}.wav\"></audio></td>");
        Ok(picture.replace("</td>", &format!("<br>{player}")))
    }

    /// Draws the first of some log-mels. Returns its cell of the table.
    fn draw(&self, out: &Path, stem: &str, log_mel: &Tensor) -> Result<String> {
        let [_, _, frames, bands] = log_mel.dims4();
        let values = log_mel.slice(0, &[frames * bands]).read::<f32>();
        let picture = heatmap_png(&values, frames, bands, SCALE);
        write_atomic(&out.join(format!("{stem}.png")), |file| file.write_all(&picture))?;
        Ok(format!("<td><img src=\"{stem}.png\" alt=\"{stem}\"></td>"))
    }
}

fn html(title: &str, rows: &[(String, String)]) -> String {
    let rows: String =
        rows.iter().map(|(name, cells)| format!("<tr><th>{}</th>{cells}</tr>\n", escape(name))).collect();
    let title = escape(title);
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}, augmented</title>\n\
         <style>body{{font:15px system-ui,sans-serif;margin:2em}}th{{text-align:left;font-weight:normal;width:14em;\
         padding-right:1em}}td{{padding:.5em}}img{{max-width:24em;display:block}}audio{{width:100%}}</style>\n\
         <h1>{title}, augmented</h1>\n<table>\n{rows}</table></html>\n"
    )
}
