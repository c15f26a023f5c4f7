//! `cola bench kernels`.

use crate::cli::device::DeviceArgs;
use anyhow::{Context, Result, ensure};
use cola::bench::kernels::{measure, table};
use cola::gpu::catch;
use std::process::ExitCode;

/// Time every op of the network on its own shapes, forward and backward, kernel by kernel
#[derive(clap::Args)]
pub struct Args {
    /// Only cases whose name contains this
    #[arg(default_value = "")]
    filter: String,

    /// Segments in the batch
    #[arg(long, default_value_t = 64)]
    segments: usize,

    /// Runs of each case, after one that is not timed; the median counts
    #[arg(long, default_value_t = 5)]
    repeats: usize,

    /// Print one JSON object a case
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    device: DeviceArgs,
}

impl Args {
    pub fn run(self) -> Result<ExitCode> {
        ensure!(self.segments > 0 && self.repeats > 0, "--segments and --repeats must be at least 1");
        let gpu = self.device.open()?;
        if !self.json {
            println!("{} ({}), {} segments", gpu.caps().adapter, gpu.caps().driver, self.segments);
        }
        let mut cases = 0;
        catch(|| {
            for case in measure(&gpu, self.segments, &self.filter, self.repeats) {
                cases += 1;
                if self.json {
                    println!("{}", serde_json::to_string(&case).context("a case as JSON")?);
                } else {
                    print!("{}", table(&case));
                }
            }
            anyhow::Ok(())
        })??;
        ensure!(cases > 0, "no case is named '{}'; without a filter all are listed", self.filter);
        Ok(ExitCode::SUCCESS)
    }
}
