//! `cargo bench --bench kernels [-- FILTER]`: every op of the networks, kernel by kernel, 64 segments.

use cola::bench::kernel_page::{heading, lines};
use cola::bench::kernels::KernelBench;
use cola::bench::peaks::Peaks;
use cola::gpu::{Gpu, GpuOptions, Tier, catch};

fn main() {
    // cargo passes --bench; what is left is the filter
    let filter = std::env::args().skip(1).find(|a| !a.starts_with('-')).unwrap_or_default();
    let open = |options| Gpu::open(&options).unwrap_or_else(|e| panic!("{e}"));
    let gpu = open(GpuOptions::default());
    let checker = open(GpuOptions { tier: Some(Tier::Portable), checked: true, ..GpuOptions::default() });
    println!("{} ({})\n{}", gpu.caps().adapter, gpu.caps().driver, heading());
    let run = || {
        let (bench, peaks) = (KernelBench::new(&gpu, &checker, 64, 5), Peaks::measure(&gpu));
        bench.measure(&filter).for_each(|case| print!("{}", lines(&case, &peaks)));
    };
    catch(run).unwrap_or_else(|e| panic!("{e}"));
}
