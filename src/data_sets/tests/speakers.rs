//! LibriSpeech and VoxCeleb1.

use super::*;

fn librispeech() -> Tree {
    let tree = Tree::new();
    tree.text("LibriSpeech/SPEAKERS.TXT", "; comments");
    for (speaker, chapter) in [("103", "1240"), ("103", "1241"), ("1034", "121119")] {
        for i in 0..5 {
            tree.audio(&format!("LibriSpeech/train-clean-100/{speaker}/{chapter}/{speaker}-{chapter}-{i:04}.flac"));
        }
        let text = format!("LibriSpeech/train-clean-100/{speaker}/{chapter}/{speaker}-{chapter}.trans.txt");
        tree.text(&text, "words");
    }
    tree.audio("LibriSpeech/dev-clean/84/121123/84-121123-0000.flac");
    tree
}

#[test]
fn librispeech_speakers_are_in_both_halves() {
    let tree = librispeech();
    let found = import("librispeech", &tree.path());
    let listing = &found.checked.listing;
    assert_eq!(found.task.labels, ["103", "1034"]);
    let tests = rows(listing, Split::Test);
    let of = |label: &str| tests.iter().filter(|r| r.ends_with(&format!(" {label}"))).count();
    assert_eq!((of("103"), of("1034"), listing.clips(Split::Train)), (2, 1, 12));
    assert!(listing.split_rule.contains("our own rule") && listing.split_rule.contains("speaker"));
    assert!(listing.deviations().contains(&"classes with a clip: 251 expected, 2 found".to_string()));
    // The levels that people unpack to are one and the same split.
    for inside in ["LibriSpeech", "LibriSpeech/train-clean-100"] {
        let other = read("librispeech", &tree.at(inside)).unwrap();
        assert_eq!(other.rows, read("librispeech", &tree.path()).unwrap().rows);
    }
}

#[test]
fn librispeech_malformed() {
    let tree = librispeech();
    fails("librispeech", &tree.at("LibriSpeech/dev-clean"), &["train-clean-100 is not here but in", "LibriSpeech"]);
    tree.audio("LibriSpeech/train-clean-100/103/1240/astray.flac");
    tree.text("LibriSpeech/train-clean-100/103/1240/103-1240-0000.flac", "fLaC but nothing more");
    let found = import("librispeech", &tree.path());
    let left = left_out(&found.checked.listing);
    assert!(left[0].ends_with("1240/astray.flac: its name does not begin with 103-1240-"), "{left:?}");
    assert!(left.len() == 2 && left[1].contains("103-1240-0000.flac"), "{left:?}");
    tree.remove("LibriSpeech/train-clean-100/103");
    tree.remove("LibriSpeech/train-clean-100/1034");
    fails("librispeech", &tree.path(), &["no <speaker>/<chapter>/*.flac"]);
    tree.remove("LibriSpeech");
    fails("librispeech", &tree.path(), &["train-clean-100 is missing", "cola data librispeech"]);
}

fn voxceleb() -> Tree {
    let tree = Tree::new();
    let mut table = String::new();
    for speaker in ["id10001", "id10270"] {
        for (i, part) in [1, 1, 2, 3].iter().enumerate() {
            let clip = format!("{speaker}/1zcIwhmdeo4/{i:05}.wav");
            tree.audio(&format!("wav/{clip}"));
            table += &format!("{part} {clip}\n");
        }
    }
    tree.text("iden_split.txt", &table);
    tree
}

#[test]
fn voxceleb_follows_its_list() {
    let tree = voxceleb();
    let found = import("voxceleb1", &tree.path());
    let listing = &found.checked.listing;
    assert_eq!(
        rows(listing, Split::Test),
        ["wav/id10001/1zcIwhmdeo4/00003.wav id10001", "wav/id10270/1zcIwhmdeo4/00003.wav id10270"]
    );
    assert_eq!((listing.clips(Split::Train), listing.clips(Split::Valid)), (4, 2));
    assert!(listing.deviations().contains(&"classes with a clip: 1251 expected, 2 found".to_string()));
    // Each archive in a folder of its own.
    tree.rename("wav/id10001", "vox1_dev_wav/wav/id10001");
    tree.rename("wav/id10270", "vox1_test_wav/wav/id10270");
    assert_eq!(import("voxceleb1", &tree.path()).task.clips.len(), 8);
}

#[test]
fn voxceleb_malformed() {
    let tree = voxceleb();
    tree.remove("wav/id10001/1zcIwhmdeo4/00003.wav");
    let listing = read("voxceleb1", &tree.path()).unwrap();
    assert_eq!(left_out(&listing), ["wav/id10001/1zcIwhmdeo4/00003.wav: listed in iden_split.txt, not on disk"]);
    fails("voxceleb1", &tree.at("wav"), &["iden_split.txt is not here but in"]);
    for row in ["4 id10001/1zcIwhmdeo4/00003.wav", "1 id10001/00003.wav", "id10001"] {
        tree.text("iden_split.txt", &format!("1 id10001/1zcIwhmdeo4/00000.wav\n{row}\n"));
        fails("voxceleb1", &tree.path(), &["iden_split.txt, line 2", "1 to 3"]);
    }
    tree.remove("iden_split.txt");
    fails("voxceleb1", &tree.path(), &["iden_split.txt is missing"]);
}
