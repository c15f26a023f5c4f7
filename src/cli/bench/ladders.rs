//! `cola bench ladders`.

use crate::cli::device::DeviceArgs;
use anyhow::{Result, ensure};
use cola::bench::ladders::{Ladder, RungTime, TOLERANCE, all};
use cola::bench::peaks::Peaks;
use cola::gpu::catch;
use std::process::ExitCode;

/// Climb from a plain kernel to what the engine runs, rung by rung, and see what each change is worth here
///
/// Every rung is checked against f64 before it is timed; the fastest of its runs within a third of a second counts. `roof%`
/// is the least time that the task can take, by its bytes or its arithmetic, over the time it took. The rungs are the
/// files of shaders/ladder, each with a header that says what it changes.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  cola bench ladders\n  cola bench ladders matrix\n  cola bench ladders sum --tier portable"
)]
pub struct Args {
    /// Only ladders whose name contains this
    #[arg(default_value = "")]
    filter: String,

    #[command(flatten)]
    device: DeviceArgs,
}

impl Args {
    pub fn run(self) -> Result<ExitCode> {
        let gpu = self.device.open()?;
        let caps = gpu.caps();
        println!("{} ({}), {} kernels", caps.adapter, caps.driver, caps.tier);
        let (mut climbed, mut wrong) = (0, 0);
        catch(|| {
            let peaks = Peaks::measure(&gpu);
            for ladder in all(&gpu).iter().filter(|ladder| ladder.name.contains(&self.filter)) {
                let times = ladder.climb(&gpu);
                climbed += 1;
                wrong += times.iter().filter(|time| time.error.is_nan() || time.error > TOLERANCE).count();
                print(ladder, &times, &peaks);
            }
        })?;
        ensure!(climbed > 0, "no ladder is named '{}'; without a filter all are climbed", self.filter);
        ensure!(
            wrong == 0,
            "{wrong} rungs have wrong results on this adapter; cola doctor tests its kernels one by one"
        );
        Ok(ExitCode::SUCCESS)
    }
}

fn print(ladder: &Ladder, times: &[RungTime], peaks: &Peaks) {
    println!("\n{}\n{:>10} {:>8} {:>8} {:>6} {:>7}", ladder.name, "ms", "GB/s", "GFLOP/s", "roof%", "times");
    for (rung, RungTime { ms, error }) in ladder.rungs.iter().zip(times) {
        let rate = |amount: u64| amount as f64 / ms / 1e6;
        let (roof, times) = (100.0 * ladder.floor_ms(peaks) / ms, times[0].ms / ms);
        let wrong = if *error <= TOLERANCE { String::new() } else { format!("  WRONG by {error:.1e}") };
        println!(
            "{ms:>10.3} {:>8.2} {:>8.1} {roof:>6.1} {times:>6.1}x  {:<26} {}{wrong}",
            rate(ladder.bytes),
            rate(ladder.flops),
            rung.name,
            rung.why
        );
    }
}
