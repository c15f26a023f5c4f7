//! A grid of configurations, each to be pre-trained and measured on the same tasks.
//!
//! ```toml
//! tasks = ["tasks/keywords"]      # relative to this file
//! modes = ["frozen"]
//! [base]                          # keys of config.toml that all cells share
//! data = "recordings"
//! steps = 2000
//! [grid]                          # every combination of these is a cell
//! similarity = ["bilinear", "cosine"]
//! seed = [0, 1, 2]
//! ```

use super::config::{ConfigError, TrainConfig};
use crate::eval::transfer::Mode;
use crate::eval::transfer::record::mean_std;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Keys that are the command line's, where the same device serves pre-training and measuring.
const OF_DEVICE: [&str; 4] = ["adapter", "tier", "memory_budget", "tune"];

/// A sweep as its file has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// Labelled tasks.
    #[serde(default)]
    pub tasks: Vec<PathBuf>,
    /// How the encoders are used on them.
    #[serde(default = "frozen")]
    pub modes: Vec<Mode>,
    /// What all cells share.
    #[serde(default)]
    base: Table,
    /// Values of each key that is varied.
    grid: Table,
}

fn frozen() -> Vec<Mode> {
    vec![Mode::Frozen]
}

/// Keys and values.
type Values = Vec<(String, String)>;

/// One combination of the grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// `similarity=cosine,temperature=0.2`: the name of its folder.
    pub name: String,
    /// The varied keys and their values here, in the order of the keys.
    pub values: Vec<(String, String)>,
    /// Its configuration.
    pub config: TrainConfig,
}

/// Why a sweep was refused.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}; check that it exists", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no sweep.
    #[error("{}: {detail}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// A cell that cannot be trained.
    #[error("cell {cell}: {source}")]
    Cell {
        /// Its name.
        cell: String,
        /// What is wrong with it.
        source: ConfigError,
    },
}

impl Sweep {
    /// Reads a file; paths in it are relative to it.
    ///
    /// # Errors
    /// A file that cannot be read, unknown keys, a grid without values.
    pub fn read(path: &Path) -> Result<Sweep, SweepError> {
        let text = std::fs::read_to_string(path).map_err(|source| SweepError::Read { path: path.into(), source })?;
        let refuse = |detail: String| SweepError::File { path: path.to_owned(), detail };
        let mut sweep: Sweep = toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
            refuse(format!("line {line}: {}", error.message()))
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        sweep.tasks.iter_mut().for_each(|task| *task = folder.join(&*task));
        if let Some(data) = sweep.base.get("data").and_then(Value::as_str).filter(|data| !data.is_empty()) {
            let data = folder.join(data).to_string_lossy().into_owned();
            sweep.base.insert("data".into(), data.into());
        }
        if let Some(key) = OF_DEVICE.iter().find(|key| sweep.base.contains_key(**key) || sweep.grid.contains_key(**key))
        {
            return Err(refuse(format!("{key} is not varied; choose the device on the command line")));
        }
        let empty = |values: &Value| values.as_array().is_none_or(Vec::is_empty);
        if let Some((key, _)) = sweep.grid.iter().find(|(_, values)| empty(values)) {
            return Err(refuse(format!("grid.{key} must be a list of values, such as {key} = [1, 2]")));
        }
        Ok(sweep)
    }

    /// All cells, `given` keys over those of the file. The last key of the grid varies fastest.
    ///
    /// # Errors
    /// A cell whose configuration is refused.
    pub fn cells(&self, given: &Table) -> Result<Vec<Cell>, SweepError> {
        let mut combinations: Vec<Vec<(&String, &Value)>> = vec![Vec::new()];
        for (key, values) in &self.grid {
            let values = values.as_array().map_or(&[][..], Vec::as_slice);
            let longer = |earlier: &Vec<_>| {
                let with = |value| [earlier.clone(), vec![(key, value)]].concat();
                values.iter().map(with).collect::<Vec<_>>()
            };
            combinations = combinations.iter().flat_map(longer).collect();
        }
        combinations.iter().map(|combination| self.cell(combination, given)).collect()
    }

    fn cell(&self, combination: &[(&String, &Value)], given: &Table) -> Result<Cell, SweepError> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_string);
        let values: Values = combination.iter().map(|(key, value)| ((*key).clone(), text(value))).collect();
        let parts: Vec<String> = values.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let name = parts.join(",").replace(['/', '\\', ':', ' '], "-");
        let mut table = self.base.clone();
        table.extend(combination.iter().map(|(key, value)| ((*key).clone(), (*value).clone())));
        table.extend(given.clone());
        let config =
            TrainConfig::layered(None, table).map_err(|source| SweepError::Cell { cell: name.clone(), source })?;
        Ok(Cell { name, values, config })
    }
}

