//! What a data set holds: clips with labels and splits, what is missing, and what was found out on the way.

use std::path::PathBuf;

use crate::audio::Split;

/// One clip: a file, or a part of one.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The file, an absolute path.
    pub path: PathBuf,
    /// One label, or any number in a multi-label set.
    pub labels: Vec<String>,
    /// Which part of the task.
    pub split: Split,
    /// Start and duration in seconds where the clip is not the whole file.
    pub part: Option<(f64, f64)>,
}

impl Row {
    /// A whole file with one label.
    pub(super) fn whole(path: PathBuf, label: impl Into<String>, split: Split) -> Row {
        Row { path, labels: vec![label.into()], split, part: None }
    }
}

/// A clip that is not in the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The file.
    pub path: PathBuf,
    /// Why, in words.
    pub reason: String,
}

/// A number that the distributor states beside the one found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// What was counted, clips that are missing on disk included.
    pub what: String,
    /// What the distributor states.
    pub expected: usize,
    /// What the tables or folders hold.
    pub found: usize,
}

/// All that one data set's reader found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Listing {
    /// The folder that was read, canonical.
    pub source: PathBuf,
    /// The clips, in an order that only the set decides.
    pub rows: Vec<Row>,
    /// Clips that are listed but missing, and later those that cannot be read.
    pub left_out: Vec<LeftOut>,
    /// The tables that decided labels and splits, relative to the source where they lie in it.
    pub tables: Vec<PathBuf>,
    /// Who made the split, and how.
    pub split_rule: String,
    /// Counts beside the official ones.
    pub counts: Vec<Count>,
    /// Anything else a person should know.
    pub remarks: Vec<String>,
}

impl Listing {
    /// Adds a whole file with one label, or the reason why it is missing.
    pub(super) fn add(&mut self, path: PathBuf, label: &str, split: Split, listed_in: &str) {
        self.add_row(Row::whole(path, label, split), listed_in);
    }

    /// Adds `row`, or the reason why its file is missing.
    pub(super) fn add_row(&mut self, row: Row, listed_in: &str) {
        if row.path.is_file() {
            self.rows.push(row);
        } else {
            self.leave_out(row.path, format!("listed in {listed_in}, not on disk"));
        }
    }

    /// Names a clip that the manifest will not hold.
    pub(super) fn leave_out(&mut self, path: PathBuf, reason: impl Into<String>) {
        self.left_out.push(LeftOut { path, reason: reason.into() });
    }

    /// Sets what was found beside what the distributor states.
    pub(super) fn count(&mut self, what: impl Into<String>, expected: usize, found: usize) {
        self.counts.push(Count { what: what.into(), expected, found });
    }

    /// The counts that deviate, each as a sentence.
    pub fn deviations(&self) -> Vec<String> {
        let off = self.counts.iter().filter(|c| c.expected != c.found);
        off.map(|c| format!("{}: {} expected, {} found", c.what, c.expected, c.found)).collect()
    }

    /// Number of rows of `split`.
    pub fn clips(&self, split: Split) -> usize {
        self.rows.iter().filter(|row| row.split == split).count()
    }
}
