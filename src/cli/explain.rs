//! `cola explain`: from an equation to the line that computes it.

use anyhow::{Result, bail};
use cola::explain::{TOPICS, find};
use std::process::ExitCode;

/// Find where an equation of the papers is computed: op, kernel, gradient and test, with file and line
///
/// Without a topic all are listed. Lines are those of the sources that this program was built from.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  cola explain\n  cola explain similarity\n  cola explain batch-norm attention")]
pub struct Args {
    /// What to explain
    topics: Vec<String>,
}

impl Args {
    pub fn run(self) -> Result<ExitCode> {
        if self.topics.is_empty() {
            TOPICS.iter().for_each(|topic| println!("{:<18}{}", topic.name, topic.title));
            return Ok(ExitCode::SUCCESS);
        }
        let mut texts = Vec::new();
        for name in &self.topics {
            let Some(topic) = find(name) else { bail!("no topic is called '{name}'; cola explain lists them all") };
            texts.push(topic.in_words());
        }
        print!("{}", texts.join("\n"));
        Ok(ExitCode::SUCCESS)
    }
}
