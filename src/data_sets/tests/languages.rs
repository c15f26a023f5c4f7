//! VoxForge.

use super::*;

const MAIN: &str = "www.repository.voxforge1.org/downloads";

fn folder(language: &str, submission: &str) -> String {
    format!("{MAIN}/{language}/Trunk/Audio/Main/16kHz_16bit/{submission}")
}

/// Ten speakers of two languages, one submission of two clips each.
fn voxforge() -> Tree {
    let tree = Tree::new();
    for i in 0..10 {
        let language = if i % 2 == 0 { "de" } else { "it" };
        let submission = folder(language, &format!("spk{i:02}-20100101-abc"));
        tree.audio(&format!("{submission}/wav/de1-01.wav"));
        tree.audio(&format!("{submission}/wav/de1-02.wav"));
        tree.text(&format!("{submission}/etc/README"), "x");
    }
    tree
}

fn speakers(listing: &Listing, split: Split) -> Vec<String> {
    let names = rows(listing, split).into_iter().map(|row| row[row.find("spk").unwrap()..][..5].to_string());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names.dedup();
    names
}

#[test]
fn speakers_are_split_as_in_tensorflow_datasets() {
    let tree = voxforge();
    let found = import("voxforge", &tree.path());
    let listing = &found.checked.listing;
    assert_eq!(found.task.labels, ["de", "it"]);
    // numpy.random.RandomState(0).shuffle of the ten names puts these three last.
    assert_eq!(speakers(listing, Split::Test), ["spk00", "spk03", "spk05"]);
    assert_eq!(listing.clips(Split::Train), 14);
    assert!(rows(listing, Split::Test)[0].ends_with("16kHz_16bit/spk00-20100101-abc/wav/de1-01.wav de"));
    assert!(listing.split_rule.contains("only if they are the same speakers"));
    // The short way of laying it out.
    let short = Tree::new();
    for i in 0..10 {
        short.audio(&format!("fr/spk{i:02}-20100101-abc/wav/a.wav"));
    }
    let listing = read("voxforge", &short.path()).unwrap();
    assert_eq!(rows(&listing, Split::Test)[0], "fr/spk00-20100101-abc/wav/a.wav fr");
}

#[test]
fn the_list_of_archives_decides_where_it_is_there() {
    let tree = voxforge();
    let mut list = String::new();
    // Two more speakers than were downloaded: the split is still that of the whole list.
    for i in 0..12 {
        let language = if i % 2 == 0 { "de" } else { "it" };
        list += &format!("\"{}.tgz\"\n", folder(language, &format!("spk{i:02}-20100101-abc")));
    }
    tree.text("voxforge_urls.txt", &list);
    tree.audio(&format!("{}/wav/a.wav", folder("de", "late-20200301-abc")));
    let listing = import("voxforge", &tree.path()).checked.listing;
    // Python: g = [f'spk{i:02d}' for i in range(12)]; numpy.random.RandomState(0).shuffle(g); g[8:9], g[9:]
    assert_eq!(listing.remarks[0], "1 submissions are not in voxforge_urls.txt and are left out");
    assert_eq!(listing.remarks[1], "speakers: 8 for training, 1 for validation, 3 for the test");
    assert_eq!(speakers(&listing, Split::Valid), ["spk09"]);
    assert_eq!(speakers(&listing, Split::Test), ["spk00", "spk03", "spk05"]);
    let left = left_out(&listing);
    assert!(left.len() == 2 && left[0].contains("spk10-20100101-abc.tgz: listed in voxforge_urls.txt"), "{left:?}");
    for url in ["x/de/Trunk/b.zip", "x/nl/Trunk/b.tgz", "b.tgz"] {
        tree.text("voxforge_urls.txt", &format!("x/de/Trunk/a.tgz\n{url}\n"));
        fails("voxforge", &tree.path(), &["voxforge_urls.txt, line 2", "<language>/Trunk"]);
    }
}

#[test]
fn a_name_in_two_languages_is_two_submissions_of_one_speaker() {
    let tree = Tree::new();
    for language in ["de", "en"] {
        for i in 0..4 {
            tree.audio(&format!("{language}/anon{i}-20100101-abc/wav/a.wav"));
        }
    }
    let listing = read("voxforge", &tree.path()).unwrap();
    for i in 0..4 {
        let of: Vec<_> =
            listing.rows.iter().filter(|r| r.path.to_string_lossy().contains(&format!("anon{i}"))).collect();
        assert_eq!((of[0].labels[0].as_str(), of[1].labels[0].as_str()), ("de", "en"));
        assert_eq!(of[0].split, of[1].split);
    }
}

#[test]
fn voxforge_malformed() {
    let tree = voxforge();
    tree.audio(&format!("{}/wav/a.wav", folder("nl", "piet-20100101-abc")));
    tree.audio(&format!("{}/wav/a.wav", folder("de", "late-20200301-abc")));
    tree.text(&format!("{}/wav/de1-01.wav", folder("de", "spk00-20100101-abc")), "");
    let listing = import("voxforge", &tree.path()).checked.listing;
    let remarks = listing.remarks.join("\n");
    assert!(remarks.contains("1 submissions of 2020 and later"), "{remarks}");
    assert!(remarks.contains("none of the six languages: nl"), "{remarks}");
    assert!(
        left_out(&listing)[0]
            .ends_with("spk00-20100101-abc/wav/de1-01.wav: the file is empty (0 bytes); delete it or copy it again")
    );
    let packed = Tree::new();
    packed.text(&format!("{}.tgz", folder("de", "spk00-20100101-abc")), "x");
    fails("voxforge", &packed.path(), &["1 archives but no WAV", "tar xzf"]);
    fails("voxforge", &Tree::new().path(), &["no <language>", "cola data voxforge"]);
}
