//! The results of probes, kept with the run: `RUN/probe/<task>.json`.

use super::metrics::{Confusion, ProbeScore};
use crate::train::atomic::{WriteError, write_atomic};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::Path;

/// One probe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeRecord {
    /// Accuracy and what was classified.
    #[serde(flatten)]
    pub score: ProbeScore,
    /// Which labels were taken for which.
    pub confusion: Confusion,
    /// Of the drawn test files and of the classifier's training.
    pub seed: u64,
}

/// Adds a result to a task's file, in place of an earlier one of the same representation.
///
/// # Errors
/// [`WriteError`]. A file that is not such a list is started anew.
pub fn add_record(path: &Path, record: ProbeRecord) -> Result<(), WriteError> {
    let mut records = read_records(path);
    records.retain(|earlier| earlier.score.representation != record.score.representation);
    records.push(record);
    write_atomic(path, |file| {
        serde_json::to_writer_pretty(&mut *file, &records)?;
        file.write_all(b"\n")
    })
}

fn read_records(path: &Path) -> Vec<ProbeRecord> {
    let bytes = std::fs::read(path).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// Every result in the folder of a run, tasks in order of their names.
pub fn all_records(run: &Path) -> Vec<ProbeRecord> {
    let Ok(folder) = std::fs::read_dir(run.join("probe")) else { return Vec::new() };
    let mut files: Vec<_> = folder.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "json"));
    files.sort();
    files.iter().flat_map(|path| read_records(path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_result_of_the_same_kind_replaces_the_first() {
        let run = tempfile::tempdir().unwrap();
        std::fs::create_dir(run.path().join("probe")).unwrap();
        let path = run.path().join("probe/birds.json");
        let record = |representation: &str, right: usize| {
            let confusion = Confusion::new(vec!["a".into(), "b".into()], [(0, right), (1, 1)]);
            ProbeRecord { score: ProbeScore::of("birds", representation, &confusion), confusion, seed: 1 }
        };
        for (name, right) in [("pre-trained", 1), ("untrained encoder", 1), ("pre-trained", 0)] {
            add_record(&path, record(name, right)).unwrap();
        }
        assert_eq!(all_records(run.path()), [record("untrained encoder", 1), record("pre-trained", 0)]);
    }
}
