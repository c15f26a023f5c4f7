//! cola-wgpu: contrastive audio pre-training on any GPU, from scratch.

pub mod audio;
pub mod bench;
pub mod eval;
pub mod frontend;
pub mod gpu;
pub mod nn;
pub mod ops;
pub mod optim;
pub mod selftest;
pub mod tape;
pub mod tensor;
pub mod train;
