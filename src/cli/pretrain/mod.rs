//! `cola pretrain`: from a folder of audio to an encoder.

mod options;

use super::INTERRUPTED;
use super::forecast;
use anyhow::{Context, Result, bail, ensure};
use cola::audio::{AudioError, DiscoverOptions, Discovery, Split, discover};
use cola::eval::npy::write_csv;
use cola::gpu::Gpu;
use cola::train::atomic::write_atomic;
use cola::train::config::{CONFIG_FILE, Method, TrainConfig};
use cola::train::environment::Environment;
use cola::train::trainer::{self, Job, Outcome};
use cola::train::{checkpoint, held_out, memory};
use options::Overrides;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use toml::Table;

/// Learn a representation from a folder of audio, without labels
///
/// DATA is a folder (searched recursively), one audio file, a list (.txt, one path a line) or a manifest (.csv or
/// .jsonl with path and optionally start_s and duration_s). Two random segments of a recording are to be recognised
/// as belonging together among all recordings of a batch; or, with --method, something else is learned.
///
/// The defaults are those of the recipe; a file given with --config goes over them, the command line over both.
/// What comes out is printed and written to RUN/config.toml. Ctrl-C saves and ends; --resume goes on.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Folder, file, list or manifest
    #[arg(required_unless_present_any = ["resume", "config", "dry_run"])]
    data: Option<PathBuf>,

    /// Folder to write the run to
    #[arg(long, value_name = "RUN", required_unless_present_any = ["resume", "dry_run"])]
    out: Option<PathBuf>,

    /// Go on with the run in this folder
    #[arg(long, value_name = "RUN", conflicts_with_all = ["data", "out", "config"])]
    resume: Option<PathBuf>,

    /// Configuration file, for example the config.toml of another run
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Say how much memory the run would take, for what, and the largest batch that fits, then end
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    overrides: Overrides,
}

const EXAMPLES: &str = "\
Examples:
  cola pretrain recordings/ --out run
  cola pretrain recordings/ --out run --batch 32 --minutes 30 --held-out 0.05
  cola pretrain recordings/ --out paper --recipe paper --batch 256 --epochs 500
  cola pretrain recordings/ --out run --init imported
  cola pretrain recordings/ --out run --method simclr --augment pitch,noise,reverb
  cola pretrain recordings/ --out run --method nextcode --codes 256 --layers 3 --width 128 --heads 4
  cola pretrain --resume run
  cola pretrain recordings/ --out large --batch 2048 --chunk 256
  cola pretrain --batch 512 --dry-run
  cola pretrain recordings/ --out run --memory-budget 2GiB";

impl Args {
    pub fn run(self) -> Result<ExitCode> {
        let config = self.config()?;
        let run = self.resume.as_ref().or(self.out.as_ref());
        if let (Some(run), None, false) = (run, &self.resume, self.dry_run) {
            ensure!(
                checkpoint::find(run)?.is_none(),
                "{0} already holds a run; go on with it (cola pretrain --resume {0}) or choose another --out",
                run.display()
            );
        }
        print!("{}", config.to_toml());
        let gpu = Gpu::open(&config.gpu_options()?)?;
        println!("# adapter: {} ({}), {} kernels", gpu.caps().adapter, gpu.caps().driver, gpu.caps().tier);
        if self.dry_run {
            return dry_run(&gpu, &config);
        }
        memory::ensure_fits(&gpu, &config)?;
        let run = run.context("--out RUN is needed")?;
        let found = training_clips(&config)?;
        std::fs::create_dir_all(run).with_context(|| format!("cannot make the folder {}", run.display()))?;
        write_atomic(&run.join(CONFIG_FILE), |file| file.write_all(config.to_toml().as_bytes()))?;
        let here = Environment::here(&gpu);
        if let Some(before) = Environment::read(run).filter(|before| before.adapter != here.adapter) {
            eprintln!(
                "note: the run began on {}; on another adapter its numbers differ in the last digits",
                before.adapter
            );
        }
        here.write(run)?;
        let mut skipped = found.skipped.clone();
        println!("# data: {}", describe(&found));
        note_frozen_in_long_runs(&config, found.clips.len());
        report_skipped(run, &skipped)?;

        static STOP: AtomicBool = AtomicBool::new(false);
        ctrlc::set_handler(|| {
            if STOP.swap(true, Ordering::Relaxed) {
                std::process::exit(INTERRUPTED.into());
            }
            eprintln!("\nsaving after this step; Ctrl-C again leaves at once, without saving");
        })
        .context("cannot catch Ctrl-C")?;
        let outcome = trainer::run(&gpu, Job { clips: found.clips, run, config: &config, stop: &STOP })?;
        if !outcome.skipped.is_empty() {
            skipped.extend(outcome.skipped.clone());
            report_skipped(run, &skipped)?;
        }
        Ok(farewell(run, &config, &outcome))
    }

