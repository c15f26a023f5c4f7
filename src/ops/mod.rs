//! Ops: one file a family; in each function, top to bottom: the maths, forward, what is saved, backward.
//!
//! Shape mistakes panic at the caller's line. Device failures unwind to [`gpu::catch`](crate::gpu::catch).

pub mod adam;
pub mod attention;
pub mod augment;
pub mod batch_norm;
pub mod bce;
pub mod bias;
pub mod columns;
pub mod concat;
pub mod conv;
pub mod convolve;
pub mod depthwise;
pub mod dropout;
pub mod elementwise;
pub mod fft;
pub mod frames;
pub mod griffin_lim;
pub mod kmeans;
pub mod l2_normalise;
pub mod layer_norm;
pub mod log_mel;
pub mod matmul;
pub mod mel;
pub mod patches;
pub mod pool;
pub mod reduce;
pub mod residual;
pub mod rotary;
pub mod se;
pub mod se_project;
pub mod softmax_xent;
pub mod standardise;
pub mod token_embedding;

use crate::gpu::{Gpu, GpuError, Tier, Value};
use crate::tensor::{Storage, Tensor};

/// Elements per invocation: four side by side where every row allows it, else one.
pub(crate) fn elem(row_len: usize) -> (usize, (&'static str, Value)) {
    if row_len.is_multiple_of(4) { (4, ("Elem", Value::Name("vec4<f32>"))) } else { (1, ("Elem", Value::Name("f32"))) }
}

/// The specialisation of a kernel that takes a raw map by `width` elements (1, 2 or 4): `Elem`, and the snippet for how
/// the map is stored. Maps in 16 bits are taken by 2 or 4.
pub(crate) fn stored(map: &Tensor, width: usize) -> Vec<(&'static str, Value)> {
    let mut spec = vec![("Elem", Value::Name(["f32", "vec2<f32>", "", "vec4<f32>"][width - 1]))];
    if map.storage() == Storage::F16 {
        let snippet = ["", "lib/stored_f16x2.wgsl", "", "lib/stored_f16x4.wgsl"][width - 1];
        spec.push(("lib/stored.wgsl", Value::Name(snippet)));
    }
    spec
}

/// The specialisation of a kernel that writes a raw map by four elements.
pub(crate) fn out(map: &Tensor) -> Option<(&'static str, Value)> {
    (map.storage() == Storage::F16).then_some(("lib/out.wgsl", Value::Name("lib/out_f16x4.wgsl")))
}

/// The specialisation of a kernel that also takes single elements of a raw map.
pub(crate) fn words(map: &Tensor) -> Option<(&'static str, Value)> {
    (map.storage() == Storage::F16).then_some(("lib/words.wgsl", Value::Name("lib/words_f16.wgsl")))
}

/// The specialisation of a CPU kernel that takes eight elements at a time of rows of `row_len`: in one load where every
/// row allows it.
pub(crate) fn wide(gpu: &Gpu, row_len: usize) -> Option<(&'static str, Value)> {
    let one_load = gpu.caps().int64 && row_len.is_multiple_of(8);
    one_load.then_some(("lib/wide.wgsl", Value::Name("lib/wide_u64.wgsl")))
}

/// Workgroup and elements an invocation of the kernels that stream through rows. On CPU adapters a workgroup is one
/// vector of lanes, and what it loads once a workgroup (statistics of the channel) has to serve more elements.
pub(crate) fn streaming(gpu: &Gpu) -> (usize, usize) {
    match gpu.caps().tier {
        Tier::Portable => (64, 4),
        Tier::Cpu => (8, 32),
    }
}

/// A length or index as the kernels take it.
///
/// # Panics
/// Past 2^32: no tensor that fits a binding is that long.
#[track_caller]
pub(crate) fn u(n: usize) -> u32 {
    u32::try_from(n).expect("tensor lengths stay below 2^32")
}

/// Ranges `(start, count)` of rows that each fit a binding and start at an aligned offset: how a tensor larger than the
/// binding limit is handed to kernels. One range where it fits whole.
///
/// Raises [`GpuError::TooLarge`] when the fewest rows that keep offsets aligned pass the limit.
pub(crate) fn split_rows(gpu: &Gpu, rows: usize, row_len: usize) -> Vec<(usize, usize)> {
    let fit = (gpu.caps().max_binding_bytes / (4 * row_len.max(1)) as u64) as usize;
    if rows <= fit {
        return vec![(0, rows)];
    }
    // as many rows as bring a parameter a row (4 bytes) to an aligned offset, and so any tensor of whole rows
    let unit = (gpu.caps().offset_alignment_bytes as usize / 4).max(1);
    let step = fit / unit * unit;
    if step == 0 {
        GpuError::TooLarge { row_bytes: 4 * row_len as u64, limit_bytes: gpu.caps().max_binding_bytes }.raise();
    }
    (0..rows).step_by(step).map(|start| (start, step.min(rows - start))).collect()
}
