//! AudioSet and FSD50K: several labels a clip.

use super::*;

fn audioset() -> Tree {
    let tree = Tree::new();
    let table = |segments: &[&str]| {
        let header = "# Segments csv created Sun Mar  5 10:54:31 2017\n# num_ytids=2, num_segs=2, num_unique_labels=527, \
            num_positive_labels=52882\n# YTID, start_seconds, end_seconds, positive_labels\n";
        header.to_string() + &segments.join("\n") + "\n"
    };
    tree.text(
        "balanced_train_segments.csv",
        &table(&["--PJHxphWEs, 30.000, 40.000, \"/m/09x0r,/t/dd00088\"", "--ZhevVpy1s, 50.000, 60.000, \"/m/012xff\""]),
    );
    tree.text(
        "eval_segments.csv",
        &table(&["--4gqARaEJE, 0.000, 10.000, \"/m/068hy,/m/09x0r\"", "Y_BfEFTDN5k, 20.000, 30.000, \"/m/068hy\""]),
    );
    tree.text(
        "class_labels_indices.csv",
        "index,mid,display_name\n0,/m/09x0r,\"Speech\"\n1,/t/dd00088,\"Gush\"\n2,/m/012xff,\"Toothbrush\"\n\
        3,/m/068hy,\"Domestic animals, pets\"\n",
    );
    tree.audio("bal/--PJHxphWEs_30.000_40.000.wav");
    tree.audio("bal/Y--ZhevVpy1s.flac");
    tree.audio("eval/--4gqARaEJE.wav");
    tree.audio("eval/Y_BfEFTDN5k.wav");
    tree.audio("eval/not-listed0.wav");
    tree
}

#[test]
fn audioset_clips_are_found_under_the_names_that_people_give_them() {
    let tree = audioset();
    let found = import("audioset", &tree.path());
    let listing = &found.checked.listing;
    assert_eq!(
        rows(listing, Split::Train),
        ["bal/--PJHxphWEs_30.000_40.000.wav Speech;Gush", "bal/Y--ZhevVpy1s.flac Toothbrush"]
    );
    assert_eq!(rows(listing, Split::Test)[0], "eval/--4gqARaEJE.wav Domestic animals, pets;Speech");
    assert_eq!(found.task.labels, ["Domestic animals, pets", "Gush", "Speech", "Toothbrush"]);
    assert!(found.manifest.starts_with("path,labels,split\n"), "{}", found.manifest);
    // The header's own count is what is checked, as it differs between editions.
    let deviations = listing.deviations();
    assert!(deviations.len() == 2 && deviations.iter().all(|d| d.contains("527 expected, 4 found")), "{deviations:?}");
    assert!(listing.remarks[0].contains("unbalanced_train_segments.csv is not there"));
    let pretrain = std::fs::read_to_string(&found.pretrain).unwrap();
    assert_eq!(pretrain.lines().count(), 3, "{pretrain}");
}

#[test]
fn audioset_malformed() {
    let tree = audioset();
    tree.remove("bal/Y--ZhevVpy1s.flac");
    tree.remove("class_labels_indices.csv");
    tree.text("eval/--4gqARaEJE.wav", "<html>video unavailable</html>");
    let listing = import("audioset", &tree.path()).checked.listing;
    assert_eq!(rows(&listing, Split::Train), ["bal/--PJHxphWEs_30.000_40.000.wav /m/09x0r;/t/dd00088"]);
    let left = left_out(&listing);
    assert_eq!(left[0], "--ZhevVpy1s: listed in balanced_train_segments.csv, no file with this name");
    assert!(left.len() == 2 && left[1].starts_with("eval/--4gqARaEJE.wav: "), "{left:?}");
    assert!(listing.remarks[0].contains("labels are codes"));

    for row in ["--PJHxphWEs, 30.000", "--PJ, 30.000, 40.000, \"/m/09x0r\"", "--PJHxphWEs, x, 40.000, \"/m/09x0r\""] {
        tree.text("balanced_train_segments.csv", &format!("# YTID\n{row}\n"));
        fails("audioset", &tree.path(), &["balanced_train_segments.csv, line 2"]);
    }
    tree.remove("balanced_train_segments.csv");
    tree.remove("eval");
    fails("audioset", &tree.path(), &["no clip of a listed video"]);
    tree.remove("eval_segments.csv");
    fails("audioset", &tree.path(), &["none of the three tables"]);
}

