//! `cola bench kernels`.

use crate::cli::device::DeviceArgs;
use anyhow::{Context, Result, ensure};
use cola::bench::kernel_page::{CSV_HEADER, change_lines, csv_rows, heading, lines, page};
use cola::bench::kernels::{KernelBench, KernelReport, changes};
use cola::bench::peaks::Peaks;
use cola::eval::npy::write_csv;
use cola::gpu::{Tier, catch};
use cola::train::atomic::write_atomic;
use cola::train::environment::Environment;
use cola::train::progress::bar;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Check and time every op of the networks on their own shapes, forward and backward, kernel by kernel
///
/// A case is checked before it is timed: its results on two segments against those of the portable kernels under
/// run-time checks (the kernel tests compare those with f64 references), as they are compiled in: with SHADERS_DIR=shaders
/// set, edited kernels are timed and checked against what they were. Then it runs warm, as the run before left the
/// caches, and cold, after 256 MB of other memory went through them.
///
/// A kernel's roof is the least time that its work can take here, the longer of its bytes over the bandwidth and its
/// arithmetic over the multiply-add peak, both measured before and after; `roof%` is that over its time, and beyond 100
/// where data stayed in a cache. Bytes are those of every tensor that it reads, and of every
/// one that it writes, each once a dispatch: which ones those are is found in its code, branches that are never taken left out.
///
/// Exit code 1 if a result is wrong.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cola bench kernels attention
  cola bench kernels depthwise --tiers
  cola bench kernels --json before.json
  cola bench kernels --compare before.json
  cola bench kernels --html kernels.html --csv kernels.csv")]
pub struct Args {
    /// Only cases whose name contains this
    #[arg(default_value = "")]
    filter: String,

    /// Segments in the batch
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    segments: u16,

    /// Runs of each case, after one that is not timed; the median counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    repeats: u16,

    /// Every tier of kernels that the adapter has, one after the other, and their times side by side
    #[arg(long, conflicts_with_all = ["json", "csv", "html", "compare", "tier"])]
    tiers: bool,

    /// Choose the knobs of these kernels by timing first, and keep them for every later start on this adapter; results
    /// are the same bit for bit
    #[arg(long, conflicts_with = "no_tune")]
    tune: bool,

    /// Write all numbers as one JSON object
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Write a row a case and kernel
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,

    /// Write a page with the roofline and all kernels
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// What --json wrote before: tell which cases became slower, those first
    #[arg(long, value_name = "OLD.json")]
    compare: Option<PathBuf>,

    #[command(flatten)]
    device: DeviceArgs,
}

impl Args {
    pub fn run(self) -> Result<ExitCode> {
        let before = self.compare.as_deref().map(read).transpose()?;
        let tiers = if self.tiers { self.all_tiers()? } else { vec![self.device.tier] };
        let reports = tiers.into_iter().map(|tier| self.measure(tier)).collect::<Result<Vec<_>>>()?;
        let report = &reports[0];
        if self.tiers {
            side_by_side(&reports);
        }
        if let Some(path) = &self.json {
            write_atomic(path, |file| Ok(serde_json::to_writer_pretty(file, report)?))?;
        }
        if let Some(path) = &self.csv {
            write_csv(path, &CSV_HEADER, csv_rows(report))?;
        }
        if let Some(path) = &self.html {
            let html = page(report).to_html();
            write_atomic(path, |file| file.write_all(html.as_bytes()))?;
        }
        for path in [&self.json, &self.csv, &self.html].into_iter().flatten() {
            println!("wrote {}", path.display());
        }
        if let Some(before) = &before {
            tell_changes(before, report)?;
        }
        let wrong = reports.iter().flat_map(|report| &report.cases).filter(|case| !case.is_right()).count();
        ensure!(
            wrong == 0,
            "{wrong} cases have wrong results on this adapter; cola doctor tests its kernels one by one"
        );
        Ok(ExitCode::SUCCESS)
    }

    /// The tier that suits the adapter first.
    fn all_tiers(&self) -> Result<Vec<Option<Tier>>> {
        let caps = self.device.open()?.caps().clone();
        let mut tiers = vec![caps.tier];
        tiers.extend(Tier::on(&caps).into_iter().filter(|tier| *tier != caps.tier));
        Ok(tiers.into_iter().map(Some).collect())
    }

    fn measure(&self, tier: Option<Tier>) -> Result<KernelReport> {
        let device = DeviceArgs { tier, ..self.device.clone() };
        let gpu = device.open()?;
        let checker = self.device.open_checker()?;
        let environment = Environment::here(&gpu);
        println!(
            "{} ({}), {} kernels, {} segments",
            environment.adapter, environment.driver, environment.tier, self.segments
        );
        let (segments, repeats) = (usize::from(self.segments), usize::from(self.repeats));
        let (cases, peaks) = catch(|| {
            let bench = KernelBench::new(&gpu, &checker, segments, repeats);
            if self.tune {
                let progress = bar("shapes tuned", 0);
                let tuned = bench.tune(&self.filter, &mut |done, total| {
                    progress.set_length(total as u64);
                    progress.set_position(done as u64);
                });
                progress.finish_and_clear();
                println!(
                    "{} shapes tuned, {} of them changed; known ones are not timed again",
                    tuned.timed, tuned.changed
                );
            }
            let peaks = Peaks::measure(&gpu);
            println!("{}", heading());
            let cases: Vec<_> = bench.measure(&self.filter).inspect(|case| print!("{}", lines(case, &peaks))).collect();
            (cases, peaks.or_higher(Peaks::measure(&gpu)))
        })?;
        ensure!(!cases.is_empty(), "no case is named '{}'; without a filter all are listed", self.filter);
        println!(
            "roof: copy {:.1} GB/s, multiply-add {:.0} GFLOP/s, the higher of before and after",
            peaks.bandwidth_gb_per_s, peaks.fma_gflop_per_s
        );
        Ok(KernelReport { environment, peaks, segments, repeats, cases })
    }
}

fn read(path: &Path) -> Result<KernelReport> {
    let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let hint = || format!("{}: not what --json of cola bench kernels writes", path.display());
    serde_json::from_slice(&text).with_context(hint)
}

fn tell_changes(before: &KernelReport, now: &KernelReport) -> Result<()> {
    let place = |report: &KernelReport| {
        let Environment { adapter, driver, tier, .. } = &report.environment;
        format!("{adapter} ({driver}), {tier} kernels, {} segments", report.segments)
    };
    if place(before) != place(now) {
        println!("\nnot alike: before {}, now {}", place(before), place(now));
    }
    let changes = changes(before, now);
    ensure!(!changes.is_empty(), "the two have no case in common");
    print!("\n{}", change_lines(&changes));
    Ok(())
}

fn side_by_side(reports: &[KernelReport]) {
    let tiers: String = reports.iter().map(|report| format!("{:>14}", report.environment.tier)).collect();
    println!("\n{:<70} {tiers}", "ms, forward and backward");
    for (i, case) in reports[0].cases.iter().enumerate() {
        let times: String = reports.iter().map(|report| format!("{:>14.3}", report.cases[i].warm.median_ms)).collect();
        println!("{:<70} {times}", case.name);
    }
}
