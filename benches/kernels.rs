//! `cargo bench --bench kernels [-- FILTER]`: every op of the network, kernel by kernel, 64 segments.

use cola::bench::kernels::{measure, table};
use cola::gpu::{Gpu, GpuOptions, catch};

fn main() {
    // cargo passes --bench; what is left is the filter
    let filter = std::env::args().skip(1).find(|a| !a.starts_with('-')).unwrap_or_default();
    let gpu = Gpu::open(&GpuOptions::default()).unwrap_or_else(|e| panic!("{e}"));
    println!("{} ({})", gpu.caps().adapter, gpu.caps().driver);
    catch(|| measure(&gpu, 64, &filter, 5).for_each(|case| print!("{}", table(&case))))
        .unwrap_or_else(|e| panic!("{e}"));
}
