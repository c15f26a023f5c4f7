//! Everything that talks to wgpu, and nothing else does.
//!
//! | file | holds |
//! |---|---|
//! | `context` | [`Gpu`]: adapter choice, device, queue; [`AdapterChoice`] |
//! | `caps` | [`Caps`]: what this adapter can do, and the [`Tier`] of kernels that suits it |
//! | `buffer` | [`Buffer`] and the pool it returns to |
//! | `wgsl` | the composer: `//!use`, constant rewriting, binding scan, line map |
//! | `kernel` | [`Kernel`], [`Spec`], pipeline and bind-group caches |
//! | `tune` | [`Tunable`]: knobs chosen by timing |
//! | `choices` | the file that keeps them |
//! | `stream` | recording dispatches, submitting them, uploads and read-backs |
//! | `profile` | time, bytes and FLOPs of every kernel |
//! | `traffic` | what a kernel reads and writes of its bindings, by its code |
//! | `error` | [`GpuError`], and how it travels out of an op |

mod buffer;
mod caps;
mod choices;
mod context;
mod error;
mod kernel;
mod profile;
mod stream;
mod traffic;
mod tune;
pub mod wgsl;

pub use buffer::{Buffer, MemoryUse};
pub use caps::{Caps, Tier};
pub use choices::cache_folder;
pub use context::{AdapterChoice, Gpu, GpuOptions, adapter_list};
pub use error::{GpuError, catch};
pub use kernel::{Kernel, Spec, Value};
pub use profile::{KernelTime, Profile, Work};
pub use stream::{Pending, groups};
pub(crate) use tune::trial_data;
pub use tune::{Knobs, Trial, Tunable, TuneShape, Tuned};
