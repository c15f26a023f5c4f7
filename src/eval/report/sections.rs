//! The parts of the page, each an HTML text that is empty when the report has nothing to say there.

use super::verdict::{by_task, verdict};
use super::{ClipPicture, NeighbourRow, Report, Table, Training, escape, grouped, percent, png_address};
use crate::eval::metrics::ProbeScore;
use crate::eval::plot::{BarChart, CurvePlot, confusion_svg, is_smoothed};
use crate::eval::retrieval::{K, NeighbourScore};

impl Report {
    pub(super) fn head(&self) -> String {
        let paragraph = |class: &str, text: String| match escape(&text) {
            text if text.is_empty() => text,
            text => format!("<p class=\"{class}\">{text}</p>\n"),
        };
        let summary = paragraph("summary", self.what_was_done()) + &paragraph("summary verdict", verdict(&self.probes));
        let figures = self.training.as_ref().map_or(String::new(), key_figures);
        format!("<header>\n<h1>{}</h1>\n{summary}{figures}</header>\n", escape(&self.title))
    }

    pub(super) fn training_section(&self) -> String {
        let Some(training) = self.training.as_ref().filter(|training| !training.steps.is_empty()) else {
            return String::new();
        };
        let curve = |name: &str, value: fn(&crate::train::metrics::StepMetrics) -> f32| {
            let points = training.steps.iter();
            let points = points.map(|record| (record.step as f64, f64::from(value(record))));
            (name.to_owned(), points.collect())
        };
        let loss_name = match is_smoothed(training.steps.len()) {
            true => "nats, each step faint, mean strong",
            false => "nats",
        };
        let loss = CurvePlot {
            title: training.loss_title().into(),
            x_label: "step".into(),
            curves: vec![curve(loss_name, |record| record.loss)],
            ..CurvePlot::default()
        };
        let chance = 1.0 / training.candidates as f64;
        let found = curve(training.right_choices(), |record| record.accuracy);
        let accuracy = CurvePlot {
            title: capitalised(training.accuracy_name()),
            x_label: "step".into(),
            curves: match training.steps.iter().any(|record| record.held_out_accuracy.is_some()) {
                true => {
                    vec![found, curve("the same, held-out recordings", |r| r.held_out_accuracy.unwrap_or(f32::NAN))]
                }
                false => vec![found],
            },
            reference: Some((format!("chance, 1 in {}", training.candidates), chance)),
            percent: true,
        };
        let figures = figure(&loss.to_svg()) + &figure(&accuracy.to_svg());
        section("Training", "", &format!("<div class=\"pair\">\n{figures}</div>\n"))
    }

    pub(super) fn codes_section(&self) -> String {
        let Some(codes) = &self.codes else { return String::new() };
        let total = codes.counts.iter().sum::<u64>() as f64;
        let mut shares: Vec<f64> = codes.counts.iter().map(|&count| count as f64 / total).collect();
        shares.sort_unstable_by(|a, b| b.total_cmp(a));
        let points = shares.iter().enumerate().map(|(i, &share)| ((i + 1) as f64, share)).collect();
        let plot = CurvePlot {
            title: "Use of the codes, the most frequent first".into(),
            x_label: "code".into(),
            curves: vec![("share of the patches".into(), points)],
            reference: Some(("equal use".into(), 1.0 / shares.len() as f64)),
            percent: true,
        };
        section("Codes", &escape(&capitalised(&(codes.in_words() + "."))), &figure(&plot.to_svg()))
    }

    pub(super) fn probe_section(&self) -> String {
        if self.probes.is_empty() {
            return String::new();
        }
        let note = "A linear classifier on frozen features, tested on clips it has not seen. Balanced accuracy is the \
                    mean over labels, so that frequent ones count no more than rare ones; ± is one standard error. \
                    The highest of each task is bold.";
        let tasks = by_task(&self.probes);
        let rows: String = tasks
            .iter()
            .flat_map(|(_, ranked)| ranked.iter().enumerate())
            .map(|(rank, score)| probe_row(score, rank == 0))
            .collect();
        let table = table(
            &["Task", "Representation", "Balanced accuracy", "±", "Accuracy", "Chance", "Test clips"],
            "probes",
            &rows,
        );
        // A single task is as plain in the table.
        let chart = if tasks.len() > 1 { figure(&self.probe_chart().to_svg()) } else { String::new() };
        section("Linear probes", note, &(table + &chart))
    }

    pub(super) fn figure_sections(&self) -> String {
        let of_figure =
            |(title, note, svg): &(String, String, String)| section(&escape(title), &escape(note), &figure(svg));
        self.figures.iter().map(of_figure).collect()
    }

