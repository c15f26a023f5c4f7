//! Which clips a set holds: folders, list files, manifests and labelled tasks.
//!
//! Every file is probed once (its header, see [`probe_file`]), so that lengths are known before training and bad
//! files are found, listed and left out at the start.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rand::seq::SliceRandom;
use walkdir::WalkDir;

use super::decode::{AudioInfo, probe_file};
use super::error::{AudioError, Result};
use super::manifest::{self, Entry};
use super::random::{Purpose, stream};
use super::{MIN_SAMPLES, SAMPLE_RATE_HZ};

/// Extensions that folders are searched for; what a file really is, its content decides.
pub const EXTENSIONS: &[&str] = &[".wav", ".wave", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".aifc"];

/// Which part of a labelled task a clip belongs to; clips of which nothing is said are `Train`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Split {
    /// Fits the classifier, or pre-trains.
    Train,
    /// Decides when to stop, where anything does; neither pre-trained on nor fitted to.
    Valid,
    /// Only measured on.
    Test,
}

impl Split {
    /// The split that people call so.
    pub(super) fn named(name: &str) -> Option<Split> {
        match name.to_lowercase().as_str() {
            "train" | "training" => Some(Split::Train),
            "valid" | "validation" | "val" | "dev" => Some(Split::Valid),
            "test" | "testing" => Some(Split::Test),
            _ => None,
        }
    }
}

/// A recording or a part of one.
#[derive(Debug, Clone, PartialEq)]
pub struct Clip {
    /// The file.
    pub path: PathBuf,
    /// First sample in the file, at 16 kHz.
    pub start: u64,
    /// Length in samples at 16 kHz, at least [`MIN_SAMPLES`].
    pub samples: u64,
    /// Indices into [`Discovery::labels`], ascending: one in a task of one label a clip, any number in a multi-label
    /// task, none without labels.
    pub labels: Vec<u32>,
    /// Which part of the task.
    pub split: Split,
}

impl Clip {
    /// The label, the first of several.
    pub fn label(&self) -> Option<u32> {
        self.labels.first().copied()
    }
}

/// How to look for clips.
#[derive(Debug, Clone, Copy)]
pub struct DiscoverOptions {
    /// Threads that probe files.
    pub workers: usize,
    /// The first bad file is an error instead of being skipped.
    pub strict: bool,
}

/// What was found.
#[derive(Debug, Clone)]
pub struct Discovery {
    /// In a fixed order: sorted by path for folders, as listed for lists and manifests.
    pub clips: Vec<Clip>,
    /// Label names, sorted; empty without labels.
    pub labels: Vec<String>,
    /// Whether a clip may have several labels, or none.
    pub multi_label: bool,
    /// Files left out and why.
    pub skipped: Vec<(PathBuf, AudioError)>,
}

impl Discovery {
    /// Moves a share of the training files of every label (the first of several) to the validation split, the same ones
    /// for the same seed. Does nothing where there are validation clips already.
    pub fn draw_validation(&mut self, fraction: f64, seed: u64) {
        if self.clips.iter().any(|clip| clip.split == Split::Valid) {
            return;
        }
        let training = self.clips.iter().filter(|clip| clip.split == Split::Train);
        let files = training.map(|clip| (clip.label(), &clip.path));
        let drawn = draw_files(files, fraction, seed, Purpose::ValidSplit);
        for clip in self.clips.iter_mut().filter(|clip| clip.split == Split::Train && drawn.contains(&clip.path)) {
            clip.split = Split::Valid;
        }
    }

    /// Total length in hours.
    pub fn hours(&self) -> f64 {
        let samples: u64 = self.clips.iter().map(|c| c.samples).sum();
        samples as f64 / f64::from(SAMPLE_RATE_HZ) / 3600.0
    }
}

/// Clips for pre-training or embedding: a folder (searched recursively), a single audio file, a list file (`.txt`,
/// one path a line) or a manifest (`.csv`, `.jsonl`); paths in files are relative to the file.
pub fn discover(source: &Path, options: DiscoverOptions) -> Result<Discovery> {
    let entries = if source.is_dir() {
        audio_files(source)?.into_iter().map(Entry::of).collect()
    } else {
        match extension(source).as_str() {
            ".txt" => manifest::read_list(source)?,
            ".csv" => manifest::read_csv(source)?,
            ".jsonl" | ".ndjson" => manifest::read_jsonl(source)?,
            _ => {
                // a name that does not exist is the caller's mistake, not a bad file of a set
                std::fs::metadata(source).map_err(|e| AudioError::io(source, &e))?;
                vec![Entry::of(source.to_path_buf())]
            }
        }
    };
    probe_all(source, entries, options)
}

