//! `watch`: one shader file as it lies in its folder, beside what is compiled in: results and times.

use super::cases::{Case, all};
use super::kernels::{CHECKED_SEGMENTS, Sample, TOLERANCE, difference, results};
use crate::gpu::{Caps, Gpu, Tier};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A shader file, and what of the table of cases runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The folder of shaders that the file belongs to.
    pub folder: PathBuf,
    /// The file in it: `matmul/lanes.wgsl`.
    pub path: String,
    /// The kernels that it is, or that paste it, by their paths.
    kernels: BTreeSet<&'static str>,
    /// Where in the table the cases stand that run those.
    cases: Vec<usize>,
}

/// A case, run by both.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// Of the case.
    pub name: String,
    /// Root mean square of the difference of a result from the portable kernels', over that of the result.
    pub error: f64,
    /// The subject's kernels as they are compiled in: device time of a run of the case, in ms.
    pub before: Sample,
    /// The same as they lie in the folder. The two took turns.
    pub now: Sample,
}

impl Look {
    /// Whether the results are what they should be.
    pub fn is_right(&self) -> bool {
        self.error <= TOLERANCE
    }

    /// How many times as fast as what is compiled in.
    pub fn speed(&self) -> f64 {
        self.before.median_ms / self.now.median_ms
    }
}

/// What each case runs: kernels, each with the files that it is made of.
type Files = Vec<BTreeMap<&'static str, BTreeSet<String>>>;

fn files_of_cases(caps: &Caps, tier: Tier, segments: usize) -> Files {
    let dry = Gpu::dry_run(Caps { tier, ..caps.clone() });
    let files = |case: &Case| dry.shaders_of(&|gpu| drop(case.prepare(gpu).run(gpu)));
    all(segments).iter().map(files).collect()
}

/// Folder and path in it, for the longest path that is known: `patches.wgsl` is another kernel than `augment/patches.wgsl`.
fn split(file: &Path, known: &BTreeSet<&String>) -> Option<(PathBuf, String)> {
    let parts: Vec<_> = file.iter().map(|part| part.to_string_lossy()).collect();
    (1..parts.len()).find_map(|at| {
        let path = parts[at..].join("/");
        let folder = file.ancestors().nth(parts.len() - at).expect("there are as many").to_path_buf();
        known.contains(&path).then_some((folder, path))
    })
}

impl Subject {
    /// Looks for the cases whose name contains `filter` and that run the file on an adapter with these capabilities, in
    /// batches of so many segments: which kernel is taken may depend on the size.
    ///
    /// # Errors
    /// A sentence where the file is no shader of the engine, or no such case runs it.
    pub fn find(caps: &Caps, file: &Path, filter: &str, segments: usize) -> Result<Subject, String> {
        let tiers = Tier::on(caps).into_iter().map(|tier| (tier, files_of_cases(caps, tier, segments)));
        let tiers: Vec<(Tier, Files)> = tiers.collect();
        let known = tiers.iter().flat_map(|(_, cases)| cases).flat_map(BTreeMap::values).flatten().collect();
        let Some((folder, path)) = split(file, &known) else {
            return Err(format!(
                "{}: no case of cola bench kernels runs such a shader; the file has to lie in a copy of the folder shaders, \
                 under its own name",
                file.display()
            ));
        };
        let in_tier = |tier: Tier| &tiers.iter().find(|(of, _)| *of == tier).expect("a tier of this adapter").1;
        let names: Vec<String> = all(CHECKED_SEGMENTS).into_iter().map(|case| case.name).collect();
        let runs = |case: &BTreeMap<_, BTreeSet<String>>| case.values().any(|files| files.contains(&path));
        let cases_of = |tier: Tier| {
            let cases = in_tier(tier).iter().enumerate().filter(|(_, case)| runs(case)).map(|(at, _)| at);
            cases.filter(|&at| names[at].contains(filter)).collect::<Vec<usize>>()
        };
        let cases = cases_of(caps.tier);
        if cases.is_empty() {
            let elsewhere = Tier::on(caps).into_iter().find(|&tier| !cases_of(tier).is_empty());
            let advice = match elsewhere {
                Some(tier) => format!("; --tier {tier} does"),
                None => format!(" and is named '{filter}'"),
            };
            return Err(format!("{path}: no case runs it with {} kernels{advice}", caps.tier));
        }
        let kernels = in_tier(caps.tier).iter().flatten().filter(|(_, files)| files.contains(&path));
        let kernels = kernels.map(|(kernel, _)| *kernel).collect();
        Ok(Subject { folder, path, kernels, cases })
    }

    /// How many cases run it.
    pub fn case_count(&self) -> usize {
        self.cases.len()
    }

    /// Runs them on three devices on one adapter: `embedded` as compiled in, `edited` as the folder has it, and `checker`
    /// with portable kernels, compiled in, under run-time checks. Batches of so many segments, so many runs.
    pub fn look(
        &self,
        [embedded, edited, checker]: [&Gpu; 3],
        segments: usize,
        repeats: usize,
    ) -> impl Iterator<Item = Look> {
        let cases = all(segments).into_iter().zip(all(CHECKED_SEGMENTS.min(segments))).enumerate();
        cases.filter(|(at, _)| self.cases.contains(at)).map(move |(_, (case, small))| {
            let error = difference(&results(&small, edited), &results(&small, checker));
            let both = [embedded, edited].map(|gpu| (gpu, case.prepare(gpu)));
            both.iter().for_each(|(gpu, prepared)| drop(prepared.run(gpu)));
            let mut times = [Vec::new(), Vec::new()];
            for round in 0..2 * repeats.max(1) {
                // A B B A: neither is always the one that finds the other's data in the caches
                let side = usize::from(round % 4 == 1 || round % 4 == 2);
                let (gpu, prepared) = &both[side];
                gpu.wait();
                gpu.profile_start();
                prepared.run(gpu);
                let kernels = gpu.profile_stop().kernels;
                times[side].push(kernels.iter().filter(|k| self.is_of(&k.name)).map(|k| k.ms).sum());
            }
            let [before, now] = times.map(Sample::of);
            Look { name: case.name, error, before, now }
        })
    }

    /// Whether a row of a profile is one of its kernels.
    fn is_of(&self, row: &str) -> bool {
        let kernel = row.split(' ').next().unwrap_or(row);
        self.kernels.iter().any(|path| path.trim_end_matches(".wgsl") == kernel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_split_at_the_longest_known_one() {
        let known = ["patches.wgsl".to_string(), "augment/patches.wgsl".to_string()];
        let known = known.iter().collect();
        let split = |file: &str| split(Path::new(file), &known);
        assert_eq!(split("shaders/patches.wgsl"), Some(("shaders".into(), "patches.wgsl".into())));
        assert_eq!(split("/a/augment/patches.wgsl"), Some(("/a".into(), "augment/patches.wgsl".into())));
        assert_eq!(split("/a/other.wgsl"), None);
    }
}
