//! Kernel tests: every shader against an f64 reference, forward and gradients, on every tier this adapter has.

mod batch_norm;
mod depthwise;
mod elementwise;
mod harness;
mod matmul;
mod se;
