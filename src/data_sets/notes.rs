//! What a reader of a score on a manifest should know, as text.

use std::collections::{BTreeMap, BTreeSet};

use super::describe::item;
use super::write::name_of;
use super::{Checked, DataSet, Listing};
use crate::audio::Split;

/// How the notes begin; tells a folder written here from any other.
pub(super) const FIRST_WORDS: &str = "data set: ";

const SPLITS: [Split; 3] = [Split::Train, Split::Valid, Split::Test];

/// Reasons for leaving out that are told; all are in `missing.csv`.
const REASONS: usize = 5;

impl Checked {
    /// Clips, hours and labels per split, counts that differ from the distributor's, what was left out, remarks,
    /// the rule of the split: several lines.
    pub fn summary(&self) -> String {
        let mut text = self.splits();
        let deviations = self.listing.deviations();
        if !deviations.is_empty() {
            text += "counts that differ from the distributor's:\n";
            text += &deviations.iter().map(|deviation| item("  ", deviation)).collect::<String>();
        }
        text + &left_out(&self.listing) + &remarks(&self.listing) + &item("split: ", &self.listing.split_rule)
    }

    /// A line a split.
    fn splits(&self) -> String {
        let listing = &self.listing;
        let mut text = format!("{:<8}{:>10}{:>10}{:>10}\n", "split", "clips", "hours", "labels");
        for split in SPLITS.into_iter().filter(|split| listing.clips(*split) > 0) {
            let of_split = listing.rows.iter().filter(|row| row.split == split);
            let labels: BTreeSet<&String> = of_split.flat_map(|row| &row.labels).collect();
            let (clips, hours) = (listing.clips(split), self.hours_of(split));
            text += &format!("{:<8}{clips:>10}{hours:>10.2}{:>10}\n", name_of(split), labels.len());
        }
        text
    }
}

fn remarks(listing: &Listing) -> String {
    listing.remarks.iter().map(|remark| item("remark: ", remark)).collect()
}

/// How many clips are left out, by reason, the most frequent first.
fn left_out(listing: &Listing) -> String {
    if listing.left_out.is_empty() {
        return "left out: nothing\n".to_string();
    }
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for left in &listing.left_out {
        *reasons.entry(&left.reason).or_default() += 1;
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut text = format!("left out: {}, see missing.csv\n", listing.left_out.len());
    for (reason, count) in reasons.iter().take(REASONS) {
        text += &item(&format!("  {count:>8} "), reason);
    }
    if reasons.len() > REASONS {
        text += &format!("  {:>8} for {} other reasons\n", "", reasons.len() - REASONS);
    }
    text
}

/// The whole text of the notes; `relative` says how the manifest names files.
pub(super) fn notes(set: &DataSet, checked: &Checked, relative: bool) -> String {
    let listing = &checked.listing;
    let mut text = format!("{FIRST_WORDS}{}\n", set.name);
    text += &format!("{} ({})\n", set.title, set.task);
    text += &format!("read by cola {} from {}\n\n", env!("CARGO_PKG_VERSION"), listing.source.display());
    text += &item("split: ", &listing.split_rule);
    for table in &listing.tables {
        text += &format!("table read: {}\n", table.display());
    }
    let paths = if relative { "relative to the manifest's folder" } else { "absolute" };
    text += &format!("paths: {paths}\n\n");
    text += &checked.splits();
    text += &left_out(listing);
    text += &remarks(listing);

    text += "\nCounts beside the distributor's, missing files included\n";
    for count in &listing.counts {
        let mark = if count.expected == count.found { "" } else { "   differs" };
        text += &format!("  {:<44}{:>10} expected{:>10} found{mark}\n", count.what, count.expected, count.found);
    }
    if !set.differs.is_empty() {
        text += "\nBeside the paper's task\n";
        for difference in set.differs {
            text += &item("  ", difference);
        }
    }
    text += "\nSource\n";
    for (name, fact) in [("download", set.download), ("page", set.page), ("licence", set.licence)] {
        text += &item(&format!("  {name:<9} "), fact);
    }
    text + "\nClips of each label\n" + &labels(listing)
}

/// A line a label: how many clips of each split.
fn labels(listing: &Listing) -> String {
    let mut counts: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    for row in &listing.rows {
        for label in &row.labels {
            counts.entry(label).or_default()[row.split as usize] += 1;
        }
    }
    let mut text = format!("  {:<40}{:>10}{:>10}{:>10}\n", "label", "train", "valid", "test");
    for (label, [train, valid, test]) in counts {
        text += &format!("  {label:<40}{train:>10}{valid:>10}{test:>10}\n");
    }
    text
}
