//! Every set on a tiny tree of exactly its distributor's layout, well-formed and malformed.

mod events;
mod keywords;
mod languages;
mod music;
mod output;
mod scenes;
mod speakers;

use std::path::{Path, PathBuf};

use super::{Checked, DataSet, Listing, Result, check, files, write};
use crate::audio::{DiscoverOptions, Discovery, Split, discover_task};

/// A folder that vanishes with the test.
struct Tree(tempfile::TempDir);

impl Tree {
    fn new() -> Tree {
        Tree(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().canonicalize().unwrap()
    }

    fn at(&self, below: &str) -> PathBuf {
        self.path().join(below)
    }

    fn text(&self, below: &str, text: &str) {
        std::fs::create_dir_all(self.at(below).parent().unwrap()).unwrap();
        std::fs::write(self.at(below), text).unwrap();
    }

    /// 50 ms of a square wave at 16 kHz; compressed formats get the same bytes, for content decides, not the name.
    fn audio(&self, below: &str) {
        self.audio_of(below, 0.05);
    }

    fn audio_of(&self, below: &str, seconds: f64) {
        std::fs::create_dir_all(self.at(below).parent().unwrap()).unwrap();
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 16_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(self.at(below), spec).unwrap();
        for i in 0..(seconds * 16_000.0).round() as usize {
            writer.write_sample(if i % 40 < 20 { 8000i16 } else { -8000 }).unwrap();
        }
        writer.finalize().unwrap();
    }

    fn remove(&self, below: &str) {
        if self.at(below).is_dir() {
            std::fs::remove_dir_all(self.at(below)).unwrap();
        } else {
            std::fs::remove_file(self.at(below)).unwrap();
        }
    }

    fn rename(&self, from: &str, to: &str) {
        std::fs::create_dir_all(self.at(to).parent().unwrap()).unwrap();
        std::fs::rename(self.at(from), self.at(to)).unwrap();
    }
}

fn read(name: &str, src: &Path) -> Result<Listing> {
    DataSet::named(name).unwrap().read(src)
}

/// The message of what must fail, in one line and with the words of `says`.
fn fails(name: &str, src: &Path, says: &[&str]) {
    let error = read(name, src).unwrap_err().to_string();
    assert!(!error.contains('\n'), "{error}");
    for part in says {
        assert!(error.contains(part), "\"{part}\" is not in: {error}");
    }
}

/// `path label[;label] [start]` of the rows of `split`, sorted.
fn rows(listing: &Listing, split: Split) -> Vec<String> {
    let of_split = listing.rows.iter().filter(|row| row.split == split);
    let text = |row: &super::Row| {
        let start = row.part.map_or(String::new(), |(start_s, _)| format!(" {start_s}"));
        format!("{} {}{start}", files::key(&listing.source, &row.path), row.labels.join(";"))
    };
    let mut rows: Vec<String> = of_split.map(text).collect();
    rows.sort();
    rows
}

/// `path: reason` of the clips left out.
fn left_out(listing: &Listing) -> Vec<String> {
    let text = |left: &super::LeftOut| format!("{}: {}", files::key(&listing.source, &left.path), left.reason);
    listing.left_out.iter().map(text).collect()
}

/// A set read, checked, written, and read back as the commands do.
struct Imported {
    checked: Checked,
    task: Discovery,
    notes: String,
    manifest: String,
    missing: String,
    pretrain: PathBuf,
    _out: Tree,
}

fn import(name: &str, src: &Path) -> Imported {
    let set = DataSet::named(name).unwrap();
    let checked = check(set, set.read(src).unwrap(), 2, |_| ()).unwrap();
    let out = Tree::new();
    let written = write(set, &checked, &out.path()).unwrap();
    let text = |path| std::fs::read_to_string(path).unwrap();
    let task = discover_task(&out.path(), 0.5, 0, DiscoverOptions { workers: 2, strict: true }).unwrap();
    // What was counted is what the commands find.
    assert_eq!(task.clips.len(), checked.listing.rows.len());
    assert_eq!(task.multi_label, set.multi_label);
    for split in [Split::Train, Split::Valid, Split::Test] {
        assert_eq!(task.clips.iter().filter(|c| c.split == split).count(), checked.listing.clips(split));
    }
    Imported {
        checked,
        task,
        notes: text(&written.notes),
        manifest: text(&written.manifest),
        missing: text(&written.missing),
        pretrain: written.pretrain,
        _out: out,
    }
}
