//! cola-wgpu: contrastive audio pre-training (COLA) on any GPU, from scratch.
//!
//! A small training engine on wgpu with hand-written WGSL and a tiny autodiff tape, and on it the pre-training and
//! evaluation of general-purpose audio representations. No machine-learning framework anywhere below.
//!
//! # In a few lines
//!
//! The slope of tanh in three places: a tensor, an op, the way back.
//!
//! ```
//! use cola::gpu::{Gpu, GpuOptions};
//! use cola::ops::elementwise::{Unary, unary};
//! use cola::tape::{Ctx, Tape};
//! use cola::tensor::Tensor;
//!
//! let gpu = Gpu::open(&GpuOptions::default())?;
//! let tape = Tape::new();
//! let x = tape.leaf(Tensor::from_slice(&gpu, &[3], &[-20.0f32, 0.0, 20.0]));
//! let y = unary(&Ctx::training(&gpu, &tape), Unary::Tanh, &x);
//! let dx = tape.backward(&y, Tensor::from_slice(&gpu, &[3], &[1.0f32; 3]));
//! assert_eq!(dx[0].read::<f32>(), [0.0, 1.0, 0.0]);
//! # Ok::<(), cola::gpu::GpuError>(())
//! ```
//!
//! # The map
//!
//! *Ten minutes*: a kernel, `shaders/unary.wgsl`, the op that runs it, [`ops::elementwise`], and how gradients find
//! their way back, [`tape`].
//!
//! *An hour*: [`ops::matmul`] with its four shaders and [`ops::depthwise`] with its strips; [`ops::batch_norm`];
//! `nn/mbconv.rs`, where they make a block, and `nn/efficientnet.rs`, where blocks make the network.
//!
//! *An afternoon*: [`gpu`], which is all there is between an op and the driver; [`audio`], from files to segments in an
//! order that no thread can change; [`train`], the loop and its checkpoints; [`eval`].
//!
//! | module | holds | may touch |
//! |---|---|---|
//! | [`gpu`] | device, pooled buffers, WGSL composer, kernel caches, recording, profile | wgpu |
//! | [`tensor`], [`tape`] | contiguous tensors, reverse-mode differentiation | `gpu` |
//! | [`ops`] | one file an op family: forward, what is saved, backward | shaders |
//! | [`nn`] | parameters, initial values, layers, EfficientNet-B0, COLA's heads, a causal transformer over codes | `ops` |
//! | [`codes`] | sounds as sequences of codes: k-means, drawing new ones, hearing them | `nn` |
//! | [`optim`] | Adam, schedules | `ops` |
//! | [`audio`] | decode, resample, crop, data sets, loader | files |
//! | [`data_sets`] | published data sets as they are shipped, to manifests | `audio` |
//! | [`frontend`] | samples to the encoder's input | `ops` |
//! | [`train`], [`eval`] | trainer, checkpoints, records; embeddings, probe, report | the above |
//! | [`explain`] | from equations to lines | sources |
//! | [`export`] | the encoder as other programs read it | `nn`, files |
//! | [`mod@bench`] | the benchmarks | the above |
//! | [`trace`] | a timeline of threads and kernels | files |
//!
//! Feature maps are channel-major, `[C][N][H][W]`; vectors of a batch are `[features][N]`, a sample a column.

#![warn(missing_docs)]

pub mod audio;
pub mod bench;
pub mod codes;
pub mod data_sets;
pub mod eval;
pub mod explain;
pub mod export;
pub mod frontend;
pub mod gpu;
pub mod nn;
pub mod ops;
pub mod optim;
pub mod selftest;
pub mod tape;
pub mod tensor;
pub mod trace;
pub mod train;
