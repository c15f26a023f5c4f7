//! The command line: one file a sub-command.
//!
//! Results go to standard output, everything else to standard error. An error is one line and exit code 1.

mod augment;
mod bench;
mod compare;
mod counter;
mod data;
mod device;
mod doctor;
mod embed;
mod explain;
mod export;
mod forecast;
mod hear;
mod import;
mod map;
mod mel;
mod pretrain;
mod probe;
mod report;
mod run;
mod sample;
mod sweep;
mod synth;
mod transfer;
mod watch;

use clap::{ArgAction, Parser, Subcommand};
use std::io::IsTerminal;
use std::process::ExitCode;

/// Exit code of a command that Ctrl-C ended, as shells have it.
const INTERRUPTED: u8 = 130;

const EXAMPLES: &str = "\
Examples:
  cola doctor                                   what this machine can do
  cola data                                     the published data sets that it can read
  cola pretrain recordings/ --out run           learn from a folder of audio
  cola probe run labelled/                      how good it is on labelled clips
  cola transfer run labelled/ --mode finetune   the encoder trained further on them
  cola embed run recordings/ --out vectors.npy  a vector for every file
  cola map run recordings/                      a page to look at and listen to them
  cola report run                               everything on one page";

/// Contrastive audio pre-training (COLA) on any GPU, or without one.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES, arg_required_else_help = true, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    /// More detail on standard error; twice for the driver's words too
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
}

#[derive(Subcommand)]
enum Command {
    Doctor(doctor::Args),
    Pretrain(Box<pretrain::Args>),
    Probe(probe::Args),
    Transfer(Box<transfer::Args>),
    Compare(Box<compare::Args>),
    Sweep(Box<sweep::Args>),
    Embed(embed::Args),
    Explain(explain::Args),
    Export(export::Args),
    Hear(hear::Args),
    Import(import::Args),
    Map(map::Args),
    Mel(mel::Args),
    Augment(augment::Args),
    Report(report::Args),
    Sample(sample::Args),
    Synth(synth::Args),
    Data(data::Args),
    Bench(bench::Args),
    Watch(watch::Args),
}

/// Parses the command line and runs it.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    log_to_stderr(cli.verbose);
    // A failure of the device unwinds out of the op that met it and becomes an error here.
    let result = cola::gpu::catch(|| cola::trace::start().map_err(Into::into).and_then(|()| run(cli.command)));
    // The last kernels are fetched from the device, which may fail, too.
    let traced = cola::gpu::catch(cola::trace::finish);
    let result = result.map_err(anyhow::Error::from).and_then(|result| result);
    match result.and_then(|code| traced.map(|()| code).map_err(anyhow::Error::from)) {
        Ok(code) => code,
        Err(error) => {
            // Drivers answer in several lines; whoever reads a log wants one, and no cause that was already told.
            let text = error
                .chain()
                .map(ToString::to_string)
                .reduce(|text, cause| if text.contains(&cause) { text } else { format!("{text}: {cause}") });
            let text = text.unwrap_or_default();
            eprintln!("error: {}", text.split_whitespace().collect::<Vec<_>>().join(" "));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Doctor(args) => args.run(),
        Command::Pretrain(args) => args.run(),
        Command::Probe(args) => args.run(),
        Command::Transfer(args) => args.run(),
        Command::Compare(args) => args.run(),
        Command::Sweep(args) => args.run(),
        Command::Embed(args) => args.run(),
        Command::Explain(args) => args.run(),
        Command::Export(args) => args.run(),
        Command::Hear(args) => args.run(),
        Command::Import(args) => args.run(),
        Command::Map(args) => args.run(),
        Command::Mel(args) => args.run(),
        Command::Augment(args) => args.run(),
        Command::Report(args) => args.run(),
        Command::Sample(args) => args.run(),
        Command::Synth(args) => args.run(),
        Command::Data(args) => args.run(),
        Command::Bench(args) => args.run(),
        Command::Watch(args) => args.run(),
    }
}

fn log_to_stderr(verbose: u8) {
    let level = match verbose {
        0 => "cola=warn,error",
        1 => "cola=debug,error",
        _ => "debug",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| level.into());
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).init();
}