#[test]
fn audioset_with_training_clips_only_is_no_task_and_says_so() {
    let tree = audioset();
    tree.remove("eval_segments.csv");
    let set = DataSet::named("audioset").unwrap();
    let checked = check(set, set.read(&tree.path()).unwrap(), 1, |_| ()).unwrap();
    assert!(checked.summary().contains("there are no test clips"), "{}", checked.summary());
}

fn fsd50k() -> Tree {
    let tree = Tree::new();
    let truth = |name: &str| format!("FSD50K.ground_truth/{name}.csv");
    tree.text(&truth("vocabulary"), "0,Accordion,/m/0mkg\n1,Musical_instrument,/m/04szw\n2,Music,/m/04rlf\n");
    tree.text(
        &truth("dev"),
        "fname,labels,mids,split\n64760,\"Accordion,Musical_instrument,Music\",\"/m/0mkg,/m/04szw,/m/04rlf\",train\n\
        16399,Music,/m/04rlf,val\n",
    );
    tree.text(&truth("eval"), "fname,labels,mids\n37199,\"Musical_instrument,Music\",\"/m/04szw,/m/04rlf\"\n");
    tree.audio("FSD50K.dev_audio/64760.wav");
    tree.audio("FSD50K.dev_audio/16399.wav");
    tree.audio("FSD50K.eval_audio/37199.wav");
    tree
}

#[test]
fn fsd50k_has_three_splits_and_several_labels() {
    let tree = fsd50k();
    let found = import("fsd50k", &tree.path());
    let listing = &found.checked.listing;
    assert_eq!(rows(listing, Split::Train), ["FSD50K.dev_audio/64760.wav Accordion;Musical_instrument;Music"]);
    assert_eq!(rows(listing, Split::Valid), ["FSD50K.dev_audio/16399.wav Music"]);
    assert_eq!(rows(listing, Split::Test), ["FSD50K.eval_audio/37199.wav Musical_instrument;Music"]);
    assert_eq!(found.task.labels, ["Accordion", "Music", "Musical_instrument"]);
    assert_eq!(listing.deviations()[1], "clips of train: 36796 expected, 1 found");
}

#[test]
fn fsd50k_malformed() {
    let tree = fsd50k();
    tree.remove("FSD50K.dev_audio/16399.wav");
    let listing = read("fsd50k", &tree.path()).unwrap();
    assert_eq!(left_out(&listing), ["FSD50K.dev_audio/16399.wav: listed in dev.csv, not on disk"]);
    fails("fsd50k", &tree.at("FSD50K.ground_truth"), &["FSD50K.ground_truth/dev.csv is not here but in"]);
    let dev = "FSD50K.ground_truth/dev.csv";
    for (row, says) in [
        ("1,Music,/m/04rlf,test", "split is \"test\""),
        ("1,Polka,/m/x,train", "\"Polka\" is not in vocabulary.csv"),
        ("1,Music", "2 fields, 4 expected"),
    ] {
        tree.text(dev, &format!("fname,labels,mids,split\n{row}\n"));
        fails("fsd50k", &tree.path(), &["dev.csv, line 2", says]);
    }
    tree.text(dev, "fname,labels\n1,Music\n");
    fails("fsd50k", &tree.path(), &["dev.csv, line 1", "fname,labels,mids,split"]);
    tree.text("FSD50K.ground_truth/vocabulary.csv", "Accordion\n");
    fails("fsd50k", &tree.path(), &["vocabulary.csv, line 1"]);
    tree.remove(dev);
    fails("fsd50k", &tree.path(), &["FSD50K.ground_truth/dev.csv is missing"]);
}
