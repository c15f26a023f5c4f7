//! List files and manifests: which files, with which label, split and part of the file.
//!
//! CSV and JSONL know `path` (or `file_name`), `label`, `split`, `start_s` and `duration_s`; other columns are
//! ignored. A task whose clips may have several labels, or none, has the column `labels` instead of `label`, with names
//! separated by `;` (in JSONL an array does as well).

use std::path::{Path, PathBuf};

use super::dataset::Split;
use super::error::{AudioError, Result};

/// One row of a manifest, or one file of a folder.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub path: PathBuf,
    pub labels: Vec<String>,
    /// Whether a clip may have several labels, or none.
    pub multi_label: bool,
    pub split: Option<Split>,
    pub start_s: Option<f64>,
    pub duration_s: Option<f64>,
}

impl Entry {
    /// A whole file without a label.
    pub fn of(path: PathBuf) -> Entry {
        Entry { path, labels: Vec::new(), multi_label: false, split: None, start_s: None, duration_s: None }
    }
}

/// One path a line, relative to the list; empty lines and lines that start with `#` are ignored.
pub(super) fn read_list(list: &Path) -> Result<Vec<Entry>> {
    let lines = text(list)?;
    let paths = lines.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
    Ok(paths.map(|l| Entry::of(beside(list, l))).collect())
}

/// A CSV with a header line.
pub(super) fn read_csv(manifest: &Path) -> Result<Vec<Entry>> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_path(manifest)
        .map_err(|e| bad_row(manifest, 1, &e.to_string()))?;
    let header = reader.headers().map_err(|e| bad_row(manifest, 1, &e.to_string()))?.clone();
    let column = |name: &str| header.iter().position(|h| h.trim_start_matches('\u{feff}') == name);
    let Some(path) = column("path").or_else(|| column("file_name")) else {
        return Err(bad_row(manifest, 1, "no column is called path or file_name; add the header line"));
    };
    let columns = ["label", "labels", "split", "start_s", "duration_s"].map(column);
    let mut entries = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|e| {
            let line = e.position().map_or(0, |p| p.line());
            bad_row(manifest, line as usize, &e.to_string())
        })?;
        let line = row.position().map_or(0, |p| p.line()) as usize;
        let field = |i: Option<usize>| i.and_then(|i| row.get(i)).filter(|v| !v.is_empty());
        let [label, labels, split, start, duration] = columns.map(field);
        // an empty field of that column is a clip without any of the labels
        let labels = columns[1].map(|_| labels.map_or(Vec::new(), names));
        let raw = Row { path: row.get(path).unwrap_or(""), label, labels, split, start, duration };
        entries.push(raw.entry(manifest, line)?);
    }
    Ok(entries)
}

/// One JSON object a line.
pub(super) fn read_jsonl(manifest: &Path) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for (i, line) in text(manifest)?.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let object: serde_json::Value =
            serde_json::from_str(line).map_err(|e| bad_row(manifest, i + 1, &format!("no JSON object: {e}")))?;
        let plain = |value: &serde_json::Value| match value {
            serde_json::Value::Null => None,
            serde_json::Value::String(s) => Some(s.clone()),
            other => Some(other.to_string()),
        };
        let field = |name: &str| object.get(name).and_then(plain);
        let labels = match object.get("labels") {
            Some(serde_json::Value::Array(list)) => Some(list.iter().filter_map(plain).collect()),
            Some(_) => Some(field("labels").map_or(Vec::new(), |text| names(&text))),
            None => None,
        };
        let path = field("path").or_else(|| field("file_name")).unwrap_or_default();
        let [label, split, start, duration] = ["label", "split", "start_s", "duration_s"].map(field);
        let raw = Row {
            path: &path,
            label: label.as_deref(),
            labels,
            split: split.as_deref(),
            start: start.as_deref(),
            duration: duration.as_deref(),
        };
        entries.push(raw.entry(manifest, i + 1)?);
    }
    Ok(entries)
}

/// The fields of a row as text.
struct Row<'a> {
    path: &'a str,
    label: Option<&'a str>,
    labels: Option<Vec<String>>,
    split: Option<&'a str>,
    start: Option<&'a str>,
    duration: Option<&'a str>,
}

impl Row<'_> {
    fn entry(self, manifest: &Path, line: usize) -> Result<Entry> {
        if self.path.is_empty() {
            return Err(bad_row(manifest, line, "names no file; fill path or file_name"));
        }
        let seconds = |name: &str, value: Option<&str>| match value.map(str::parse::<f64>) {
            None => Ok(None),
            Some(Ok(s)) if s.is_finite() && s >= 0.0 => Ok(Some(s)),
            Some(_) => Err(bad_row(manifest, line, &format!("{name} must be a number of seconds, 0 or more"))),
        };
        let split =
            match self.split {
                None => None,
                Some(name) => Some(Split::named(name).ok_or_else(|| {
                    bad_row(manifest, line, &format!("split is \"{name}\"; write train, valid or test"))
                })?),
            };
        Ok(Entry {
            path: beside(manifest, self.path),
            multi_label: self.labels.is_some(),
            labels: self.labels.unwrap_or_else(|| self.label.map(str::to_string).into_iter().collect()),
            split,
            start_s: seconds("start_s", self.start)?,
            duration_s: seconds("duration_s", self.duration)?,
        })
    }
}

/// The names of a `labels` field.
fn names(field: &str) -> Vec<String> {
    field.split(';').map(str::trim).filter(|name| !name.is_empty()).map(str::to_string).collect()
}

/// `path` as seen from the folder of `file`.
fn beside(file: &Path, path: &str) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).join(path)
}

fn text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|e| AudioError::io(path, &e))
}

fn bad_row(manifest: &Path, line: usize, detail: &str) -> AudioError {
    AudioError::Manifest { path: manifest.to_path_buf(), line, detail: detail.to_string() }
}
