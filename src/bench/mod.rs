//! Benchmarks. Each prints what it measured and where; none is a timed test.

pub mod adapters;
pub mod cases;
pub mod kernel_page;
pub mod kernels;
pub mod ladders;
pub mod peaks;
pub mod scaling;
pub mod step;
pub mod watch;
