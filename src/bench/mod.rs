//! Benchmarks. Each prints what it measured and where; none is a timed test.

pub mod cases;
pub mod kernel_page;
pub mod kernels;
pub mod peaks;
pub mod scaling;
pub mod step;
