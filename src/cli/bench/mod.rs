//! `cola bench`: how fast this machine is.

mod input;
mod kernels;
mod scaling;
mod step;

use anyhow::Result;
use std::process::ExitCode;

/// Measure the speed of training steps, of kernels and of the data path
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  cola bench step --batch 32\n  cola bench step --batch 32 --forward\n  cola bench scaling --out results\n  cola bench kernels depthwise\n  cola bench input recordings/"
)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    Step(step::Args),
    Scaling(scaling::Args),
    Kernels(kernels::Args),
    Input(input::Args),
}

impl Args {
    pub fn run(self) -> Result<ExitCode> {
        match self.what {
            What::Step(args) => args.run(),
            What::Scaling(args) => args.run(),
            What::Kernels(args) => args.run(),
            What::Input(args) => args.run(),
        }
    }
}
