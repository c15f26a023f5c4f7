//! Kernel tests: every shader against an f64 reference, forward and gradients, on every tier this adapter has.

mod adam;
mod augment;
mod batch_norm;
mod bce;
mod cases;
mod checkpoint;
mod chunks;
mod cola;
mod coverage;
mod depthwise;
mod elementwise;
mod embedding;
mod features;
mod fft;
mod fused;
mod harness;
mod log_mel;
mod matmul;
mod network;
mod peaks;
mod pool;
mod se;
mod softmax_xent;
mod standardise;
mod tune;
