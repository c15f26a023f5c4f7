//! Folders, lists, manifests and labelled tasks.

use super::super::AudioError;
use super::super::dataset::{DiscoverOptions, Split, discover, discover_task};
use super::*;

const OPTIONS: DiscoverOptions = DiscoverOptions { workers: 2, strict: false };
const STRICT: DiscoverOptions = DiscoverOptions { workers: 2, strict: true };

fn names(clips: &[super::super::dataset::Clip]) -> Vec<String> {
    clips.iter().map(|c| c.path.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

#[test]
fn a_folder_is_searched_and_sorted() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["b/x.wav", "a/y.WAV", "z.wav", "b/._x.wav"] {
        write_wav(&dir.path().join(name), &chirp(0.1), 16_000);
    }
    std::fs::copy(fixture("chirp.flac"), dir.path().join("a/z.flac")).unwrap();
    std::fs::write(dir.path().join("notes.txt"), "no audio").unwrap();
    let found = discover(dir.path(), OPTIONS).unwrap();
    assert_eq!(names(&found.clips), ["y.WAV", "z.flac", "x.wav", "z.wav"]);
    assert_eq!(found.clips[0].samples, 1600);
    assert!(found.clips.iter().all(|c| c.start == 0 && c.labels.is_empty()));
    assert!(found.skipped.is_empty() && found.labels.is_empty());
}

#[test]
fn bad_files_among_good_ones_are_listed_or_fatal() {
    let dir = tempfile::tempdir().unwrap();
    write_wav(&dir.path().join("good.wav"), &chirp(0.1), 16_000);
    std::fs::write(dir.path().join("bad.wav"), "").unwrap();
    let found = discover(dir.path(), OPTIONS).unwrap();
    assert_eq!(names(&found.clips), ["good.wav"]);
    assert_eq!(found.skipped.len(), 1);
    assert!(matches!(found.skipped[0].1, AudioError::Empty { .. }));
    assert!(matches!(discover(dir.path(), STRICT), Err(AudioError::Empty { .. })));
}

#[test]
fn a_folder_without_audio_says_what_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let text = discover(dir.path(), OPTIONS).unwrap_err().to_string();
    assert!(text.contains(".opus") && text.contains(".wav"), "{text}");
    std::fs::write(dir.path().join("bad.wav"), "").unwrap();
    let err = discover(dir.path(), OPTIONS).unwrap_err();
    assert!(matches!(err, AudioError::NothingUsable { files: 1, .. }));
}

#[test]
fn lists_and_manifests() {
    let dir = tempfile::tempdir().unwrap();
    write_wav(&dir.path().join("wav/a.wav"), &chirp(1.0), 16_000);
    write_wav(&dir.path().join("wav/b.wav"), &chirp(1.0), 16_000);
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let list = write("list.txt", "# mine\nwav/b.wav\n\nwav/a.wav\n");
    assert_eq!(names(&discover(&list, OPTIONS).unwrap().clips), ["b.wav", "a.wav"]);

    let csv = write("m.csv", "path,start_s,duration_s,label,extra\nwav/a.wav,0.25,0.5,dog,1\nwav/b.wav,,,cat,2\n");
    let found = discover(&csv, OPTIONS).unwrap();
    assert_eq!(found.labels, ["cat", "dog"]);
    assert_eq!((found.clips[0].start, found.clips[0].samples, found.clips[0].label()), (4000, 8000, Some(1)));
    assert_eq!((found.clips[1].start, found.clips[1].samples), (0, 16_000));

    let jsonl = write("m.jsonl", "{\"file_name\": \"wav/a.wav\", \"duration_s\": 0.5, \"label\": 3}\n");
    let found = discover(&jsonl, OPTIONS).unwrap();
    assert_eq!((found.clips[0].samples, found.labels[0].as_str()), (8000, "3"));

    let late = write("late.csv", "path,start_s\nwav/a.wav,7\nwav/b.wav,0\n");
    assert_eq!(discover(&late, OPTIONS).unwrap().skipped.len(), 1);
    for (text, says) in [
        ("name\nx\n", "path or file_name"),
        ("path,start_s\nwav/a.wav,x\n", "line 2: start_s"),
        ("path,split\nwav/a.wav,mine\n", "line 2: split"),
    ] {
        let err = discover(&write("bad.csv", text), OPTIONS).unwrap_err().to_string();
        assert!(err.contains(says), "{err}");
    }
}

