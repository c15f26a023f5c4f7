//! Runs and modes beside each other on several tasks, and beside the paper.

use super::Mode;
use super::page::protocol_in_words;
use super::paper::same_task;
use super::record::TransferRecord;
use crate::eval::report::{Report, Table};
use crate::train::config::Method;

/// A column: a run and a mode.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// What the run is called.
    pub run: String,
    /// How its encoder was used.
    pub mode: Mode,
    /// What the run learned without labels, in the comparison of Verma and Smith (2020); `None` outside of it.
    pub method: Option<Method>,
}

impl Column {
    fn header(&self) -> String {
        match self.method {
            None => format!("{} {}", self.run, self.mode),
            Some(_) if self.mode == Mode::Scratch => format!("supervised ({})", self.run),
            Some(method) => format!("{} ({})", method.name(), self.run),
        }
    }

    /// The figure of Verma and Smith (2020, arXiv 2010.11459), as a slide of a lecture of theirs has it.
    fn of_authors(&self) -> Option<f64> {
        match (self.method?, self.mode) {
            (_, Mode::Scratch) => Some(0.713),
            (Method::Simclr, Mode::Frozen) => Some(0.556),
            (Method::Nextcode, Mode::Frozen) => Some(0.601),
            _ => None,
        }
    }
}

/// Results as a table.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// The columns.
    pub columns: Vec<Column>,
    /// A row a task, a result a column.
    pub rows: Vec<Vec<TransferRecord>>,
    /// What the runs are, a sentence each.
    pub about_runs: Vec<String>,
}

impl Comparison {
    /// Whether this is the comparison of Verma and Smith (2020).
    fn is_framework(&self) -> bool {
        self.columns.iter().any(|column| column.method.is_some())
    }

    /// Modes in the columns, each once.
    fn modes(&self) -> Vec<Mode> {
        let mut modes: Vec<Mode> = self.columns.iter().map(|column| column.mode).collect();
        modes.sort_unstable();
        modes.dedup();
        modes
    }

    /// Modes for which the paper has a figure on one of the tasks.
    fn modes_of_paper(&self) -> Vec<Mode> {
        let known = self.rows.iter().filter_map(|row| row.first()).any(|r| same_task(&r.task, &r.labels).is_some());
        if known { self.modes() } else { Vec::new() }
    }

    /// Names of the columns: the task, what is measured, ours, the paper's.
    pub fn header(&self) -> Vec<String> {
        let ours = self.columns.iter().map(Column::header);
        let papers = self.modes_of_paper().into_iter().map(|mode| format!("paper {mode}"));
        ["Task".to_string(), "Measure".to_string(), "Chance".to_string()]
            .into_iter()
            .chain(ours)
            .chain(papers)
            .collect()
    }

    /// A row a task, in percent, and the averages; with several seeds the standard deviation follows.
    pub fn table(&self) -> Vec<Vec<String>> {
        let papers = self.modes_of_paper();
        let percent = |x: f64| format!("{:.1}", 100.0 * x);
        let row = |records: &Vec<TransferRecord>| {
            let Some(first) = records.first() else { return Vec::new() };
            let chance = first.confusion.as_ref().map_or("-".into(), |_| percent(1.0 / first.labels.len() as f64));
            let known = same_task(&first.task, &first.labels);
            let paper = |mode: &Mode| known.map_or("-".into(), |task| percent(task.accuracy(*mode)));
            let name = known.map_or(first.task.clone(), |task| format!("{} ({})", first.task, task.name));
            let scores = records.iter().map(TransferRecord::score_text);
            [name, first.metric.clone(), chance].into_iter().chain(scores).chain(papers.iter().map(paper)).collect()
        };
        let mut table: Vec<Vec<String>> = self.rows.iter().map(row).collect();
        if self.rows.len() > 1 {
            let mean = |values: Vec<f64>| percent(values.iter().sum::<f64>() / values.len() as f64);
            let ours = (0..self.columns.len()).map(|c| mean(self.rows.iter().map(|row| row[c].mean).collect()));
            let firsts = || self.rows.iter().filter_map(|row| row.first());
            let paper = |mode: &Mode| {
                let known: Vec<f64> =
                    firsts().filter_map(|r| same_task(&r.task, &r.labels)).map(|task| task.accuracy(*mode)).collect();
                let of = if known.len() < self.rows.len() { format!(" (of {})", known.len()) } else { String::new() };
                mean(known) + &of
            };
            let head = ["Average".to_string(), String::new(), String::new()];
            table.push(head.into_iter().chain(ours).chain(papers.iter().map(paper)).collect());
        }
        if self.is_framework() {
            let head = ["Verma and Smith, other data".to_string(), "accuracy".into(), "-".into()];
            let theirs = self.columns.iter().map(|column| column.of_authors().map_or("-".into(), percent));
            table.push(head.into_iter().chain(theirs).chain(papers.iter().map(|_| "-".into())).collect());
        }
        table
    }

