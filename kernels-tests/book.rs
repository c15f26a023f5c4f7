//! The book in `examples/book`: its pages, its links, and the pieces of code that it includes. Needs no GPU.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// What stands in a comment line in front of a piece, and behind it.
const BEGIN: &str = "ANCHOR: ";
const END: &str = "ANCHOR_END: ";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn pages_folder() -> PathBuf {
    root().join("examples/book/src")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Files below a folder with one of these extensions.
fn files(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            found.extend(files(&path, extensions));
        } else if path.extension().is_some_and(|e| extensions.iter().any(|wanted| e == *wanted)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The path without `.` and `..`, so that two ways to a file compare equal.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                out.pop();
            }
            Component::CurDir => {}
            other => out.push(other),
        }
    }
    out
}

/// Every page with its text, the summary first.
fn pages() -> Vec<(PathBuf, String)> {
    let mut pages = files(&pages_folder(), &["md"]);
    pages.sort_by_key(|page| !page.ends_with("SUMMARY.md"));
    pages.into_iter().map(|page| (page.clone(), read(&page))).collect()
}

/// The lines of a page, each with whether it belongs to a fenced block (the fences included).
fn lines(text: &str) -> Vec<(bool, &str)> {
    let mut inside = false;
    let mut out = Vec::new();
    for line in text.lines() {
        let fence = line.trim_start().starts_with("```");
        out.push((inside || fence, line));
        inside ^= fence;
    }
    out
}

/// Files that the Markdown links of a page lead to; links to other sites, and within the page, are left out.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (_, line) in lines(text).into_iter().filter(|(in_block, _)| !in_block) {
        for piece in line.split("](").skip(1) {
            let target = piece.split(')').next().unwrap_or_default();
            let file = target.split('#').next().unwrap_or_default();
            if !file.is_empty() && !file.contains("://") {
                found.push(file.to_string());
            }
        }
    }
    found
}

/// `path` or `path:anchor` of every piece that a page includes.
fn includes(text: &str) -> Vec<String> {
    text.split("{{#include ").skip(1).map(|rest| rest.split("}}").next().unwrap_or_default().to_string()).collect()
}

/// The anchor that a line names behind `word`, where the whole line is a comment.
fn anchor_of<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    line.trim_start().strip_prefix("// ")?.strip_prefix(word)
}

/// The numbers of the lines that begin or end an anchor.
fn places(text: &str, word: &str, name: &str) -> Vec<usize> {
    text.lines().enumerate().filter(|(_, line)| anchor_of(line, word) == Some(name)).map(|(i, _)| i).collect()
}

#[test]
fn the_summary_lists_every_page() {
    let pages = pages();
    let (summary, text) = pages.first().expect("a summary");
    assert!(summary.ends_with("SUMMARY.md"));
    let listed = links(text);
    let unique: BTreeSet<&String> = listed.iter().collect();
    assert_eq!(unique.len(), listed.len(), "a page is listed twice");
    let listed: BTreeSet<PathBuf> = listed.iter().map(|page| plain(&pages_folder().join(page))).collect();
    let there: BTreeSet<PathBuf> = pages[1..].iter().map(|(page, _)| page.clone()).collect();
    assert_eq!(listed, there, "pages that SUMMARY.md lists, and pages that there are");
}

#[test]
fn links_lead_somewhere() {
    for (page, text) in pages() {
        for link in links(&text) {
            let target = page.parent().expect("a folder").join(&link);
            assert!(target.exists(), "{}: no file {link}", page.display());
        }
    }
}

#[test]
fn code_is_included_and_never_pasted() {
    for (page, text) in pages() {
        let lines: Vec<&str> = text.lines().collect();
        let mut inside = false;
        for (i, line) in lines.iter().enumerate().filter(|(_, line)| line.trim_start().starts_with("```")) {
            inside = !inside;
            let language = line.trim_start().trim_start_matches('`');
            let is_code = language.starts_with("rust") || language.starts_with("wgsl");
            if inside && is_code {
                let here = format!("{}:{}", page.display(), i + 1);
                let next = lines.get(i + 1).copied().unwrap_or_default();
                let included = next.starts_with("{{#include ") && next.ends_with("}}");
                assert!(included, "{here}: code that is no include: {next}");
                let after = lines.get(i + 2).copied().unwrap_or_default();
                assert_eq!(after, "```", "{here}: the include is not all of the block");
            }
        }
        assert!(!inside, "{}: a block without end", page.display());
    }
}

#[test]
fn included_pieces_are_there() {
    for (page, text) in pages() {
        for include in includes(&text) {
            let (file, anchor) = match include.split_once(':') {
                Some((file, anchor)) => (file, Some(anchor)),
                None => (include.as_str(), None),
            };
            let here = format!("{}: {include}", page.display());
            let path = page.parent().expect("a folder").join(file);
            assert!(path.is_file(), "{here}: no such file");
            let Some(name) = anchor else { continue };
            let text = read(&path);
            let (begin, end) = (places(&text, BEGIN, name), places(&text, END, name));
            assert_eq!((begin.len(), end.len()), (1, 1), "{here}: lines that begin and end the anchor");
            let mut piece = text.lines().take(end[0]).skip(begin[0] + 1);
            assert!(piece.any(|line| !line.trim().is_empty()), "{here}: no line of code");
        }
    }
}

#[test]
fn every_anchor_is_used() {
    let mut used = BTreeSet::new();
    for (page, text) in pages() {
        for include in includes(&text) {
            if let Some((file, anchor)) = include.split_once(':') {
                let path = page.parent().expect("a folder").join(file);
                used.insert((plain(&path), anchor.to_string()));
            }
        }
    }
    let mut sources = Vec::new();
    for folder in ["src", "shaders", "kernels-tests"] {
        sources.extend(files(&root().join(folder), &["rs", "wgsl"]));
    }
    let is_program = |path: &PathBuf| path.parent().is_some_and(|folder| folder.ends_with("examples"));
    sources.extend(files(&root().join("examples"), &["rs"]).into_iter().filter(is_program));
    for path in sources {
        let text = read(&path);
        for line in text.lines() {
            for word in [BEGIN, END] {
                if let Some(name) = anchor_of(line, word) {
                    let place = (plain(&path), name.to_string());
                    assert!(used.contains(&place), "{}: no page includes '{name}'", path.display());
                }
            }
        }
    }
}