/// A labelled task: `TASK/{train,test}/<label>/*` and if you like `TASK/valid`, or `TASK/<label>/*`, or
/// `TASK/metadata.csv` with `file_name,label[,split]`, or a manifest file. Where no split is given, `test_fraction` of
/// the files of every label are drawn for the test with `seed`.
pub fn discover_task(task: &Path, test_fraction: f64, seed: u64, options: DiscoverOptions) -> Result<Discovery> {
    let layout = |detail: &str| AudioError::Layout { path: task.to_path_buf(), detail: detail.to_string() };
    let metadata = task.join("metadata.csv");
    let (train, test) = (task.join("train"), task.join("test"));
    let mut entries = if metadata.is_file() {
        manifest::read_csv(&metadata)?
    } else if task.is_file() && extension(task) == ".csv" {
        manifest::read_csv(task)?
    } else if task.is_file() && extension(task) == ".jsonl" {
        manifest::read_jsonl(task)?
    } else if train.is_dir() && test.is_dir() {
        let mut entries = labelled_folder(&train, Some(Split::Train))?;
        entries.extend(labelled_folder(&test, Some(Split::Test))?);
        let valid = ["valid", "validation", "val", "dev"].map(|name| task.join(name));
        if let Some(valid) = valid.iter().find(|folder| folder.is_dir()) {
            entries.extend(labelled_folder(valid, Some(Split::Valid))?);
        }
        entries
    } else if train.is_dir() || test.is_dir() {
        return Err(layout("has one of train/ and test/ but not the other; add it, or remove that level"));
    } else if task.is_dir() {
        labelled_folder(task, None)?
    } else {
        return Err(layout("is neither a folder nor a .csv or .jsonl manifest; give a labelled folder"));
    };
    if let Some(entry) = entries.iter().find(|e| e.labels.is_empty() && !e.multi_label) {
        let detail = format!("{} has no label; every row of a task needs one", entry.path.display());
        return Err(layout(&detail));
    }
    draw_test(&mut entries, test_fraction, seed);
    let found = probe_all(task, entries, options)?;
    for (split, name) in [(Split::Train, "training"), (Split::Test, "test")] {
        if !found.clips.iter().any(|c| c.split == split) {
            return Err(layout(&format!("holds no usable {name} clips; add some or change --test-fraction")));
        }
    }
    if found.labels.len() < 2 {
        return Err(layout("holds fewer than two labels; a task needs at least two"));
    }
    Ok(found)
}

/// The lower-case extension with its dot, "" without one.
fn extension(path: &Path) -> String {
    path.extension().map(|e| format!(".{}", e.to_string_lossy().to_lowercase())).unwrap_or_default()
}

/// All audio files below `folder`, sorted; hidden files (such as macOS "._" copies) are left out.
fn audio_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for item in WalkDir::new(folder).follow_links(true).sort_by_file_name() {
        let item =
            item.map_err(|e| AudioError::Io { path: e.path().unwrap_or(folder).to_path_buf(), detail: e.to_string() })?;
        let hidden = item.file_name().to_string_lossy().starts_with('.');
        let known = EXTENSIONS.contains(&extension(item.path()).as_str());
        if item.file_type().is_file() && known && !hidden {
            files.push(item.into_path());
        }
    }
    if files.is_empty() {
        return Err(AudioError::NoAudio { path: folder.to_path_buf() });
    }
    Ok(files)
}

/// `folder/<label>/**`: the first folder level names the label.
fn labelled_folder(folder: &Path, split: Option<Split>) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for path in audio_files(folder)? {
        let below = path.strip_prefix(folder).unwrap_or(&path);
        let mut levels = below.components();
        let labels = levels.next().map(|c| c.as_os_str().to_string_lossy().into_owned()).into_iter().collect();
        if levels.next().is_none() {
            return Err(AudioError::Layout {
                path: path.clone(),
                detail: format!("lies in {} without a label folder; move it into one", folder.display()),
            });
        }
        entries.push(Entry { labels, split, ..Entry::of(path) });
    }
    Ok(entries)
}

/// Draws the test files among the entries without a split, label by label (the first of several), whole files only.
fn draw_test(entries: &mut [Entry], test_fraction: f64, seed: u64) {
    let files = entries.iter().filter(|e| e.split.is_none()).map(|e| (e.labels.first(), &e.path));
    let drawn = draw_files(files, test_fraction, seed, Purpose::TestSplit);
    for e in entries.iter_mut().filter(|e| e.split.is_none()) {
        e.split = Some(if drawn.contains(&e.path) { Split::Test } else { Split::Train });
    }
}

/// A share of every label's files. Both parts get at least one wherever there are two.
fn draw_files<'a, Label: Ord>(
    files: impl Iterator<Item = (Label, &'a PathBuf)>,
    fraction: f64,
    seed: u64,
    purpose: Purpose,
) -> BTreeSet<PathBuf> {
    let mut of_label: BTreeMap<Label, BTreeSet<&PathBuf>> = BTreeMap::new();
    for (label, path) in files {
        of_label.entry(label).or_default().insert(path);
    }
    let mut drawn = BTreeSet::new();
    for (i, paths) in of_label.into_values().enumerate() {
        let mut paths: Vec<&PathBuf> = paths.into_iter().collect();
        paths.shuffle(&mut stream(seed, purpose, i as u64, 0));
        let wanted = (paths.len() as f64 * fraction).round() as usize;
        let wanted = wanted.clamp(usize::from(paths.len() > 1), paths.len().saturating_sub(1));
        drawn.extend(paths[..wanted].iter().map(|path| path.to_path_buf()));
    }
    drawn
}

