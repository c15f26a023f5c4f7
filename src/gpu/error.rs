//! What can go wrong on a device, and how it leaves an op.
//!
//! Ops return plain values, so that a model reads as mathematics. When the device fails inside one (out of memory,
//! lost, a shader the driver refuses) the error unwinds, silently, to the nearest [`catch`], where it becomes a
//! `Result`. Nothing between the two may leave state half-changed: what ops touch is buffers that the unwinding
//! frees. Mistakes of the programmer (shapes) are ordinary panics and pass through `catch`.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// A failure of the device or of its driver. One line, with what to do.
#[derive(Clone, Debug, thiserror::Error)]
pub enum GpuError {
    /// No adapter was found at all.
    #[error(
        "no GPU adapter found ({looked_for}); install a Vulkan driver (on Debian: apt-get install libvulkan1 \
         mesa-vulkan-drivers, which also brings a software one), then try `cola doctor`"
    )]
    NoAdapter {
        /// The back ends that were asked.
        looked_for: String,
    },
    /// `--adapter` names none of those present.
    #[error("no adapter matches '{wanted}'; present: {present}")]
    NoSuchAdapter {
        /// What was asked for.
        wanted: String,
        /// Index and name of each adapter.
        present: String,
    },
    /// The adapter refused to give a device, or lacks something every kernel needs.
    #[error("adapter '{adapter}' cannot be used: {reason}")]
    Device {
        /// Adapter name.
        adapter: String,
        /// The driver's words.
        reason: String,
    },
    /// An allocation failed, or would pass the memory budget.
    #[error(
        "out of GPU memory: '{tensor}' wanted {wanted_bytes} bytes with {in_use_bytes} bytes in use{limit}; \
         lower --batch"
    )]
    OutOfMemory {
        /// The tensor being allocated.
        tensor: String,
        /// Bytes it asked for.
        wanted_bytes: u64,
        /// Bytes already handed out.
        in_use_bytes: u64,
        /// ` (limit N bytes)` or empty.
        limit: String,
    },
    /// A batch so large that a few channels of a feature map pass what one binding may see.
    #[error(
        "a feature map with channels of {row_bytes} bytes is too large for this adapter, whose bindings see \
         {limit_bytes} bytes; lower --batch"
    )]
    TooLarge {
        /// One channel of the whole batch.
        row_bytes: u64,
        /// The adapter's limit on a binding.
        limit_bytes: u64,
    },
    /// The device is gone: driver reset, watchdog, unplugged.
    #[error("the GPU device was lost: {0}; the last checkpoint is intact, go on with --resume")]
    Lost(String),
    /// wgpu found fault with a call: a bug in this program.
    #[error("the GPU driver layer refused a call (a bug in cola-wgpu): {0}")]
    Validation(String),
    /// A kernel does not compile here.
    #[error("kernel does not compile: {0}")]
    Shader(String),
}

impl GpuError {
    /// Leaves the current op and arrives at the nearest [`catch`].
    pub(crate) fn raise(self) -> ! {
        // Whoever catches the error reports it, once: the panic hook must not print. Where nobody does, it must.
        if CATCHING.get() == 0 {
            panic!("{self}");
        }
        resume_unwind(Box::new(self))
    }
}

thread_local! {
    /// Calls of [`catch`] that this thread is in.
    static CATCHING: Cell<u32> = const { Cell::new(0) };
}

/// Runs `f`; a device failure inside it comes back as an error. Other panics go on. Outside of it a failure is a panic with
/// the error's words.
pub fn catch<T>(f: impl FnOnce() -> T) -> Result<T, GpuError> {
    CATCHING.set(CATCHING.get() + 1);
    let result = catch_unwind(AssertUnwindSafe(f));
    CATCHING.set(CATCHING.get() - 1);
    result.map_err(|payload| match payload.downcast::<GpuError>() {
        Ok(error) => *error,
        Err(other) => resume_unwind(other),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_raised_deep_inside_arrives_at_catch() {
        let result = catch(|| -> u32 { GpuError::Lost("test".into()).raise() });
        assert!(matches!(result, Err(GpuError::Lost(_))));
        assert!(matches!(catch(|| 3), Ok(3)));
    }

    #[test]
    #[should_panic(expected = "the GPU device was lost: test")]
    fn an_error_that_nobody_catches_says_what_it_is() {
        let _ = catch(|| ());
        GpuError::Lost("test".into()).raise()
    }

    #[test]
    #[should_panic(expected = "ordinary")]
    fn ordinary_panics_pass_through() {
        let _ = catch(|| panic!("ordinary"));
    }
}
