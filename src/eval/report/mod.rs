//! `report.html`: what a run learnt, on one page that needs no network and no other file.

mod sections;
mod verdict;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::html::escape;
use super::metrics::{Confusion, ProbeScore};
use super::plot::ScatterPlot;
use super::retrieval::NeighbourScore;
use crate::train::codes::CodesReport;
use crate::train::config::Method;
use crate::train::metrics::StepMetrics;

pub use verdict::verdict;

/// The parts of a report; what is missing or empty is left out of the page.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Page title.
    pub title: String,
    /// A sentence or two on what was done: the data, the recipe.
    pub intro: Option<String>,
    /// Curves of the run.
    pub training: Option<Training>,
    /// What the codes of the next-code method are worth.
    pub codes: Option<CodesReport>,
    /// Scores of all representations on all tasks.
    pub probes: Vec<ProbeScore>,
    /// What nearest neighbours say about the same representations.
    pub neighbour_scores: Vec<NeighbourScore>,
    /// (heading, what to know, SVG) of plots that are not about one run.
    pub figures: Vec<(String, String, String)>,
    /// Tables that are not about one run's probes.
    pub tables: Vec<Table>,
    /// (title, matrix).
    pub confusions: Vec<(String, Confusion)>,
    /// A map of embeddings coloured by label.
    pub map: Option<ScatterPlot>,
    /// What stands close to a few clips.
    pub neighbours: Vec<NeighbourRow>,
    /// Log-mel pictures.
    pub clips: Vec<ClipPicture>,
    /// The run's `config.toml` as text.
    pub config_toml: Option<String>,
    /// (what, value): adapter, driver, versions, date.
    pub environment: Vec<(String, String)>,
}

/// A run's curves.
#[derive(Clone, Debug)]
pub struct Training {
    /// Every step.
    pub steps: Vec<StepMetrics>,
    /// Clips in a batch.
    pub batch: usize,
    /// What is learned, which the words follow.
    pub method: Method,
    /// Among how many segments each looks for its other half, or how many codes there are.
    pub candidates: usize,
}

/// A table of texts under a heading.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Heading.
    pub title: String,
    /// What a reader has to know about it.
    pub note: String,
    /// Names of the columns.
    pub header: Vec<String>,
    /// Rows of as many texts.
    pub rows: Vec<Vec<String>>,
}

/// A file and those most similar to it, best first, with their cosine similarity.
#[derive(Clone, Debug)]
pub struct NeighbourRow {
    /// The clip asked about.
    pub name: String,
    /// Nearest clips and their cosine similarity, best first.
    pub nearest: Vec<(String, f32)>,
}

/// The log-mel of a clip.
#[derive(Clone, Debug)]
pub struct ClipPicture {
    /// The clip.
    pub name: String,
    /// Length of what the picture shows.
    pub seconds: f64,
    /// A PNG file, as [`super::heatmap::heatmap_png`] makes it.
    pub png: Vec<u8>,
}

impl Report {
    /// The page: HTML with style and pictures inside.
    pub fn to_html(&self) -> String {
        let title = escape(&self.title);
        let body = [
            self.head(),
            self.training_section(),
            self.codes_section(),
            self.probe_section(),
            self.retrieval_section(),
            self.figure_sections(),
            self.table_sections(),
            self.confusion_section(),
            self.map_section(),
            self.neighbour_section(),
            self.clip_section(),
            self.config_section(),
            self.environment_section(),
        ]
        .concat();
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
             <style>\n{}</style>\n</head>\n<body>\n<main>\n{body}</main>\n\
             <footer>cola-wgpu {}</footer>\n</body>\n</html>\n",
            include_str!("style.css"),
            env!("CARGO_PKG_VERSION"),
        )
    }

    /// What stands at the top of the page as plain text: what was done, how training went, and the [`verdict`].
    pub fn summary(&self) -> String {
        let text = format!("{} {}", self.what_was_done(), verdict(&self.probes));
        text.trim().to_owned()
    }

    fn what_was_done(&self) -> String {
        let training = self.training.as_ref().and_then(Training::in_words);
        let parts = self.intro.clone().into_iter().chain(training);
        parts.collect::<Vec<_>>().join(" ")
    }
}

impl Training {
    /// Steps that a figure at the start or the end is averaged over, since single ones are noisy.
    fn window(&self) -> usize {
        (self.steps.len() / 20).clamp(1, 50).min(self.steps.len())
    }

    fn at_start(&self, value: impl Fn(&StepMetrics) -> f32) -> f64 {
        mean(self.steps[..self.window()].iter().map(value))
    }

    fn at_end(&self, value: impl Fn(&StepMetrics) -> f32) -> f64 {
        mean(self.steps[self.steps.len() - self.window()..].iter().map(value))
    }

    /// Segments through the encoder: an anchor and a positive a clip.
    fn segments(&self) -> u64 {
        let steps = self.steps.last().map_or(0, |record| record.step);
        2 * steps * self.batch as u64
    }

    fn in_words(&self) -> Option<String> {
        let last = self.steps.last()?;
        Some(format!(
            "In {} steps of {} clips the loss went from {:.2} to {:.2}, and the share of {}, among {}, from {} to {} \
             (chance {}).",
            grouped(last.step),
            self.batch,
            self.at_start(|record| record.loss),
            self.at_end(|record| record.loss),
            self.right_choices(),
            self.candidates,
            percent(self.at_start(|record| record.accuracy)),
            percent(self.at_end(|record| record.accuracy)),
            percent(1.0 / self.candidates as f64),
        ))
    }

    /// What the accuracy is a share of.
    fn right_choices(&self) -> &'static str {
        match self.method {
            Method::Cola | Method::Simclr => "segments that find their other half",
            Method::Nextcode => "codes that are foretold",
        }
    }

    /// Of the curve.
    fn loss_title(&self) -> &'static str {
        match self.method {
            Method::Cola | Method::Simclr => "Contrastive loss",
            Method::Nextcode => "Loss of the next code",
        }
    }

    fn accuracy_name(&self) -> &'static str {
        match self.method {
            Method::Cola | Method::Simclr => "in-batch accuracy",
            Method::Nextcode => "accuracy of the next code",
        }
    }
}

fn mean(values: impl Iterator<Item = f32>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), x| (sum + f64::from(x), count + 1.0));
    sum / count
}

/// `0.634` as `63.4%`.
fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A PNG file as the address of a picture that is part of the page.
fn png_address(png: &[u8]) -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(png))
}

#[cfg(test)]
mod tests;