    fn config(&self) -> Result<TrainConfig> {
        let mut given = Table::try_from(&self.overrides).context("options as a table")?;
        if let Some(run) = &self.resume {
            ensure!(checkpoint::find(run)?.is_some(), "{} holds no checkpoint to go on from", run.display());
            return Ok(TrainConfig::resumed(&run.join(CONFIG_FILE), given)?);
        }
        if let Some(data) = &self.data {
            // The run may go on from another working directory.
            let data = std::path::absolute(data).unwrap_or_else(|_| data.clone());
            let Some(data) = data.to_str() else { bail!("{}: the path is not valid UTF-8; rename it", data.display()) };
            given.insert("data".into(), data.into());
        }
        if let Some(init) = &self.overrides.init {
            let init = std::path::absolute(init).unwrap_or_else(|_| init.clone());
            let Some(init) = init.to_str() else { bail!("{}: the path is not valid UTF-8; rename it", init.display()) };
            given.insert("init".into(), init.into());
        }
        let set_by_hand: Vec<String> = given.keys().cloned().collect();
        let config = TrainConfig::layered(self.config.as_deref(), given)?;
        config.check_heard(set_by_hand.iter().map(String::as_str))?;
        let no_data = config.data.as_os_str().is_empty();
        ensure!(self.dry_run || !no_data, "no data: name a folder, or set data in the --config file");
        Ok(config)
    }
}

/// What the run may see: all but the rows of a manifest that belong to a validation set.
pub fn training_clips(config: &TrainConfig) -> Result<Discovery> {
    let mut found = discover(&config.data, DiscoverOptions { workers: config.workers, strict: config.strict })?;
    found.clips.retain(|clip| clip.split != Split::Valid);
    ensure!(!found.clips.is_empty(), "{}: every usable clip is of a validation set", config.data.display());
    Ok(found)
}

fn describe(found: &Discovery) -> String {
    format!("{} clips, {:.2} hours, {} files left out", found.clips.len(), found.hours(), found.skipped.len())
}

/// Lists unusable files: the first few on standard error, all of them in `skipped.csv`.
fn report_skipped(run: &Path, skipped: &[(PathBuf, AudioError)]) -> Result<()> {
    const SHOWN: usize = 5;
    if skipped.is_empty() {
        return Ok(());
    }
    for (_, reason) in skipped.iter().take(SHOWN) {
        eprintln!("left out: {reason}");
    }
    let list = run.join("skipped.csv");
    let rows = skipped.iter().map(|(path, reason)| [path.display().to_string(), reason.to_string()]);
    write_csv(&list, &["file", "reason"], rows)?;
    eprintln!("{} files left out in all; the list is {}", skipped.len(), list.display());
    Ok(())
}

/// What helps a short run may hold a long one back.
fn note_frozen_in_long_runs(config: &TrainConfig, clips: usize) {
    const MEASURED_PAIRS: u64 = 450 * 64;
    let of = u64::saturating_mul;
    let pairs = of(config.steps, config.batch as u64).max(of(config.epochs, clips as u64));
    if config.frozen_stages > 0 && pairs > 10 * MEASURED_PAIRS {
        eprintln!(
            "note: the first {} stages stay as they start, which was measured to help in runs of {MEASURED_PAIRS} pairs; \
             this one is to have {pairs}, and --frozen-stages 0 trains them all",
            config.frozen_stages
        );
    }
}

