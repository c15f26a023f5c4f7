//! Kernel tests: every shader against an f64 reference, forward and gradients, on every tier this adapter has.

mod elementwise;
mod harness;
mod matmul;
