//! Writes a manifest, the same clips for pre-training, what was left out, and notes.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::notes::{FIRST_WORDS, notes};
use super::{Checked, DataSet, DataSetError, Result, Row};
use crate::audio::Split;
use crate::train::atomic::{WriteError, write_atomic};

/// The manifest's name; a folder that holds one is a task.
pub const MANIFEST: &str = "metadata.csv";

const NOTES: &str = "NOTES.txt";

/// What [`write()`] wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The manifest: `path`, `label` (or `labels`), `split` and where needed `start_s`, `duration_s`.
    pub manifest: PathBuf,
    /// The training files only, for pre-training: `path`.
    pub pretrain: PathBuf,
    /// Clips left out: `path`, `reason`.
    pub missing: PathBuf,
    /// Everything a reader of a score should know.
    pub notes: PathBuf,
}

/// Writes the manifest of `checked` and the files that go with it to the folder `out`. Paths are absolute; where the
/// data lie below `out` they are relative to it, so that both can be moved together.
///
/// # Errors
/// Where a file cannot be written, or `out` holds a manifest that did not come from here.
pub fn write(set: &DataSet, checked: &Checked, out: &Path) -> Result<Written> {
    fs::create_dir_all(out).map_err(|e| WriteError::new(out, e))?;
    let out = out.canonicalize().map_err(|e| DataSetError::io(out, &e))?;
    if out.join(MANIFEST).exists() {
        let notes = fs::read_to_string(out.join(NOTES)).unwrap_or_default();
        let of = match notes.strip_prefix(FIRST_WORDS).and_then(|rest| rest.lines().next()) {
            Some(name) if name == set.name => None,
            Some(name) => Some(format!("of {name}")),
            None => Some("which cola did not write".to_string()),
        };
        if let Some(of) = of {
            return Err(DataSetError::Occupied { path: out, of });
        }
    }
    let listing = &checked.listing;
    let relative = listing.source.starts_with(&out);
    let shown = |path: &Path| {
        let path = if relative { path.strip_prefix(&out).unwrap_or(path) } else { path };
        path.to_string_lossy().into_owned()
    };
    let file = |name: &str| out.join(name);
    let written = Written {
        manifest: file(MANIFEST),
        pretrain: file("pretrain.csv"),
        missing: file("missing.csv"),
        notes: file(NOTES),
    };
    // The notes come first: they are what marks the folder as ours.
    let text = notes(set, checked, relative);
    write_atomic(&written.notes, |to| to.write_all(text.as_bytes()))?;
    let left_out = listing.left_out.iter().map(|left| vec![shown(&left.path), left.reason.clone()]);
    write_csv(&written.missing, &["path", "reason"], left_out)?;
    let mut files: Vec<&Path> = listing.rows.iter().filter(|r| r.split == Split::Train).map(|r| &*r.path).collect();
    files.dedup();
    write_csv(&written.pretrain, &["path"], files.into_iter().map(|path| vec![shown(path)]))?;

    let label = if set.multi_label { "labels" } else { "label" };
    let with_parts = listing.rows.iter().any(|row| row.part.is_some());
    let mut header = vec!["path", label, "split"];
    if with_parts {
        header.extend(["start_s", "duration_s"]);
    }
    let fields = |row: &Row| {
        let mut fields = vec![shown(&row.path), row.labels.join(";"), name_of(row.split).to_string()];
        if with_parts {
            let part = row.part.map(|(start_s, duration_s)| [start_s.to_string(), duration_s.to_string()]);
            fields.extend(part.unwrap_or_default());
        }
        fields
    };
    write_csv(&written.manifest, &header, listing.rows.iter().map(fields))?;
    Ok(written)
}

/// What manifests call a split.
pub(super) fn name_of(split: Split) -> &'static str {
    match split {
        Split::Train => "train",
        Split::Valid => "valid",
        Split::Test => "test",
    }
}

fn write_csv(path: &Path, header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Result<()> {
    write_atomic(path, |file| {
        let mut to = csv::Writer::from_writer(file);
        to.write_record(header).map_err(io::Error::from)?;
        for row in rows {
            to.write_record(&row).map_err(io::Error::from)?;
        }
        to.flush()
    })?;
    Ok(())
}
