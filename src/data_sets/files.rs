//! Finding one's way in an unpacked download.

use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::{DataSet, DataSetError, Result};

/// Folder entries looked at for a hint where to find what is missing; enough for any level that a person may mistake.
const HINT_ENTRIES: usize = 50_000;

/// The folder that holds `marker`: `src` or the first of its sub-folders `inside` that does.
///
/// # Errors
/// [`DataSetError::WrongLevel`] where the marker lies a few levels above or below, else [`DataSetError::Layout`].
pub(super) fn locate(set: &DataSet, src: &Path, inside: &[&str], marker: &str) -> Result<PathBuf> {
    let mut folders = std::iter::once(src.to_path_buf()).chain(inside.iter().map(|name| src.join(name)));
    if let Some(found) = folders.find(|folder| folder.join(marker).exists()) {
        return Ok(found);
    }
    let below = WalkDir::new(src).min_depth(1).max_depth(3).sort_by_file_name().into_iter().flatten();
    let below = below.take(HINT_ENTRIES).filter(|e| e.file_type().is_dir()).map(|e| e.into_path());
    let above = src.ancestors().skip(1).take(3).map(Path::to_path_buf);
    match above.chain(below).find(|folder| folder.join(marker).exists()) {
        Some(found) => Err(DataSetError::WrongLevel { path: src.to_path_buf(), marker: marker.to_string(), found }),
        None => Err(layout(set, src, format!("{marker} is missing"))),
    }
}

/// `src` does not hold what the set is shipped with.
pub(super) fn layout(set: &DataSet, src: &Path, detail: impl Into<String>) -> DataSetError {
    DataSetError::Layout { path: src.to_path_buf(), detail: detail.into(), name: set.name }
}

/// The lines of a table with their numbers from 1, trimmed; empty ones are left out.
pub(super) fn lines(table: &Path) -> Result<Vec<(usize, String)>> {
    let text = std::fs::read_to_string(table).map_err(|e| DataSetError::io(table, &e))?;
    let text = text.trim_start_matches('\u{feff}');
    let numbered = text.lines().enumerate().map(|(i, line)| (i + 1, line.trim().to_string()));
    Ok(numbered.filter(|(_, line)| !line.is_empty()).collect())
}

/// The records of a CSV file with a header that begins with `columns`; each with its line and as many fields as there
/// are columns.
pub(super) fn csv_rows<const N: usize>(table: &Path, columns: [&str; N]) -> Result<Vec<(usize, [String; N])>> {
    let reader = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_path(table);
    let line_of = |e: &csv::Error| e.position().map_or(1, |p| p.line() as usize);
    let bad = |e: csv::Error| match e.kind() {
        csv::ErrorKind::Io(source) => DataSetError::io(table, source),
        _ => DataSetError::bad_row(table, line_of(&e), e.to_string()),
    };
    let mut reader = reader.map_err(bad)?;
    let header = reader.headers().map_err(bad)?;
    let named = |i: usize| header.get(i).map(|h| h.trim_start_matches('\u{feff}'));
    if (0..N).any(|i| named(i) != Some(columns[i])) {
        return Err(DataSetError::bad_row(table, 1, format!("the header must be {}", columns.join(","))));
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(bad)?;
        let line = record.position().map_or(0, |p| p.line() as usize);
        if record.len() < N {
            let detail = format!("{} fields, {N} expected ({})", record.len(), columns.join(","));
            return Err(DataSetError::bad_row(table, line, detail));
        }
        rows.push((line, std::array::from_fn(|i| record[i].to_string())));
    }
    Ok(rows)
}

/// The folders in `folder` by name, sorted, without hidden ones.
pub(super) fn sub_folders(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    Ok(entries(folder)?.into_iter().filter(|(_, path)| path.is_dir()).collect())
}

/// The files in `folder` whose names end with `.EXTENSION` in any case, sorted, without hidden ones.
pub(super) fn files(folder: &Path, extension: &str) -> Result<Vec<(String, PathBuf)>> {
    let fits = |path: &Path| path.extension().is_some_and(|e| e.eq_ignore_ascii_case(extension));
    Ok(entries(folder)?.into_iter().filter(|(_, path)| fits(path) && path.is_file()).collect())
}

fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|e| DataSetError::io(folder, &e))? {
        let path = entry.map_err(|e| DataSetError::io(folder, &e))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // macOS leaves "._x" beside every x that it unpacks.
        if !name.starts_with('.') {
            found.push((name, path));
        }
    }
    found.sort();
    Ok(found)
}

/// All files below `folder` with one of `extensions` (lower case, without dot), sorted, without hidden ones.
pub(super) fn files_below(folder: &Path, extensions: &[&str]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in WalkDir::new(folder).follow_links(true).sort_by_file_name() {
        let entry = entry.map_err(|e| {
            let path = e.path().unwrap_or(folder).to_path_buf();
            DataSetError::Io { path, detail: e.to_string() }
        })?;
        let extension = entry.path().extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if entry.file_type().is_file() && !hidden && extensions.contains(&extension.as_str()) {
            found.push(entry.into_path());
        }
    }
    Ok(found)
}

/// `path` as seen from `folder`, with `/` on every system: a key that is the same wherever the data lie.
pub(super) fn key(folder: &Path, path: &Path) -> String {
    let below = path.strip_prefix(folder).unwrap_or(path);
    below.components().map(|c| c.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}