/// The table of a sweep: cells that differ in nothing but the seed are one row.
///
/// `scores` holds, for every cell that is done, one score from 0 to 1 a column of `columns`. Returns the header and the
/// rows, in percent, with the mean of the columns last.
pub fn table(columns: &[String], scores: &[(&Cell, Vec<f64>)]) -> (Vec<String>, Vec<Vec<String>>) {
    let varied = |cell: &Cell| -> Values { cell.values.iter().filter(|(key, _)| key != "seed").cloned().collect() };
    let mut groups: Vec<(Values, Vec<Vec<f64>>)> = Vec::new();
    for (cell, scores) in scores {
        let (key, mut scores) = (varied(cell), scores.clone());
        if scores.len() > 1 {
            scores.push(mean_std(&scores).0);
        }
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, all)) => all.push(scores),
            None => groups.push((key, vec![scores])),
        }
    }
    let keys = groups.first().map_or(Vec::new(), |(key, _)| key.iter().map(|(name, _)| name.clone()).collect());
    let average = (columns.len() > 1).then(|| "average".to_string());
    let header = keys.into_iter().chain(["runs".to_string()]).chain(columns.iter().cloned()).chain(average).collect();
    let row = |(key, all): &(Values, Vec<Vec<f64>>)| {
        let column = |c: usize| match mean_std(&all.iter().map(|scores| scores[c]).collect::<Vec<_>>()) {
            (mean, Some(std)) => format!("{:.1} ± {:.1}", 100.0 * mean, 100.0 * std),
            (mean, None) => format!("{:.1}", 100.0 * mean),
        };
        let values = key.iter().map(|(_, value)| value.clone());
        values.chain([all.len().to_string()]).chain((0..all[0].len()).map(column)).collect()
    };
    (header, groups.iter().map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Sweep, SweepError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.toml");
        std::fs::write(&path, text).unwrap();
        Sweep::read(&path)
    }

    #[test]
    fn every_combination_is_a_cell() {
        let sweep = read(
            "[base]\nsteps = 5\nrecipe = \"paper\"\n[grid]\nsimilarity = [\"cosine\", \"bilinear\"]\nbatch = [4, 8]\n",
        );
        let cells = sweep.unwrap().cells(&"seed = 7".parse().unwrap()).unwrap();
        let names: Vec<&str> = cells.iter().map(|cell| cell.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "batch=4,similarity=cosine",
                "batch=4,similarity=bilinear",
                "batch=8,similarity=cosine",
                "batch=8,similarity=bilinear"
            ]
        );
        let config = &cells[2].config;
        assert_eq!((config.batch, config.steps, config.seed, config.lr), (8, 5, 7, 1e-4));
    }

    #[test]
    fn refusals_name_the_place() {
        for (text, part) in [
            ("[grid]\nbatch = 4\n", "grid.batch"),
            ("task = 1\n[grid]\nbatch = [4]\n", "line 1"),
            ("[base]\ntier = \"cpu\"\n[grid]\nbatch = [4]\n", "tier"),
            ("modes = [\"frosted\"]\n[grid]\nbatch = [4]\n", "frozen"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("s.toml"), "{error}");
        }
        let error = read("[grid]\nbatch = [4, 1]\n").unwrap().cells(&Table::new()).unwrap_err().to_string();
        assert!(error.contains("batch=1") && error.contains("--batch"), "{error}");
        assert!(read("[grid]\nbotch = [4]\n").unwrap().cells(&Table::new()).unwrap_err().to_string().contains("botch"));
    }

    #[test]
    fn seeds_become_a_spread() {
        let sweep = read("[grid]\nbatch = [4, 8]\nseed = [0, 1]\n").unwrap();
        let cells = sweep.cells(&Table::new()).unwrap();
        let scores = [vec![0.5, 0.7], vec![0.6, 0.8], vec![0.9, 0.1]];
        let scores: Vec<_> = cells.iter().zip(scores).collect();
        let (header, rows) = table(&["a".into(), "b".into()], &scores);
        assert_eq!(header, ["batch", "runs", "a", "b", "average"]);
        assert_eq!(rows[0], ["4", "2", "55.0 ± 7.1", "75.0 ± 7.1", "65.0 ± 7.1"]);
        assert_eq!(rows[1], ["8", "1", "90.0", "10.0", "50.0"]);
    }
}