    /// What a reader has to know before comparing, a sentence or two each.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = self.about_runs.clone();
        let records = || self.rows.iter().flatten();
        for mode in self.modes() {
            let mut protocols: Vec<String> = records().filter(|r| r.mode == mode).map(protocol_in_words).collect();
            protocols.dedup();
            notes.extend(protocols.iter().map(|text| format!("{mode}: {text}")));
        }
        if records().any(|r| r.seeds.len() > 1) {
            notes.push(
                "± is the standard deviation over seeds of the training on the task; what another pre-training would \
                 give is not in it."
                    .into(),
            );
        }
        if records().any(|r| r.confusion.is_none()) {
            notes
                .push("An average over accuracies and mean average precisions says little; compare row by row.".into());
        }
        if self.is_framework() {
            notes.push(
                "The last row is what Verma and Smith (2020, arXiv 2010.11459) have for a VGG-style network trained with \
                 labels, SimCLR and a next-code transformer, both with a linear layer. It was measured on other data, \
                 which we could not find named, and is here for its order only."
                    .into(),
            );
        }
        if self.modes_of_paper().is_empty() {
            return notes;
        }
        notes.push(
            "The paper: one run a cell, pre-trained on 2 million clips of AudioSet with batches of 1024, Adam 1e-3 and \
             batches of 64 on the task, no validation; it gives no number of epochs (its public code: 100)."
                .into(),
        );
        notes.push(
            "Segments here are 0.98 s (96 frames) throughout; the public code trains on 1.000 s and tests on 0.98 s."
                .into(),
        );
        notes.push(
            "The rest of a test clip counts here from half a segment on, or where it is all there is; the public code \
             pads every rest, so that a clip of 1.000 s has a second segment of 20 ms that counts as much as the first."
                .into(),
        );
        if self.modes().iter().any(|mode| mode.is_frozen()) {
            notes.push(
                "Frozen vectors here are those of all segments, standardised, without stochastic depth; the public code \
                 draws one crop a clip and epoch, does not standardise, and leaves stochastic depth on."
                    .into(),
            );
        }
        if self.modes().contains(&Mode::Random) {
            notes.push(
                "The paper's untrained encoder sees log-mel / 255 through batch norms that have seen nothing, which gives \
                 almost constant vectors: its figures are no measure of what random features can do."
                    .into(),
            );
        }
        notes.push("The paper's splits of LibriSpeech, MUSAN, TUT and the bird clips are not published.".into());
        notes
    }

    /// The table and the notes as Markdown.
    pub fn to_markdown(&self) -> String {
        let line = |cells: &[String]| format!("|{}|\n", cells.join("|").replace('\n', " "));
        let header = self.header();
        let rule: Vec<String> = header.iter().map(|_| "---".into()).collect();
        let rows: String = self.table().iter().map(|row| line(row)).collect();
        let notes: String = self.notes().iter().map(|note| format!("* {note}\n")).collect();
        format!("{}{}{rows}\n{notes}", line(&header), line(&rule))
    }

    /// The page.
    pub fn to_report(&self) -> Report {
        let table = Table {
            title: "Test scores in percent".into(),
            note: "With ± the standard deviation over seeds.".into(),
            header: self.header(),
            rows: self.table(),
        };
        let notes = Table {
            title: "What to know before comparing".into(),
            note: String::new(),
            header: vec!["Notes".into()],
            rows: self.notes().into_iter().map(|note| vec![note]).collect(),
        };
        let intro = format!("{} runs and modes on {} tasks.", self.columns.len(), self.rows.len());
        Report { title: "Transfer".into(), intro: Some(intro), tables: vec![table, notes], ..Report::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::FitConfig;
    use super::super::record::{Protocol, SeedResult};
    use super::*;
    use crate::eval::metrics::Confusion;

    fn record(task: &str, labels: &[&str], mode: Mode, mean: f64, std: Option<f64>) -> TransferRecord {
        let labels: Vec<String> = labels.iter().map(|l| l.to_string()).collect();
        let seed = SeedResult {
            seed: 0,
            score: mean,
            balanced_accuracy: Some(mean),
            validation: None,
            epochs: 100,
            best_epoch: 100,
        };
        TransferRecord {
            task: task.into(),
            mode,
            metric: "accuracy".into(),
            mean,
            std,
            interval: [0.0, 1.0],
            seeds: vec![seed.clone(), seed],
            confusion: Some(Confusion::new(labels.clone(), [(0, 0)])),
            labels,
            clips: [4, 0, 1],
            protocol: Protocol {
                weights: "0".into(),
                encoder: String::new(),
                network: None,
                data: "1".into(),
                fit: FitConfig::default(),
                seeds: 2,
                valid_fraction: None,
            },
            seconds: 1.0,
            adapter: "none".into(),
            average_precisions: None,
        }
    }

    #[test]
    fn the_table_has_the_papers_figures_where_the_task_is_the_same() {
        let column = |mode| Column { run: "run".into(), mode, method: None };
        let row = |task: &str, labels: &[&str]| {
            vec![record(task, labels, Mode::Frozen, 0.5, Some(0.01)), record(task, labels, Mode::Random, 0.25, None)]
        };
        let comparison = Comparison {
            columns: vec![column(Mode::Frozen), column(Mode::Random)],
            rows: vec![row("musan", &["music", "noise", "speech"]), row("mine", &["a", "b"])],
            about_runs: vec!["run: nothing.".into()],
        };
        let text = comparison.to_markdown();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "|Task|Measure|Chance|run frozen|run random|paper frozen|paper random|");
        assert_eq!(lines[2], "|musan (Music, Speech and Noise)|accuracy|33.3|50.0 ± 1.0|25.0|99.1|56.8|");
        assert_eq!(lines[3], "|mine|accuracy|50.0|50.0 ± 1.0|25.0|-|-|");
        assert_eq!(lines[4], "|Average|||50.0|25.0|99.1 (of 1)|56.8 (of 1)|");
        assert!(text.contains("* run: nothing.") && text.contains("log-mel / 255"), "{text}");
        assert!(comparison.to_report().to_html().contains("<td>99.1</td>"));

        let mine = Comparison { rows: vec![row("mine", &["a", "b"])], ..comparison };
        assert!(!mine.to_markdown().contains("paper"), "nothing of the paper where no task is the paper's");
    }

    #[test]
    fn the_framework_has_the_authors_figures_below() {
        let column = |run: &str, mode, method| Column { run: run.into(), mode, method: Some(method) };
        let comparison = Comparison {
            columns: vec![
                column("a", Mode::Scratch, Method::Cola),
                column("a", Mode::Frozen, Method::Cola),
                column("b", Mode::Frozen, Method::Simclr),
                column("c", Mode::Frozen, Method::Nextcode),
            ],
            rows: vec![vec![record("mine", &["a", "b"], Mode::Frozen, 0.5, None); 4]],
            about_runs: Vec::new(),
        };
        let text = comparison.to_markdown();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "|Task|Measure|Chance|supervised (a)|cola (a)|simclr (b)|nextcode (c)|");
        assert_eq!(lines[3], "|Verma and Smith, other data|accuracy|-|71.3|-|55.6|60.1|");
        assert!(text.contains("measured on other data"), "{text}");
    }
}