fn farewell(run: &Path, config: &TrainConfig, outcome: &Outcome) -> ExitCode {
    let name = run.display();
    if let Some((score, pairs)) = outcome.held_out {
        let (accuracy, loss) = (100.0 * score.accuracy, score.loss);
        match config.method {
            Method::Cola | Method::Simclr => println!(
                "held-out recordings: {accuracy:.1}% of segments find their other half among {pairs} (chance {:.1}%), loss {loss:.3}",
                100.0 / pairs as f64,
            ),
            Method::Nextcode => {
                println!(
                    "held-out recordings: {accuracy:.1}% of codes are foretold, of {}, loss {loss:.3}",
                    config.codes
                );
            }
        }
    }
    if outcome.finished {
        println!("{} steps of {} pairs done; the weights are in {name}/checkpoints", outcome.steps, config.batch);
        println!("next: cola probe {name} LABELLED_FOLDER, cola embed {name} AUDIO --out X.npy, cola report {name}");
        if config.method == Method::Nextcode {
            println!("and to hear what it learnt: cola sample {name} --out X.wav");
        }
        ExitCode::SUCCESS
    } else {
        println!("stopped and saved at step {}; go on with: cola pretrain --resume {name}", outcome.steps);
        ExitCode::from(INTERRUPTED)
    }
}

/// What the run would take: memory, data, steps.
fn dry_run(gpu: &Gpu, config: &TrainConfig) -> Result<ExitCode> {
    forecast::print(gpu, config)?;
    if config.data.as_os_str().is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let found = training_clips(config)?;
    println!("data: {}", describe(&found));
    let (train, _) = held_out::split(found.clips, config.held_out, config.seed);
    println!("about {} steps a pass over the data", (train.len() / config.batch).max(1));
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use cola::train::bytes::Bytes;
    use cola::train::config::Recipe;

    #[derive(Parser)]
    struct Only {
        #[command(flatten)]
        args: Args,
    }

    /// Every option sets a key that exists, of the right kind.
    #[test]
    fn options_are_keys_of_the_configuration() {
        let line = "cola data --out run --init weights --recipe paper --batch 4 --minutes 0.5 --lr 1e-2 --warmup 3 --schedule constant \
                    --optimizer adamw --weight-decay 0.1 --clip 1 --similarity cosine --temperature 0.1 --pooling mean \
                    --input-norm none --stochastic-depth 0.1 --zero-init-residual false --precision mixed --seed 9 --held-out 0.1 \
                    --checkpoint-every 7 --cache 1MB --workers 3 --adapter 0 --tier portable --memory-budget 2GB --no-tune --strict \
                    --chunk 2 --learn-temperature true --augment noise --mixup 0.2 --resize-crop true --mask true --features stages";
        let codes = "cola data --out run --method nextcode --patch-frames 8 --patch-bands 8 --bottleneck 32 --codes 16 --codes-steps 9 \
                     --codes-batch 99 --context 192 --layers 2 --width 64 --heads 2 --positions learned --dropout 0.1";
        let codes = Only::parse_from(codes.split_whitespace()).args.config().unwrap();
        let config = Only::parse_from(line.split_whitespace()).args.config().unwrap();
        assert_eq!((config.batch, config.minutes, config.epochs, config.strict), (4, 0.5, 0, true));
        assert_eq!((config.cache, config.memory_budget), (Bytes(1_000_000), Bytes(2_000_000_000)));
        let [config, codes, default] =
            [config, codes, TrainConfig::of(Recipe::Standard)].map(|config| toml::Table::try_from(config).unwrap());
        let is_same = |key: &&String| {
            config[key.as_str()] == default[key.as_str()] && codes[key.as_str()] == default[key.as_str()]
        };
        let same: Vec<_> = default.keys().filter(is_same).collect();
        assert_eq!(same, ["encoder", "frozen_stages", "steps", "symmetric"], "not set by the lines above");
        let line = "cola data --out run --layers 2";
        let error = Only::parse_from(line.split_whitespace()).args.config().unwrap_err().to_string();
        assert!(error.contains("--layers is for --method nextcode"), "{error}");
        // A VGG has no stochastic depth.
        let line = "cola data --out run --encoder vgg --frozen-stages 4";
        let config = Only::parse_from(line.split_whitespace()).args.config().unwrap();
        assert_eq!((config.encoder.name(), config.frozen_stages), ("vgg", 4));
        // Two that exclude each other.
        for (line, method) in [("--symmetric true", Method::Cola), ("--method simclr", Method::Simclr)] {
            let line = format!("cola data --out run {line}");
            let config = Only::parse_from(line.split_whitespace()).args.config().unwrap();
            assert_eq!((config.method, config.symmetric), (method, method == Method::Cola));
        }
    }
}
