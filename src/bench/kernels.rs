//! `bench kernels`: forward and backward of every case, checked first, then timed kernel by kernel.

use super::cases::{Case, all};
use super::peaks::Peaks;
use crate::gpu::{Gpu, KernelTime, Work};
use crate::tensor::Tensor;
use crate::train::environment::Environment;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Instant;

/// Everything that one call measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KernelReport {
    /// Machine, device and date.
    #[serde(flatten)]
    pub environment: Environment,
    /// The two limits, the higher of what was measured before and after.
    #[serde(flatten)]
    pub peaks: Peaks,
    /// Segments in the batch.
    pub segments: usize,
    /// Runs of each case.
    pub repeats: usize,
    /// Every case.
    pub cases: Vec<CaseTime>,
}

/// One case, measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseTime {
    /// Name in the table.
    pub name: String,
    /// Forward and backward together by the host's clock, caches as the run before left them.
    pub warm: Sample,
    /// The same after [`FLUSH_BYTES`] of other memory went through the caches.
    pub cold: Sample,
    /// Largest difference of a result from the portable kernels' under run-time checks: root mean square over that of
    /// the result, on two segments.
    pub error: f64,
    /// Its kernels, slowest first.
    pub kernels: Vec<Row>,
}

/// A time that was taken several times.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The middle one.
    pub median_ms: f64,
    /// A quarter took less.
    pub lower_ms: f64,
    /// A quarter took more.
    pub upper_ms: f64,
}

/// One kernel of a case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Kernel and specialisation.
    pub name: String,
    /// Dispatches.
    pub calls: usize,
    /// Time on the device, of all of them.
    pub time: Sample,
    /// Bytes of what a dispatch reads, and of what it writes, each once.
    pub bytes: u64,
    /// Floating-point operations, as the op counts them.
    pub flops: u64,
}

/// What no cache holds.
pub const FLUSH_BYTES: u64 = 256 << 20;
/// A larger difference than this is no rounding.
pub const TOLERANCE: f64 = 2e-5;
/// A check takes no more of them.
pub(super) const CHECKED_SEGMENTS: usize = 2;

impl Sample {
    /// Of one time or more, in ms.
    pub(super) fn of(mut times: Vec<f64>) -> Sample {
        times.sort_by(f64::total_cmp);
        let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
        Sample { median_ms: at(0.5), lower_ms: at(0.25), upper_ms: at(0.75) }
    }

    /// Half the distance between the quartiles over the median.
    pub fn spread(&self) -> f64 {
        (self.upper_ms - self.lower_ms) / 2.0 / self.median_ms
    }
}

impl CaseTime {
    /// Whether the results are what they should be.
    pub fn is_right(&self) -> bool {
        self.error <= TOLERANCE
    }
}

impl Row {
    /// Bytes over time.
    pub fn gb_per_s(&self) -> f64 {
        self.bytes as f64 / self.time.median_ms / 1e6
    }

    /// FLOPs over time.
    pub fn gflop_per_s(&self) -> f64 {
        self.flops as f64 / self.time.median_ms / 1e6
    }

    /// The least time its bytes and its arithmetic can take over the time it took.
    pub fn share_of_roof(&self, peaks: &Peaks) -> f64 {
        peaks.floor_ms(self.bytes, self.flops) / self.time.median_ms
    }

    /// Which of the two limits is the nearer.
    pub fn bound(&self, peaks: &Peaks) -> &'static str {
        if peaks.floor_ms(self.bytes, 0) >= peaks.floor_ms(0, self.flops) { "memory" } else { "arithmetic" }
    }
}

/// Cases with the devices that they are run on.
pub struct KernelBench<'a> {
    gpu: &'a Gpu,
    checker: &'a Gpu,
    flush: [Tensor; 2],
    segments: usize,
    repeats: usize,
}

