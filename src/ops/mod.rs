//! Ops: one file a family; in each function, top to bottom: the maths, forward, what is saved, backward.
//!
//! Shape mistakes panic at the caller's line. Device failures unwind to [`gpu::catch`](crate::gpu::catch).

pub mod elementwise;
pub mod matmul;

use crate::gpu::Value;

/// Elements per invocation: four side by side where every row allows it, else one.
pub(crate) fn elem(row_len: usize) -> (usize, (&'static str, Value)) {
    if row_len.is_multiple_of(4) { (4, ("Elem", Value::Name("vec4<f32>"))) } else { (1, ("Elem", Value::Name("f32"))) }
}

/// A length or index as the kernels take it.
///
/// # Panics
/// Past 2^32: no tensor that fits a binding is that long.
#[track_caller]
pub(crate) fn u(n: usize) -> u32 {
    u32::try_from(n).expect("tensor lengths stay below 2^32")
}
