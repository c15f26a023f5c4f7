//! TUT Urban Acoustic Scenes 2018 and the birds of DCASE 2018.

use super::*;

const TUT: &str = "TUT-urban-acoustic-scenes-2018-development";

fn tut() -> Tree {
    let tree = Tree::new();
    let mut meta = "filename\tscene_label\tidentifier\tsource_label\n".to_string();
    let (mut train, mut evaluate, mut test) = (String::new(), String::new(), String::new());
    for scene in ["airport", "metro_station"] {
        for i in 0..3 {
            let clip = format!("audio/{scene}-barcelona-0-{i}-a.wav");
            tree.audio(&format!("{TUT}/{clip}"));
            meta += &format!("{clip}\t{scene}\tbarcelona-0\ta\n");
            if i < 2 {
                train += &format!("{clip}\t{scene}\n");
            } else {
                evaluate += &format!("{clip}\t{scene}\n");
                test += &format!("{clip}\n");
            }
        }
    }
    tree.text(&format!("{TUT}/meta.csv"), &meta);
    for (name, text) in [("train", train), ("evaluate", evaluate), ("test", test)] {
        tree.text(&format!("{TUT}/evaluation_setup/fold1_{name}.txt"), &text);
    }
    tree
}

#[test]
fn tut_urban_is_the_official_fold() {
    let tree = tut();
    let found = import("tut-urban-2018", &tree.path());
    let listing = &found.checked.listing;
    let tests = rows(listing, Split::Test);
    assert_eq!(tests[1], format!("{TUT}/audio/metro_station-barcelona-0-2-a.wav metro_station"));
    assert_eq!((listing.clips(Split::Train), tests.len()), (4, 2));
    assert_eq!(found.task.labels, ["airport", "metro_station"]);
    assert!(listing.deviations()[0].contains("8640 expected, 6 found"));
    // Without labels beside the test files, meta.csv has them.
    tree.remove(&format!("{TUT}/evaluation_setup/fold1_evaluate.txt"));
    assert_eq!(rows(&read("tut-urban-2018", &tree.at(TUT)).unwrap(), Split::Test).len(), 2);
}

#[test]
fn tut_urban_malformed() {
    let tree = tut();
    let train = format!("{TUT}/evaluation_setup/fold1_train.txt");
    fails("tut-urban-2018", &tree.at(&format!("{TUT}/audio")), &["meta.csv is not here but in"]);
    for (row, says) in [
        ("audio/airport-barcelona-0-0-a.wav\tbus", "is airport in meta.csv"),
        ("audio/airport-paris-0-0-a.wav\tairport", "is not in meta.csv"),
        ("airport", "no name of a .wav file"),
        ("audio/airport-barcelona-0-1-a.wav\tairport", "second time"),
    ] {
        tree.text(&train, &format!("audio/airport-barcelona-0-1-a.wav\tairport\n{row}\n"));
        fails("tut-urban-2018", &tree.path(), &["fold1_train.txt, line 2", says]);
    }
    tree.text(&train, "audio/airport-barcelona-0-0-a.wav\tairport\n");
    tree.remove(&format!("{TUT}/audio/airport-barcelona-0-2-a.wav"));
    let listing = read("tut-urban-2018", &tree.path()).unwrap();
    assert!(
        left_out(&listing)[0].contains("airport-barcelona-0-2-a.wav: listed in evaluation_setup/fold1_evaluate.txt")
    );
    assert!(listing.remarks[0].starts_with("3 clips of meta.csv are in neither half"), "{:?}", listing.remarks);
    tree.remove(&train);
    fails("tut-urban-2018", &tree.path(), &["fold1_train.txt", "cannot read it"]);
    tree.text(&format!("{TUT}/meta.csv"), "filename\tscene_label\naudio/x.wav\n");
    fails("tut-urban-2018", &tree.path(), &["meta.csv, line 2", "tab"]);
    tree.remove(&format!("{TUT}/meta.csv"));
    fails("tut-urban-2018", &tree.path(), &["meta.csv is missing"]);
}

/// Two of the three sets, one with its table in its folder, one beside.
fn birds() -> Tree {
    let tree = Tree::new();
    let mut table = "itemid,datasetid,hasbird\n".to_string();
    for i in 0..10 {
        tree.audio(&format!("ff1010bird/wav/{}.wav", 64486 + i));
        table += &format!("{},ff1010bird,{}\n", 64486 + i, i % 2);
    }
    tree.text("ff1010bird/ff1010bird_metadata_2018.csv", &table);
    let mut table = "itemid,datasetid,hasbird\n".to_string();
    for i in 0..5 {
        tree.audio(&format!("warblrb10k_public_wav/wav/759808e5-f824-401e-905{i}.wav"));
        table += &format!("759808e5-f824-401e-905{i},warblrb10k,1\n");
    }
    tree.text("warblrb10k_public_metadata_2018.csv", &table);
    tree
}

#[test]
fn birds_are_labelled_by_the_tables_and_split_within_set_and_class() {
    let tree = birds();
    let found = import("dcase2018-birds", &tree.path());
    let listing = &found.checked.listing;
    assert_eq!(found.task.labels, ["bird", "none"]);
    let tests = rows(listing, Split::Test);
    let count = |part: &str, label: &str| tests.iter().filter(|r| r.contains(part) && r.ends_with(label)).count();
    assert_eq!((count("ff1010", " bird"), count("ff1010", " none"), count("warblr", " bird")), (1, 1, 1));
    assert_eq!(listing.clips(Split::Train), 12);
    let all = [rows(listing, Split::Train), tests].concat();
    assert!(all.contains(&"ff1010bird/wav/64486.wav none".to_string()), "{all:?}");
    assert!(listing.remarks[0].contains("BirdVoxDCASE20k_csvpublic.csv is not there"));
    assert!(found.notes.contains("7690 expected        10 found   differs"), "{}", found.notes);
}

#[test]
fn birds_malformed() {
    let tree = birds();
    tree.remove("ff1010bird/wav/64490.wav");
    tree.text("ff1010bird/wav/64491.wav", "RIFF");
    let found = import("dcase2018-birds", &tree.path());
    let left = left_out(&found.checked.listing);
    assert_eq!(left[0], "64490.wav: listed in ff1010bird_metadata_2018.csv, in no folder");
    assert!(left.len() == 2 && left[1].starts_with("ff1010bird/wav/64491.wav: "), "{left:?}");
    let table = "warblrb10k_public_metadata_2018.csv";
    for (text, line, says) in [
        ("itemid,datasetid,hasbird\n1,x,2\n", "line 2", "hasbird is \"2\""),
        ("itemid,datasetid,hasbird\n1,x\n", "line 2", "2 fields, 3 expected"),
        ("id,set,bird\n1,x,1\n", "line 1", "itemid,datasetid,hasbird"),
    ] {
        tree.text(table, text);
        fails("dcase2018-birds", &tree.path(), &[table, line, says]);
    }
    fails("dcase2018-birds", &tree.at("warblrb10k_public_wav/wav"), &["ff1010bird_metadata_2018.csv"]);
}