impl<'a> KernelBench<'a> {
    /// Batches of so many segments, each case `repeats` times after a warm-up; `checker` is another device on the same
    /// adapter, with the portable tier and run-time checks.
    pub fn new(gpu: &'a Gpu, checker: &'a Gpu, segments: usize, repeats: usize) -> KernelBench<'a> {
        let budget_bytes = gpu.memory_limit_bytes().unwrap_or(u64::MAX) / 8;
        let len = (FLUSH_BYTES.min(budget_bytes).min(gpu.caps().max_buffer_bytes) / 8) as usize;
        let flush = ["flush from", "flush to"].map(|label| Tensor::zeros(gpu, label, &[len]));
        KernelBench { gpu, checker, flush, segments, repeats: repeats.max(1) }
    }

    /// Chooses the knobs of the cases whose name contains `filter` by timing; see [`Gpu::tune`].
    pub fn tune(&self, filter: &str, show: &mut dyn FnMut(usize, usize)) -> crate::gpu::Tuned {
        let step = |dry: &Gpu| {
            for case in all(self.segments).iter().filter(|case| case.name.contains(filter)) {
                case.prepare(dry).run(dry);
            }
        };
        self.gpu.tune(&step, show)
    }

    /// Measures every case whose name contains `filter`.
    pub fn measure(&self, filter: &str) -> impl Iterator<Item = CaseTime> {
        let pairs = all(self.segments).into_iter().zip(all(CHECKED_SEGMENTS.min(self.segments)));
        pairs.filter(move |(case, _)| case.name.contains(filter)).map(|(case, small)| self.measure_case(&case, &small))
    }

    fn measure_case(&self, case: &Case, small: &Case) -> CaseTime {
        let error = difference(&results(small, self.gpu), &results(small, self.checker));
        let gpu = self.gpu;
        let prepared = case.prepare(gpu);
        prepared.run(gpu);
        let times = |before: &dyn Fn()| {
            let once = |_| {
                before();
                gpu.wait();
                let start = Instant::now();
                prepared.run(gpu);
                gpu.wait();
                start.elapsed().as_secs_f64() * 1e3
            };
            Sample::of((0..self.repeats).map(once).collect())
        };
        let warm = times(&|| ());
        let cold = times(&|| self.flush[1].copy_from(&self.flush[0]));
        let profiles = (0..self.repeats).map(|_| {
            gpu.profile_start();
            prepared.run(gpu);
            gpu.profile_stop().kernels
        });
        CaseTime { name: case.name.clone(), warm, cold, error, kernels: rows(profiles) }
    }
}

/// The rows of several profiles of the same kernels.
fn rows(profiles: impl Iterator<Item = Vec<KernelTime>>) -> Vec<Row> {
    let mut by_name = BTreeMap::<String, (Work, usize, Vec<f64>)>::new();
    for kernel in profiles.flatten() {
        let row = by_name.entry(kernel.name.clone()).or_default();
        (row.0, row.1) = (kernel.total(), kernel.dispatches.len());
        row.2.push(kernel.ms);
    }
    let row =
        |(name, (Work { bytes, flops }, calls, times))| Row { name, calls, time: Sample::of(times), bytes, flops };
    let mut rows: Vec<Row> = by_name.into_iter().map(row).collect();
    rows.sort_by(|a, b| b.time.median_ms.total_cmp(&a.time.median_ms));
    rows
}

/// Output, gradients of activations and of parameters.
pub(super) fn results(case: &Case, gpu: &Gpu) -> Vec<Vec<f32>> {
    let prepared = case.prepare(gpu);
    let results = prepared.run(gpu);
    results.iter().chain(prepared.parameter_gradients()).map(|t| t.read::<f32>()).collect()
}

/// The largest root mean square of the differences of two results over that of the second.
pub(super) fn difference(got: &[Vec<f32>], want: &[Vec<f32>]) -> f64 {
    let of_one = |(got, want): (&Vec<f32>, &Vec<f32>)| {
        // Ids are compared as what their bits would be as numbers: equal, or far off.
        if got.iter().zip(want).all(|(g, w)| g.to_bits() == w.to_bits()) {
            return 0.0;
        }
        let square = |x: f64| x * x;
        let error: f64 = got.iter().zip(want).map(|(&g, &w)| square(f64::from(g) - f64::from(w))).sum();
        let power: f64 = want.iter().map(|&w| square(f64::from(w))).sum();
        let ratio = (error / power.max(f64::MIN_POSITIVE)).sqrt();
        if ratio.is_nan() { f64::INFINITY } else { ratio }
    };
    got.iter().zip(want).map(of_one).fold(0.0, f64::max)
}

