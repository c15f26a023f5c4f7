//! What is written, and the table of sets.

use super::super::{DATA_SETS, DataSetError, MANIFEST};
use super::*;
use crate::audio::discover;

/// Six clips of two classes.
fn musan(tree: &Tree, below: &str) {
    for class in ["music/fma", "speech/librivox", "noise/free-sound"] {
        for i in 0..2 {
            tree.audio(&format!("{below}musan/{class}/{i}.wav"));
        }
    }
}

fn written(tree: &Tree, src: &str, out: &str) -> Result<super::super::Written> {
    let set = DataSet::named("musan")?;
    let checked = check(set, set.read(&tree.at(src))?, 1, |_| ())?;
    write(set, &checked, &tree.at(out))
}

#[test]
fn paths_are_absolute_or_relative_where_all_can_be_moved_together() {
    let tree = Tree::new();
    musan(&tree, "data/");
    let first_path = |out: &str| {
        let manifest = written(&tree, "data", out).unwrap().manifest;
        let text = std::fs::read_to_string(manifest).unwrap();
        text.lines().nth(1).unwrap().split(',').next().unwrap().to_string()
    };
    let absolute = first_path("task");
    assert!(absolute.starts_with(tree.path().to_str().unwrap()), "{absolute}");
    assert_eq!(first_path("data"), "musan/music/fma/0.wav");
    let notes = std::fs::read_to_string(tree.at("data/NOTES.txt")).unwrap();
    assert!(notes.contains("paths: relative to the manifest's folder"), "{notes}");
    tree.rename("data", "moved");
    let options = DiscoverOptions { workers: 1, strict: true };
    assert_eq!(discover_task(&tree.at("moved"), 0.5, 0, options).unwrap().clips.len(), 6);
    // What pre-training reads is the training half.
    assert_eq!(discover(&tree.at("moved/pretrain.csv"), options).unwrap().clips.len(), 3);
}

#[test]
fn a_second_run_replaces_its_own_files_but_nobody_elses() {
    let tree = Tree::new();
    musan(&tree, "");
    written(&tree, "", "task").unwrap();
    tree.remove("musan/music/fma/1.wav");
    let again = written(&tree, "", "task").unwrap();
    assert_eq!(std::fs::read_to_string(again.manifest).unwrap().lines().count(), 6);
    tree.text("mine/metadata.csv", "file_name,label\n");
    let error = written(&tree, "", "mine").unwrap_err().to_string();
    assert!(error.contains("did not write") && error.contains("--out"), "{error}");
    tree.text("mine/NOTES.txt", "data set: nsynth\nNSynth\n");
    assert!(written(&tree, "", "mine").unwrap_err().to_string().contains("metadata.csv already, of nsynth"));
    tree.text("file", "");
    assert!(written(&tree, "", "file/task").unwrap_err().to_string().contains("cannot write"));
}

#[test]
fn notes_tell_all_that_a_score_needs() {
    let tree = Tree::new();
    musan(&tree, "");
    tree.text("musan/noise/free-sound/1.wav", "");
    tree.audio("musan/noise/free-sound/2\n.wav");
    tree.audio("musan/noise/free-sound/3.WAV");
    let found = import("musan", &tree.path());
    for part in [
        "data set: musan\n",
        "split: our own rule",
        "train            ",
        "left out: 2, see missing.csv",
        "its path cannot be written to a list",
        "the file is empty",
        "files of noise",
        "930 expected         4 found   differs",
        "does not describe its split",
        "https://www.openslr.org/17",
        "CC BY 4.0",
        "Clips of each label",
    ] {
        assert!(found.notes.contains(part), "\"{part}\" is not in:\n{}", found.notes);
    }
    assert!(found.notes.lines().all(|line| line.chars().count() <= 130));
    assert!(found.checked.hours_of(Split::Train) > 0.0);
    assert!(found.missing.starts_with("path,reason\n"));
}

#[test]
fn a_set_of_which_nothing_is_left_is_an_error() {
    let tree = Tree::new();
    tree.text("musan/speech/librivox/0.wav", "");
    tree.text("musan/music/fma/0.wav", "");
    tree.text("musan/noise/free-sound/0.wav", "");
    let set = DataSet::named("musan").unwrap();
    let error = check(set, set.read(&tree.path()).unwrap(), 2, |_| ()).unwrap_err();
    assert!(matches!(error, DataSetError::NothingUsable { clips: 3, .. }));
    let text = error.to_string();
    assert!(text.contains("none of the 3 clips of musan") && text.contains("empty") && !text.contains('\n'), "{text}");
}

#[test]
fn progress_counts_every_file_once() {
    let tree = Tree::new();
    musan(&tree, "");
    let set = DataSet::named("musan").unwrap();
    let most = std::sync::atomic::AtomicU64::new(0);
    check(set, set.read(&tree.path()).unwrap(), 3, |done| {
        most.fetch_max(done, std::sync::atomic::Ordering::Relaxed);
    })
    .unwrap();
    assert_eq!(most.into_inner(), 6);
}

#[test]
fn every_set_describes_itself() {
    let mut names: Vec<&str> = DATA_SETS.iter().map(|set| set.name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), DATA_SETS.len());
    for set in DATA_SETS {
        let text = set.description();
        for part in [set.name, "download", "https://", "licence", "SRC holds"] {
            assert!(text.contains(part) || (part == "https://" && text.contains("http://")), "{part}:\n{text}");
        }
        assert!(text.lines().all(|line| line.chars().count() <= 130), "{text}");
        // Wrong folders are named, whatever the set.
        let nowhere = Path::new("/nowhere/at/all");
        let error = set.read(nowhere).unwrap_err().to_string();
        assert!(error.contains("/nowhere/at/all: no such folder"), "{error}");
        let empty = Tree::new();
        let error = set.read(&empty.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("cola data {}", set.name)) && !error.contains('\n'), "{error}");
    }
    let unknown = DataSet::named("esc50").unwrap_err().to_string();
    assert!(unknown.contains("\"esc50\"") && unknown.contains("librispeech, speech-commands-v1"), "{unknown}");
    assert_eq!(MANIFEST, "metadata.csv");
}
