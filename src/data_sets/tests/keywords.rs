//! Speech Commands.

use super::*;

/// A V2 tree (V1 where `second` is false): three clips a word, of which the second is validation and the third test.
fn speech_commands(root: &str, second: bool) -> Tree {
    let tree = Tree::new();
    let words = if second { ["yes", "no", "backward"] } else { ["yes", "no", "bed"] };
    let (mut valid, mut test) = (String::new(), String::new());
    for word in words {
        for i in 0..3 {
            tree.audio(&format!("{root}{word}/0a7c2a8d_nohash_{i}.wav"));
        }
        valid += &format!("{word}/0a7c2a8d_nohash_1.wav\n");
        test += &format!("{word}/0a7c2a8d_nohash_2.wav\n");
    }
    tree.text(&format!("{root}validation_list.txt"), &valid);
    tree.text(&format!("{root}testing_list.txt"), &test);
    tree.audio_of(&format!("{root}_background_noise_/running_tap.wav"), 2.0);
    tree.audio_of(&format!("{root}_background_noise_/white_noise.wav"), 10.0);
    tree.text(&format!("{root}_background_noise_/README.md"), "noise");
    tree
}

/// The archive of the official test of 12 classes.
fn test_archive(tree: &Tree, root: &str, classes: &[&str]) {
    for class in classes {
        tree.audio(&format!("{root}/{class}/test.wav"));
    }
}

#[test]
fn words_are_split_by_the_lists() {
    let tree = speech_commands("", true);
    let found = import("speech-commands-v2", &tree.path());
    let listing = &found.checked.listing;
    assert_eq!(
        rows(listing, Split::Train),
        ["backward/0a7c2a8d_nohash_0.wav backward", "no/0a7c2a8d_nohash_0.wav no", "yes/0a7c2a8d_nohash_0.wav yes"]
    );
    assert_eq!(rows(listing, Split::Valid)[0], "backward/0a7c2a8d_nohash_1.wav backward");
    assert_eq!(rows(listing, Split::Test)[2], "yes/0a7c2a8d_nohash_2.wav yes");
    assert_eq!(found.task.labels, ["backward", "no", "yes"]);
    assert!(listing.split_rule.starts_with("official"), "{}", listing.split_rule);
    let deviations = listing.deviations();
    assert!(deviations.contains(&"words: 35 expected, 3 found".to_string()), "{deviations:?}");
    assert!(deviations.contains(&"clips in testing_list.txt: 11005 expected, 3 found".to_string()), "{deviations:?}");
}

#[test]
fn twelve_classes_with_the_official_test_archive() {
    let tree = speech_commands("speech_commands_v0.02/", true);
    test_archive(&tree, "speech_commands_test_set_v0.02", &["yes", "_silence_", "_unknown_"]);
    // Both the folder above and the folder itself will do.
    for src in ["", "speech_commands_v0.02"] {
        let found = import("speech-commands-v2-12", &tree.at(src));
        let listing = &found.checked.listing;
        assert_eq!(found.task.labels, ["_silence_", "_unknown_", "no", "yes"]);
        let silence = listing.rows.iter().filter(|r| r.labels[0] == "_silence_" && r.split == Split::Train).count();
        // Starts 0, 0.5, .. 8.5 as in TensorFlow Datasets, whose range excludes the last possible one.
        assert_eq!(silence, 18);
        let valid: Vec<_> = rows(listing, Split::Valid).into_iter().filter(|r| r.contains("_silence_")).collect();
        assert!(valid.len() == 2 && valid[1].ends_with("running_tap.wav _silence_ 0.5"), "{valid:?}");
        assert!(rows(listing, Split::Train).iter().any(|r| r.ends_with("backward/0a7c2a8d_nohash_0.wav _unknown_")));
        assert_eq!(listing.clips(Split::Test), 3);
        assert!(listing.rows.iter().all(|r| !r.path.ends_with("yes/0a7c2a8d_nohash_2.wav")));
        assert!(found.manifest.contains("white_noise.wav,_silence_,train,8.5,1\n"), "{}", found.manifest);
        let clip = found.task.clips.iter().find(|c| c.start == 8000).unwrap();
        assert_eq!(clip.samples, 16_000);
    }
}