/// A case in two reports.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Of the case.
    pub name: String,
    /// Median before and now, in ms.
    pub ms: [f64; 2],
    /// Whether the middle halves of the two samples do not even touch.
    pub is_clear: bool,
}

impl Change {
    /// Time now over the time before.
    pub fn ratio(&self) -> f64 {
        self.ms[1] / self.ms[0]
    }
}

/// The cases that both reports have, those that became slower first.
pub fn changes(before: &KernelReport, now: &KernelReport) -> Vec<Change> {
    let change = |case: &CaseTime| {
        let old = before.cases.iter().find(|old| old.name == case.name)?.warm;
        let is_clear = case.warm.lower_ms > old.upper_ms || case.warm.upper_ms < old.lower_ms;
        Some(Change { name: case.name.clone(), ms: [old.median_ms, case.warm.median_ms], is_clear })
    };
    let mut changes: Vec<Change> = now.cases.iter().filter_map(change).collect();
    changes.sort_by(|a, b| b.ratio().total_cmp(&a.ratio()));
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(lower_ms: f64, median_ms: f64, upper_ms: f64) -> Sample {
        Sample { median_ms, lower_ms, upper_ms }
    }

    fn report(cases: &[(&str, Sample)]) -> KernelReport {
        let case = |&(name, warm): &(&str, Sample)| CaseTime {
            name: name.into(),
            warm,
            cold: warm,
            error: 0.0,
            kernels: Vec::new(),
        };
        KernelReport {
            environment: Environment::default(),
            peaks: Peaks { bandwidth_gb_per_s: 10.0, fma_gflop_per_s: 100.0 },
            segments: 2,
            repeats: 3,
            cases: cases.iter().map(case).collect(),
        }
    }

    #[test]
    fn what_became_slower_comes_first() {
        let before =
            report(&[("a", sample(9.0, 10.0, 11.0)), ("b", sample(1.0, 1.0, 1.0)), ("gone", sample(1.0, 1.0, 1.0))]);
        let now = report(&[("a", sample(4.0, 5.0, 8.0)), ("new", sample(1.0, 1.0, 1.0)), ("b", sample(0.9, 1.5, 1.6))]);
        let found = changes(&before, &now);
        let lines: Vec<_> = found.iter().map(|c| (c.name.as_str(), c.ratio(), c.is_clear)).collect();
        assert_eq!(lines, [("b", 1.5, false), ("a", 0.5, true)]);
    }

    #[test]
    fn quartiles_of_what_was_measured() {
        assert_eq!(Sample::of(vec![5.0, 1.0, 3.0, 2.0, 4.0]), sample(2.0, 3.0, 4.0));
        assert!((sample(2.0, 3.0, 4.0).spread() - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(Sample::of(vec![7.0]), sample(7.0, 7.0, 7.0));
    }

    #[test]
    fn the_nearer_limit_is_named() {
        let peaks = Peaks { bandwidth_gb_per_s: 10.0, fma_gflop_per_s: 100.0 };
        let row = |bytes, flops| Row { name: "k".into(), calls: 1, time: sample(1.0, 2.0, 3.0), bytes, flops };
        let moves = row(10_000_000, 1_000);
        assert_eq!((moves.bound(&peaks), moves.share_of_roof(&peaks)), ("memory", 0.5));
        let computes = row(1_000, 50_000_000);
        assert_eq!((computes.bound(&peaks), computes.share_of_roof(&peaks)), ("arithmetic", 0.25));
    }

    #[test]
    fn differences_are_relative_and_nan_is_one() {
        let want = vec![vec![3.0, 4.0]];
        assert_eq!(difference(&want, &want), 0.0);
        assert!((difference(&[vec![3.0, 4.05]], &want) - 0.01).abs() < 1e-6);
        assert_eq!(difference(&[vec![f32::NAN, 4.0]], &want), f64::INFINITY);
    }
}
