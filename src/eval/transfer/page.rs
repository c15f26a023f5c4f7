//! A transfer on one page.

use super::record::TransferRecord;
use super::{Mode, PAPER_LR};
use crate::eval::report::{Report, Table};
use crate::nn::efficientnet::FEATURES;

/// The page of a result.
pub fn page(record: &TransferRecord) -> Report {
    let [train, valid, test] = record.clips;
    let chance = match record.confusion {
        Some(_) => format!(" Guessing is right in {:.1}%.", 100.0 / record.labels.len() as f64),
        None => String::new(),
    };
    let intro = format!(
        "{} of {} test clips: {}% ({}; 95% interval {:.1} to {:.1}% as the test clips vary).{chance} {}",
        if record.confusion.is_some() { "Accuracy" } else { "Mean average precision" },
        test,
        record.score_text(),
        match record.seeds.len() {
            1 => "one seed".to_string(),
            n => format!("mean and standard deviation of {n} seeds"),
        },
        100.0 * record.interval[0],
        100.0 * record.interval[1],
        protocol_in_words(record),
    );
    let mut tables = vec![seeds(record)];
    tables.extend(record.average_precisions.as_ref().map(|precisions| of_labels(&record.labels, precisions)));
    let confusions =
        record.confusion.iter().map(|c| (format!("{}: {}", record.task, record.mode.in_words()), c.clone()));
    let fit = &record.protocol.fit;
    let environment = [
        ("adapter", record.adapter.clone()),
        ("clips", format!("{train} to train, {valid} to validate, {test} to test; {} labels", record.labels.len())),
        ("batch", fit.batch.to_string()),
        ("weights", record.protocol.weights.clone()),
        ("data", record.protocol.data.clone()),
        ("time", format!("{:.0} s", record.seconds)),
    ];
    Report {
        title: format!("{}: {}", record.task, record.mode.in_words()),
        intro: Some(intro),
        tables,
        confusions: confusions.collect(),
        environment: environment.map(|(what, value)| (what.to_string(), value)).to_vec(),
        ..Report::default()
    }
}

/// A sentence or two on how the classifier was trained and tested.
pub fn protocol_in_words(record: &TransferRecord) -> String {
    let fit = &record.protocol.fit;
    let stages = match fit.frozen_stages {
        0 => String::new(),
        stages => format!(", its first {stages} stages as they were,"),
    };
    let layer = if fit.from_probe { "a linear layer on all stages, which starts as a probe," } else { "linear layer" };
    let what = match record.mode {
        Mode::Frozen | Mode::Random => "A linear layer on standardised vectors of all training segments".into(),
        Mode::Finetune | Mode::Scratch => {
            format!("Encoder{stages} and {layer} on one random segment a clip and epoch")
        }
    };
    let network = match record.protocol.network {
        Some(kind) => format!(" (encoder: {})", kind.in_words()),
        None => String::new(),
    };
    let head_lr = match fit.lr {
        Some(lr) => format!("{lr}"),
        None => format!("{PAPER_LR} ({FEATURES} features; with more, so much less)"),
    };
    let rates = match record.mode.is_frozen() || fit.encoder_lr == fit.lr.unwrap_or(PAPER_LR) {
        true => head_lr,
        false => format!("{head_lr}, of the encoder {}", fit.encoder_lr),
    };
    let weights = if fit.class_weights { ", labels weighted to count alike" } else { "" };
    let length = match (fit.patience, record.protocol.valid_fraction) {
        (None, _) => format!("for {} epochs", fit.epochs),
        (Some(patience), None) => {
            format!("for at most {} epochs, until {patience} bring the task's validation clips nothing", fit.epochs)
        }
        (Some(patience), Some(fraction)) => format!(
            "for at most {} epochs, until {patience} bring {:.0}% of the training files, set apart, nothing",
            fit.epochs,
            100.0 * fraction
        ),
    };
    format!(
        "{what}{network}, Adam {rates}, batch {}{weights}, {length}; logits averaged over a test clip's segments of 0.98 s.",
        fit.batch
    )
}

fn seeds(record: &TransferRecord) -> Table {
    let percent = |x: f64| format!("{:.1}%", 100.0 * x);
    let optional = |x: Option<f64>| x.map_or("-".into(), percent);
    let rows = record.seeds.iter().map(|s| {
        let epoch = match s.best_epoch == s.epochs {
            true => s.epochs.to_string(),
            false => format!("{} of {}", s.best_epoch, s.epochs),
        };
        vec![s.seed.to_string(), percent(s.score), optional(s.balanced_accuracy), optional(s.validation), epoch]
    });
    Table {
        title: "Trainings".into(),
        note: "Balanced accuracy is the mean over labels; with early stopping the best epoch by the validation clips counts."
            .into(),
        header: ["Seed", &record.metric, "Balanced accuracy", "Validation", "Epoch"].map(String::from).to_vec(),
        rows: rows.collect(),
    }
}

fn of_labels(labels: &[String], precisions: &[Option<f64>]) -> Table {
    let mut ranked: Vec<(&String, Option<f64>)> = labels.iter().zip(precisions.iter().copied()).collect();
    ranked.sort_by(|a, b| b.1.unwrap_or(-1.0).total_cmp(&a.1.unwrap_or(-1.0)));
    let text = |x: Option<f64>| x.map_or("no test clip".into(), |x| format!("{:.1}%", 100.0 * x));
    Table {
        title: "Labels".into(),
        note: "Average precision of each label: how pure the clips are that are ranked first.".into(),
        header: ["Label", "Average precision"].map(String::from).to_vec(),
        rows: ranked.into_iter().map(|(label, ap)| vec![label.clone(), text(ap)]).collect(),
    }
}
