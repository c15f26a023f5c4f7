//! `bench kernels`: forward and backward of every case, kernel by kernel.

use super::cases::all;
use crate::gpu::{Gpu, KernelTime, Work};
use serde::Serialize;
use std::time::Instant;

/// One case, measured.
#[derive(Clone, Debug, Serialize)]
pub struct CaseTime {
    /// Name in the table.
    pub name: String,
    /// Median time of forward and backward together, by the host's clock.
    pub ms: f64,
    /// Its kernels, slowest first, one run each.
    pub kernels: Vec<Row>,
}

/// One kernel of a case.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Kernel and specialisation.
    pub name: String,
    /// Dispatches.
    pub calls: u64,
    /// Time on the device.
    pub ms: f64,
    /// Bytes bound, each counted once a dispatch.
    pub bytes: u64,
    /// Floating-point operations, as the op counts them.
    pub flops: u64,
}

impl Row {
    /// The totals of `runs` runs, for one.
    pub fn of(k: &KernelTime, runs: u64) -> Row {
        let Work { bytes, flops } = k.total();
        Row {
            name: k.name.clone(),
            calls: k.dispatches.len() as u64 / runs,
            ms: k.ms / runs as f64,
            bytes: bytes / runs,
            flops: flops / runs,
        }
    }

    /// Bytes over time.
    pub fn gb_per_s(&self) -> f64 {
        self.bytes as f64 / self.ms / 1e6
    }

    /// FLOPs over time.
    pub fn gflop_per_s(&self) -> f64 {
        self.flops as f64 / self.ms / 1e6
    }
}

/// Times every case whose name contains `filter`, `repeats` times after a warm-up.
pub fn measure<'a>(
    gpu: &'a Gpu,
    segments: usize,
    filter: &'a str,
    repeats: usize,
) -> impl Iterator<Item = CaseTime> + 'a {
    let repeats = repeats.max(1);
    all(segments).into_iter().filter(move |c| c.name.contains(filter)).map(move |case| {
        let prepared = case.prepare(gpu);
        prepared.run(gpu);
        gpu.wait();
        let mut times: Vec<f64> = (0..repeats)
            .map(|_| {
                let start = Instant::now();
                prepared.run(gpu);
                gpu.wait();
                start.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        times.sort_by(f64::total_cmp);
        gpu.profile_start();
        for _ in 0..repeats {
            prepared.run(gpu);
        }
        let profile = gpu.profile_stop();
        CaseTime {
            name: case.name.clone(),
            ms: times[repeats / 2],
            kernels: profile.kernels.iter().map(|k| Row::of(k, repeats as u64)).collect(),
        }
    })
}

/// The lines that a person reads.
pub fn table(case: &CaseTime) -> String {
    let mut text = format!("{:<70} {:9.3} ms\n", case.name, case.ms);
    for row in &case.kernels {
        let (gb, gflop) = (row.gb_per_s(), row.gflop_per_s());
        text.push_str(&format!("    {:<66} {:9.3} ms {gb:8.2} GB/s {gflop:8.1} GFLOP/s\n", row.name, row.ms));
    }
    text
}
