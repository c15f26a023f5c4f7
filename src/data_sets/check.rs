//! Looks into every file before its name goes into a manifest.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::{DataSet, DataSetError, Listing, Result, Row};
use crate::audio::{AudioError, AudioInfo, SAMPLE_RATE_HZ, Split, probe_file};

/// A listing whose files have all been opened.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// Rows that can be read, and what was left out.
    pub listing: Listing,
    /// Audio in hours of the training, validation and test rows.
    pub hours: [f64; 3],
}

impl Checked {
    /// Hours of audio in the rows of `split`.
    pub fn hours_of(&self, split: Split) -> f64 {
        self.hours[split as usize]
    }
}

/// Reads the header of every file of `listing` with `workers` threads, and moves what cannot be read to the clips left
/// out. `on_file` gets the number of files done so far.
///
/// # Errors
/// [`DataSetError::NothingUsable`] if no clip is left.
pub fn check(set: &DataSet, mut listing: Listing, workers: usize, on_file: impl Fn(u64) + Sync) -> Result<Checked> {
    let rows = std::mem::take(&mut listing.rows);
    let clips = rows.len() + listing.left_out.len();
    let files: Vec<&Path> = rows.iter().map(|row| row.path.as_path()).collect::<BTreeSet<_>>().into_iter().collect();
    let infos: HashMap<&Path, _> = files.iter().copied().zip(probe(&files, workers, on_file)).collect();
    let lengths: Vec<_> = rows.iter().map(|row| length_h(row, &infos[row.path.as_path()])).collect();

    let mut hours = [0.0; 3];
    let mut told = BTreeSet::new();
    for (row, length_h) in rows.into_iter().zip(lengths) {
        match length_h {
            Ok(length_h) => {
                hours[row.split as usize] += length_h;
                listing.rows.push(row);
            }
            // Of a file that is cut into many clips one line is enough.
            Err(reason) => {
                if told.insert(row.path.clone()) {
                    listing.leave_out(row.path, reason);
                }
            }
        }
    }
    if listing.rows.is_empty() {
        let (first, reason) = match listing.left_out.first() {
            Some(left) => (left.path.clone(), left.reason.clone()),
            None => (listing.source.clone(), "nothing is listed".to_string()),
        };
        return Err(DataSetError::NothingUsable { path: listing.source, name: set.name, clips, first, reason });
    }
    let classes: BTreeSet<&String> = listing.rows.iter().flat_map(|row| &row.labels).collect();
    let found = classes.len();
    listing.count("classes with a clip", set.classes, found);
    for (split, name) in [(Split::Train, "training"), (Split::Test, "test")] {
        if listing.clips(split) == 0 {
            listing.remarks.push(format!("there are no {name} clips: not a task to measure on"));
        }
    }
    Ok(Checked { listing, hours })
}

/// Length of a clip in hours, or why it cannot be in a manifest.
fn length_h(row: &Row, info: &std::result::Result<AudioInfo, AudioError>) -> std::result::Result<f64, String> {
    // Manifests are text whose fields are trimmed: such paths and labels would come back changed.
    if !row.path.to_str().is_some_and(|path| path.trim() == path && !path.contains(['\n', '\r'])) {
        return Err("its path cannot be written to a list; rename it".to_string());
    }
    if let Some(label) = row.labels.iter().find(|label| label.trim() != *label || label.contains(';')) {
        return Err(format!("its label \"{label}\" cannot be written to a list"));
    }
    match info {
        Ok(info) => {
            let length_s = info.samples as f64 / f64::from(SAMPLE_RATE_HZ);
            Ok(row.part.map_or(length_s, |(_, duration_s)| duration_s) / 3600.0)
        }
        Err(error) => Err(without_path(error, &row.path)),
    }
}

/// The words of `error` without the path that they begin with.
fn without_path(error: &AudioError, path: &Path) -> String {
    let text = error.to_string();
    text.strip_prefix(&format!("{}: ", path.display())).unwrap_or(&text).to_string()
}

/// Probes `files` with several threads; results are in their order.
fn probe(
    files: &[&Path],
    workers: usize,
    on_file: impl Fn(u64) + Sync,
) -> Vec<std::result::Result<AudioInfo, AudioError>> {
    let next = AtomicUsize::new(0);
    let done = AtomicU64::new(0);
    let results = Mutex::new(vec![Err(AudioError::Stopped); files.len()]);
    let work = || {
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            let Some(file) = files.get(i) else { break };
            let info = probe_file(file);
            results.lock().expect("no thread panics with the lock held")[i] = info;
            on_file(done.fetch_add(1, Ordering::Relaxed) + 1);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..workers.clamp(1, files.len().max(1)) {
            scope.spawn(work);
        }
    });
    results.into_inner().expect("no thread panics with the lock held")
}
