//! MUSAN and NSynth.

use super::*;

fn musan() -> Tree {
    let tree = Tree::new();
    for (folder, count) in [("music/fma", 3), ("music/jamendo", 2), ("speech/librivox", 5), ("noise/free-sound", 5)] {
        for i in 0..count {
            let name = folder.replace('/', "-");
            tree.audio(&format!("musan/{folder}/{name}-{i:04}.wav"));
        }
        tree.text(&format!("musan/{folder}/ANNOTATIONS"), "x");
    }
    tree.text("musan/README", "x");
    tree
}

#[test]
fn musan_is_split_within_its_classes() {
    let tree = musan();
    let found = import("musan", &tree.path());
    let listing = &found.checked.listing;
    assert_eq!(found.task.labels, ["music", "noise", "speech"]);
    let tests = rows(listing, Split::Test);
    assert_eq!(tests.iter().map(|r| r.rsplit(' ').next().unwrap()).collect::<Vec<_>>(), ["music", "noise", "speech"]);
    assert_eq!(listing.clips(Split::Train), 12);
    assert_eq!(read("musan", &tree.at("musan")).unwrap().rows, read("musan", &tree.path()).unwrap().rows);
    assert!(found.notes.contains("our own rule") && found.notes.contains("files of music"));
}

#[test]
fn musan_malformed() {
    let tree = musan();
    tree.text("musan/music/fma/music-fma-0000.wav", "");
    let found = import("musan", &tree.path());
    assert!(left_out(&found.checked.listing)[0].starts_with("musan/music/fma/music-fma-0000.wav: the file is empty"));
    fails("musan", &tree.at("musan/speech"), &["speech/librivox is not here but in"]);
    tree.remove("musan/noise");
    fails("musan", &tree.path(), &["noise/ is missing", "cola data musan"]);
    tree.remove("musan");
    fails("musan", &tree.path(), &["speech/librivox is missing"]);
}

fn nsynth() -> Tree {
    let tree = Tree::new();
    for (part, count) in [("train", 3), ("valid", 1), ("test", 1)] {
        let mut notes = serde_json::Map::new();
        for family in ["bass", "vocal"] {
            for i in 0..count {
                let id = format!("{family}_synthetic_{part}-0{i}-050-075");
                tree.audio(&format!("nsynth-{part}/audio/{id}.wav"));
                let note = serde_json::json!({"note_str": id, "pitch": 50, "instrument_family": 3,
                    "instrument_family_str": family, "qualities": [0, 1], "qualities_str": ["dark"]});
                notes.insert(id, note);
            }
        }
        tree.text(&format!("nsynth-{part}/examples.json"), &serde_json::to_string(&notes).unwrap());
    }
    tree
}

#[test]
fn nsynth_follows_its_three_archives() {
    let tree = nsynth();
    let found = import("nsynth", &tree.path());
    let listing = &found.checked.listing;
    assert_eq!(found.task.labels, ["bass", "vocal"]);
    assert_eq!([Split::Train, Split::Valid, Split::Test].map(|s| listing.clips(s)), [6, 2, 2]);
    assert_eq!(rows(listing, Split::Test)[0], "nsynth-test/audio/bass_synthetic_test-00-050-075.wav bass");
    tree.remove("nsynth-valid");
    let listing = import("nsynth", &tree.path()).checked.listing;
    assert!(listing.remarks[0].starts_with("nsynth-valid/ is not there"));
}

#[test]
fn nsynth_malformed() {
    let tree = nsynth();
    tree.remove("nsynth-train/audio/bass_synthetic_train-01-050-075.wav");
    let listing = read("nsynth", &tree.path()).unwrap();
    assert_eq!(
        left_out(&listing),
        ["nsynth-train/audio/bass_synthetic_train-01-050-075.wav: listed in examples.json, not on disk"]
    );
    fails("nsynth", &tree.at("nsynth-train"), &["nsynth-train/examples.json is not here but in"]);
    tree.text("nsynth-test/examples.json", "{\"a\": {\"instrument_family_str\": \"theremin\"}}");
    fails("nsynth", &tree.path(), &["nsynth-test/examples.json", "\"theremin\""]);
    tree.text("nsynth-test/examples.json", "{\"a\": {\"pitch\": 3}}");
    fails("nsynth", &tree.path(), &["examples.json, line 1", "instrument_family_str"]);
    tree.text("nsynth-test/examples.json", "{\"a\": {\"instrument_fam");
    fails("nsynth", &tree.path(), &["examples.json, line 1"]);
    tree.remove("nsynth-test");
    fails("nsynth", &tree.path(), &["nsynth-test/examples.json", "cannot read it"]);
    tree.remove("nsynth-train");
    fails("nsynth", &tree.path(), &["nsynth-train/examples.json is missing"]);
}
