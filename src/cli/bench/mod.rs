//! `cola bench`: how fast this machine is.

mod adapters;
mod input;
mod kernels;
mod ladders;
mod scaling;
mod step;

use anyhow::Result;
use std::process::ExitCode;

/// Measure the speed of training steps, of kernels and of the data path
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  cola bench step --batch 32\n  cola bench step --batch 32 --forward\n  cola bench scaling --out results\n  cola bench kernels depthwise\n  cola bench ladders\n  cola bench input recordings/\n  cola bench adapters"
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
    Ladders(ladders::Args),
    Input(input::Args),
    Adapters(adapters::Args),
}

impl Args {
    pub fn run(self) -> Result<ExitCode> {
        match self.what {
            What::Step(args) => args.run(),
            What::Scaling(args) => args.run(),
            What::Kernels(args) => args.run(),
            What::Ladders(args) => args.run(),
            What::Input(args) => args.run(),
            What::Adapters(args) => args.run(),
        }
    }
}
