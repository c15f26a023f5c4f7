//! MUSAN: music, speech or noise. `musan/{music,speech,noise}/<source>/*.wav`.

use std::path::Path;

use super::files::{files_below, key, layout, locate};
use super::rules::{hold_out_a_fifth, rule};
use super::{DataSet, Listing, Result, Row};

pub(super) const MUSAN: DataSet = DataSet {
    name: "musan",
    title: "MUSAN",
    task: "music, speech or noise, 3",
    download: "musan.tar.gz",
    page: "https://www.openslr.org/17",
    size: "11 GB, 109 h, 2,016 files of up to many minutes",
    licence: "CC BY 4.0; each file's own terms in its folder's LICENSE",
    layout: &["[musan/]music/<source>/*.wav", "[musan/]speech/<source>/*.wav", "[musan/]noise/<source>/*.wav"],
    differs: &["The paper does not describe its split; this one is ours, by file, so a score is close to the paper's \
        task but not the same."],
    classes: 3,
    multi_label: false,
    read,
};

/// The classes and the number of files of each.
const CLASSES: [(&str, usize); 3] = [("music", 660), ("noise", 930), ("speech", 426)];

fn read(set: &DataSet, src: &Path) -> Result<Listing> {
    let root = locate(set, src, &["musan"], "speech/librivox")?;
    let mut listing = Listing { split_rule: rule("class", "their path below musan/"), ..Listing::default() };
    let mut found = Vec::new();
    for (class, expected) in CLASSES {
        let folder = root.join(class);
        if !folder.is_dir() {
            return Err(layout(set, &root, format!("{class}/ is missing")));
        }
        let paths = files_below(&folder, &["wav"])?;
        listing.count(format!("files of {class}"), expected, paths.len());
        found.extend(paths.into_iter().map(|path| (class, path)));
    }
    let keys: Vec<_> = found.iter().map(|(class, path)| (class.to_string(), key(&root, path))).collect();
    let splits = hold_out_a_fifth(&keys);
    listing.rows = found.into_iter().zip(splits).map(|((class, path), split)| Row::whole(path, class, split)).collect();
    Ok(listing)
}