#[test]
fn twelve_classes_without_the_archive_have_silence_of_their_own_to_test_on() {
    let tree = speech_commands("", false);
    let found = import("speech-commands-v1", &tree.path());
    let listing = &found.checked.listing;
    let silence = |split| {
        let rows = rows(listing, split).into_iter().filter(|r| r.contains("white_noise"));
        rows.map(|r| r.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).collect::<Vec<_>>()
    };
    // 10 s: nothing of what the test hears is heard in training.
    assert_eq!(silence(Split::Train).into_iter().fold(0.0, f64::max), 7.0);
    assert_eq!(silence(Split::Test), [8.0, 8.5]);
    assert_eq!(rows(listing, Split::Test).len(), 5);
    assert!(listing.split_rule.contains("our own rule") && found.notes.contains("speech_commands_test_set_v0.01"));
    // A noise file is one file to pre-train on, however many clips it is cut into.
    let pretrain = std::fs::read_to_string(&found.pretrain).unwrap();
    assert_eq!(pretrain.lines().filter(|l| l.ends_with("white_noise.wav")).count(), 1);
    assert!(!pretrain.contains("running_tap") && !pretrain.contains("nohash_1"), "{pretrain}");
}

#[test]
fn versions_are_told_apart() {
    let first = speech_commands("", false);
    fails("speech-commands-v2", &first.path(), &["no folder backward/", "it is V1"]);
    let second = speech_commands("", true);
    fails("speech-commands-v1", &second.path(), &["a folder backward/", "it is V2"]);
}

#[test]
fn what_is_listed_and_not_there_is_left_out() {
    let tree = speech_commands("", true);
    tree.remove("no/0a7c2a8d_nohash_2.wav");
    tree.text("yes/0a7c2a8d_nohash_0.wav", "");
    let found = import("speech-commands-v2", &tree.path());
    let left = left_out(&found.checked.listing);
    assert_eq!(left[0], "no/0a7c2a8d_nohash_2.wav: listed in testing_list.txt, not on disk");
    assert!(left[1].starts_with("yes/0a7c2a8d_nohash_0.wav: the file is empty"), "{left:?}");
    assert!(found.missing.contains("no/0a7c2a8d_nohash_2.wav,\"listed in testing_list.txt, not on disk\"\n"));
    assert_eq!(found.task.clips.len(), 7);
}

#[test]
fn damaged_downloads_are_refused() {
    let tree = speech_commands("", true);
    tree.text("testing_list.txt", "yes/0a7c2a8d_nohash_2.wav\nyes 0a7c\n");
    fails("speech-commands-v2", &tree.path(), &["testing_list.txt, line 2", "word/file.wav"]);
    tree.text("testing_list.txt", "yes/0a7c2a8d_nohash_1.wav\n");
    fails("speech-commands-v2", &tree.path(), &["testing_list.txt, line 1", "second time"]);
    tree.remove("testing_list.txt");
    fails("speech-commands-v2", &tree.path(), &["testing_list.txt"]);
    tree.remove("validation_list.txt");
    fails("speech-commands-v2", &tree.path(), &["validation_list.txt is missing", "cola data speech-commands-v2"]);

    let tree = speech_commands("", true);
    fails("speech-commands-v2", &tree.at("yes"), &["validation_list.txt is not here but in"]);
    tree.remove("_background_noise_");
    fails("speech-commands-v2-12", &tree.path(), &["_background_noise_/ is missing"]);
    tree.audio_of("_background_noise_/white_noise.wav", 3.0);
    test_archive(&tree, "speech_commands_test_set_v0.02", &["yes", "cat"]);
    fails("speech-commands-v2-12", &tree.path(), &["cat/ is none of the 12 classes"]);
}

#[test]
fn an_unreadable_noise_file_is_left_out_like_any_other() {
    let tree = speech_commands("", true);
    tree.text("_background_noise_/pink_noise.wav", "not audio at all, not at all");
    let listing = read("speech-commands-v2-12", &tree.path()).unwrap();
    let left = left_out(&listing);
    assert!(left.len() == 1 && left[0].starts_with("_background_noise_/pink_noise.wav"), "{left:?}");
}