#[test]
fn tasks_with_folders_for_train_and_test() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["train/dog/1.wav", "train/cat/1.wav", "val/dog/3.wav", "test/dog/2.wav", "test/cat/deep/2.wav"] {
        write_wav(&dir.path().join(name), &chirp(0.1), 16_000);
    }
    let found = discover_task(dir.path(), 0.5, 0, OPTIONS).unwrap();
    assert_eq!(found.labels, ["cat", "dog"]);
    let tests: Vec<_> = found.clips.iter().filter(|c| c.split == Split::Test).collect();
    assert_eq!(tests.iter().map(|c| c.label().unwrap()).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(found.clips.iter().filter(|c| c.split == Split::Valid).count(), 1);

    std::fs::remove_dir_all(dir.path().join("test")).unwrap();
    assert!(discover_task(dir.path(), 0.5, 0, OPTIONS).unwrap_err().to_string().contains("train/ and test/"));
}

#[test]
fn tasks_with_one_level_are_split_per_label_by_the_seed() {
    let dir = tempfile::tempdir().unwrap();
    for (label, count) in [("a", 10), ("b", 5), ("c", 2)] {
        for i in 0..count {
            write_wav(&dir.path().join(format!("{label}/{i}.wav")), &chirp(0.05), 16_000);
        }
    }
    let split = |seed| discover_task(dir.path(), 0.2, seed, OPTIONS).unwrap();
    let tests = |found: &super::super::dataset::Discovery| {
        let mut per_label = vec![0; found.labels.len()];
        for c in found.clips.iter().filter(|c| c.split == Split::Test) {
            per_label[c.label().unwrap() as usize] += 1;
        }
        per_label
    };
    assert_eq!(tests(&split(1)), [2, 1, 1]);
    let mut validated = split(1);
    validated.draw_validation(0.3, 7);
    let count = |split| validated.clips.iter().filter(|c| c.split == split).count();
    assert_eq!((count(Split::Train), count(Split::Valid), count(Split::Test)), (10, 3, 4));
    let once = validated.clips.clone();
    validated.draw_validation(0.3, 8);
    assert_eq!(validated.clips, once, "a task with a validation split keeps it");
    assert_eq!(split(1).clips, split(1).clips);
    assert_ne!(split(1).clips, split(2).clips);
}

#[test]
fn tasks_with_metadata_csv() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..4 {
        write_wav(&dir.path().join(format!("{i}.wav")), &chirp(0.05), 16_000);
    }
    let meta = dir.path().join("metadata.csv");
    std::fs::write(&meta, "file_name,label,split\n0.wav,x,train\n1.wav,y,train\n2.wav,x,test\n3.wav,y,validation\n")
        .unwrap();
    let found = discover_task(dir.path(), 0.5, 0, OPTIONS).unwrap();
    assert_eq!(names(&found.clips), ["0.wav", "1.wav", "2.wav", "3.wav"]);
    assert_eq!(found.clips[3].split, Split::Valid);
    std::fs::write(&meta, "file_name,label,split\n0.wav,,train\n").unwrap();
    assert!(discover_task(dir.path(), 0.5, 0, OPTIONS).unwrap_err().to_string().contains("no label"));
}

#[test]
fn clips_with_several_labels_or_none() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..3 {
        write_wav(&dir.path().join(format!("{i}.wav")), &chirp(0.05), 16_000);
    }
    let csv = dir.path().join("m.csv");
    std::fs::write(&csv, "path,labels,split\n0.wav,rain; dog;rain,train\n1.wav,,train\n2.wav,dog,test\n").unwrap();
    let jsonl = dir.path().join("m.jsonl");
    let lines = [
        r#"{"path":"0.wav","labels":["rain","dog"],"split":"train"}"#,
        r#"{"path":"1.wav","labels":null,"split":"train"}"#,
        r#"{"path":"2.wav","labels":"dog","split":"test"}"#,
    ];
    std::fs::write(&jsonl, lines.join("\n")).unwrap();
    for manifest in [csv, jsonl] {
        let found = discover_task(&manifest, 0.5, 0, OPTIONS).unwrap();
        assert!(found.multi_label && found.labels == ["dog", "rain"]);
        assert_eq!(found.clips.iter().map(|c| c.labels.clone()).collect::<Vec<_>>(), [vec![0, 1], vec![], vec![0]]);
    }
}