    pub(super) fn table_sections(&self) -> String {
        let of_table = |Table { title, note, header, rows }: &Table| {
            let row = |cells: &Vec<String>| {
                let cells: String = cells.iter().map(|cell| format!("<td>{}</td>", escape(cell))).collect();
                format!("<tr>{cells}</tr>\n")
            };
            let header: Vec<String> = header.iter().map(|name| escape(name)).collect();
            let header: Vec<&str> = header.iter().map(String::as_str).collect();
            let rows: String = rows.iter().map(row).collect();
            section(&escape(title), &escape(note), &table(&header, "figures-table", &rows))
        };
        self.tables.iter().map(of_table).collect()
    }

    fn probe_chart(&self) -> BarChart {
        let mut series: Vec<String> = Vec::new();
        for score in &self.probes {
            if !series.contains(&score.representation) {
                series.push(score.representation.clone());
            }
        }
        let groups = by_task(&self.probes).into_iter().map(|(task, scores)| {
            let of = |name: &String| {
                let score = scores.iter().find(|score| score.representation == *name);
                score.map(|score| score.balanced_accuracy)
            };
            (task.to_owned(), series.iter().map(of).collect(), Some(scores[0].chance()))
        });
        BarChart {
            title: "Balanced accuracy".into(),
            groups: groups.collect(),
            series: series.clone(),
            reference: "chance".into(),
        }
    }

    pub(super) fn retrieval_section(&self) -> String {
        if self.neighbour_scores.is_empty() {
            return String::new();
        }
        let note = format!(
            "Nothing is trained here. k-NN: test clips get the label of most of their {K} nearest training clips. \
             Precision at k: how many of the k clips nearest to a clip share its label. mAP: the mean over all clips \
             of the average precision of the whole order. An order without sense has the precision under Chance."
        );
        let header =
            ["Task", "Representation", "k-NN accuracy", "Precision at 1", "at 5", "at 10", "mAP", "Chance", "Clips"];
        let mut tasks: Vec<&str> = Vec::new();
        for score in &self.neighbour_scores {
            if !tasks.contains(&&score.task[..]) {
                tasks.push(&score.task);
            }
        }
        let of_task = |task: &&str| {
            let mut scores: Vec<_> = self.neighbour_scores.iter().filter(|score| score.task == *task).collect();
            let precision = |score: &NeighbourScore| score.retrieval.map_or(0.0, |r| r.mean_average_precision);
            scores.sort_by(|a, b| precision(b).total_cmp(&precision(a)));
            scores.iter().enumerate().map(|(rank, score)| retrieval_row(score, rank == 0)).collect::<String>()
        };
        let rows: String = tasks.iter().map(of_task).collect();
        section("Nearest neighbours and retrieval", &note, &table(&header, "probes retrieval", &rows))
    }

    pub(super) fn confusion_section(&self) -> String {
        if self.confusions.is_empty() {
            return String::new();
        }
        let figures = self.confusions.iter();
        let figures: String = figures.map(|(title, confusion)| figure(&confusion_svg(title, confusion))).collect();
        let note =
            "How often clips of each true label (rows) were taken for each label (columns). The diagonal is right.";
        section("Confusions", note, &format!("<div class=\"flow\">\n{figures}</div>\n"))
    }

    pub(super) fn map_section(&self) -> String {
        let Some(map) = &self.map else {
            return String::new();
        };
        let note = "Each point is a clip. The two directions are those along which the embeddings vary most; what \
                    lies apart in the full space may still meet here.";
        section("Map of the embeddings", note, &figure(&map.to_svg()))
    }

    pub(super) fn neighbour_section(&self) -> String {
        let most = self.neighbours.iter().map(|row| row.nearest.len()).max();
        let Some(most) = most.filter(|&most| most > 0) else {
            return String::new();
        };
        let ranks: Vec<_> = (1..=most).map(|rank| format!("Nearest {rank}")).collect();
        let header: Vec<_> = ["Clip"].into_iter().chain(ranks.iter().map(String::as_str)).collect();
        let rows: String = self.neighbours.iter().map(neighbour_row).collect();
        let note = "The most similar other clips, with the cosine between the embeddings.";
        section("Examples of nearest neighbours", note, &table(&header, "neighbours", &rows))
    }

    pub(super) fn clip_section(&self) -> String {
        if self.clips.is_empty() {
            return String::new();
        }
        let figures: String = self.clips.iter().map(clip_figure).collect();
        let note =
            "What the encoder sees: log-mel energy, 64 bands from low (bottom) to high, time from left to right.";
        section("Clips", note, &format!("<div class=\"flow\">\n{figures}</div>\n"))
    }

    pub(super) fn config_section(&self) -> String {
        self.config_toml.as_ref().map_or(String::new(), |toml| {
            let body = format!("<pre>{}</pre>\n", escape(toml.trim()));
            section("Configuration", "", &body)
        })
    }