/// Probes every file once, in parallel, and turns the entries into clips.
fn probe_all(source: &Path, entries: Vec<Entry>, options: DiscoverOptions) -> Result<Discovery> {
    let mut index: HashMap<&Path, usize> = HashMap::new();
    let mut files: Vec<&Path> = Vec::new();
    for entry in &entries {
        index.entry(&entry.path).or_insert_with(|| {
            files.push(&entry.path);
            files.len() - 1
        });
    }
    let infos = probe_parallel(&files, options);

    let mut skipped: Vec<(PathBuf, AudioError)> = Vec::new();
    let mut usable: Vec<(&Entry, u64, u64)> = Vec::new();
    let mut listed = BTreeSet::new();
    for entry in &entries {
        let file = index[entry.path.as_path()];
        let part = infos[file].clone().and_then(|info| part_of(entry, info));
        match part {
            Ok((start, samples)) => usable.push((entry, start, samples)),
            Err(err) if options.strict => return Err(err),
            Err(err) => {
                // A bad file is listed once, a bad row of a manifest every time.
                if infos[file].is_ok() || listed.insert(file) {
                    skipped.push((entry.path.clone(), err));
                }
            }
        }
    }
    if usable.is_empty() {
        return Err(match skipped.into_iter().next() {
            Some((_, first)) => {
                AudioError::NothingUsable { path: source.to_path_buf(), files: files.len(), first: Box::new(first) }
            }
            None => AudioError::NoAudio { path: source.to_path_buf() },
        });
    }
    let names: BTreeSet<&String> = usable.iter().flat_map(|(e, ..)| &e.labels).collect();
    let labels: Vec<String> = names.into_iter().cloned().collect();
    let multi_label = usable.iter().any(|(e, ..)| e.multi_label);
    let labels_of = |e: &Entry| {
        let numbers = e.labels.iter().filter_map(|l| labels.binary_search(l).ok()).map(|i| i as u32);
        numbers.collect::<BTreeSet<_>>().into_iter().collect()
    };
    let clips = usable
        .into_iter()
        .map(|(e, start, samples)| Clip {
            path: e.path.clone(),
            start,
            samples,
            labels: labels_of(e),
            split: e.split.unwrap_or(Split::Train),
        })
        .collect();
    Ok(Discovery { clips, labels, multi_label, skipped })
}

/// Probes `files` with several threads; with `strict` the rest is left alone after the first failure.
fn probe_parallel(files: &[&Path], options: DiscoverOptions) -> Vec<Result<AudioInfo>> {
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let results: Vec<Mutex<Result<AudioInfo>>> = files.iter().map(|_| Mutex::new(Err(AudioError::Stopped))).collect();
    let work = || {
        while !stop.load(Ordering::Relaxed) {
            let i = next.fetch_add(1, Ordering::Relaxed);
            let Some(file) = files.get(i) else { break };
            let info = probe_file(file);
            if info.is_err() && options.strict {
                stop.store(true, Ordering::Relaxed);
            }
            *results[i].lock().expect("no probe panics with the lock held") = info;
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..options.workers.clamp(1, files.len().max(1)) {
            scope.spawn(work);
        }
    });
    let take = |m: Mutex<Result<AudioInfo>>| m.into_inner().expect("no probe panics with the lock held");
    results.into_iter().map(take).collect()
}

/// First sample and length of the part of a file that a manifest row names.
fn part_of(entry: &Entry, info: AudioInfo) -> Result<(u64, u64)> {
    let to_samples = |s: f64| (s * f64::from(SAMPLE_RATE_HZ)).round() as u64;
    let to_s = |n: u64| n as f64 / f64::from(SAMPLE_RATE_HZ);
    let start = entry.start_s.map_or(0, to_samples);
    let left = info.samples.saturating_sub(start);
    let samples = entry.duration_s.map_or(left, to_samples);
    // Durations are often rounded to a tenth of a second.
    if start >= info.samples || samples > left + u64::from(SAMPLE_RATE_HZ / 10) {
        return Err(AudioError::Layout {
            path: entry.path.clone(),
            detail: format!(
                "a manifest row asks for {:.2} to {:.2} s, the file ends at {:.2} s; correct start_s or duration_s",
                to_s(start),
                to_s(start + samples),
                to_s(info.samples)
            ),
        });
    }
    let samples = samples.min(left);
    if samples < MIN_SAMPLES {
        return Err(AudioError::TooShort { path: entry.path.clone(), samples });
    }
    Ok((start, samples))
}