    pub(super) fn environment_section(&self) -> String {
        if self.environment.is_empty() {
            return String::new();
        }
        let rows = self.environment.iter();
        let rows: String =
            rows.map(|(what, value)| format!("<dt>{}</dt><dd>{}</dd>\n", escape(what), escape(value))).collect();
        section("Made with", "", &format!("<dl>\n{rows}</dl>\n"))
    }
}

fn key_figures(training: &Training) -> String {
    let Some(last) = training.steps.last() else {
        return String::new();
    };
    // The first steps compile kernels; the median is not moved by them.
    let mut speeds: Vec<f32> = training.steps.iter().map(|record| record.segments_per_second).collect();
    speeds.sort_unstable_by(f32::total_cmp);
    let rank = training.steps.iter().rev().find_map(|record| record.effective_rank);
    let mut figures = vec![
        ("steps", grouped(last.step)),
        ("segments seen", grouped(training.segments())),
        ("loss at the end", format!("{:.3}", training.at_end(|record| record.loss))),
        (training.accuracy_name(), percent(training.at_end(|record| record.accuracy))),
        ("segments a second", format!("{:.1}", speeds[speeds.len() / 2])),
    ];
    figures.extend(rank.map(|rank| ("effective rank of features", format!("{rank:.1}"))));
    let tiles: String = figures.iter().map(|(what, value)| format!("<li><b>{value}</b> {what}</li>\n")).collect();
    format!("<ul class=\"figures\">\n{tiles}</ul>\n")
}

/// With a capital letter.
fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn section(title: &str, note: &str, body: &str) -> String {
    let note = if note.is_empty() { String::new() } else { format!("<p class=\"note\">{note}</p>\n") };
    format!("<section>\n<h2>{title}</h2>\n{note}{body}</section>\n")
}

fn figure(svg: &str) -> String {
    format!("<figure class=\"plot\">{svg}</figure>\n")
}

fn table(header: &[&str], class: &str, rows: &str) -> String {
    let header: String = header.iter().map(|name| format!("<th>{name}</th>")).collect();
    format!(
        "<div class=\"scroll\"><table class=\"{class}\">\n<thead><tr>{header}</tr></thead>\n<tbody>\n{rows}</tbody>\n\
         </table></div>\n"
    )
}

fn retrieval_row(score: &NeighbourScore, best: bool) -> String {
    let class = if best { " class=\"best\"" } else { "" };
    // The task stands only beside its first row.
    let task = if best { escape(&score.task) } else { String::new() };
    let share = |share: Option<f64>| share.map_or_else(|| "–".into(), percent);
    let r = score.retrieval;
    let cells = [
        share(score.knn_accuracy),
        share(r.map(|r| r.precision_at_1)),
        share(r.map(|r| r.precision_at_5)),
        share(r.map(|r| r.precision_at_10)),
        share(r.map(|r| r.mean_average_precision)),
        share(r.map(|r| r.chance)),
        grouped(r.map_or(0, |r| r.queries) as u64),
    ];
    let cells: String = cells.iter().map(|cell| format!("<td>{cell}</td>")).collect();
    format!("<tr{class}><td>{task}</td><td>{}</td>{cells}</tr>\n", escape(&score.representation))
}

fn probe_row(score: &ProbeScore, best: bool) -> String {
    let class = if best { " class=\"best\"" } else { "" };
    // The task stands only beside its first row.
    let task = if best { escape(&score.task) } else { String::new() };
    let width = (score.balanced_accuracy * 100.0).clamp(0.0, 100.0);
    format!(
        "<tr{class}><td>{task}</td><td>{}</td>\
         <td class=\"bar\"><i style=\"width:{width:.1}%\"></i><span>{}</span></td>\
         <td>{:.1}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
        escape(&score.representation),
        percent(score.balanced_accuracy),
        score.standard_error() * 100.0,
        percent(score.accuracy),
        percent(score.chance()),
        grouped(score.test_clips as u64),
    )
}

fn neighbour_row(row: &NeighbourRow) -> String {
    let cells = row.nearest.iter();
    let cells: String =
        cells.map(|(name, similarity)| format!("<td>{} <small>{similarity:.2}</small></td>", escape(name))).collect();
    format!("<tr><th>{}</th>{cells}</tr>\n", escape(&row.name))
}

fn clip_figure(clip: &ClipPicture) -> String {
    let name = escape(&clip.name);
    format!(
        "<figure class=\"clip\"><img src=\"{}\" alt=\"log-mel of {name}\"><figcaption>{name} \
         <small>{:.2} s</small></figcaption></figure>\n",
        png_address(&clip.png),
        clip.seconds,
    )
}
