//! Rotary positions.

use super::u;
use crate::gpu::{Gpu, Kernel, Value, groups};
use crate::kernel;
use crate::tape::{Ctx, Var};
use crate::tensor::Tensor;
use bytemuck::{Pod, Zeroable};

static ROTARY: Kernel = kernel!("rotary.wgsl");

const WG: usize = 64;

/// Cosines and sines of the angles t 10000^(-2i / d).
#[derive(Clone)]
pub struct RotaryTable {
    /// `[2, d / 2, steps]`
    table: Tensor,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    heads: u32,
    pairs: u32,
    samples: u32,
    steps4: u32,
}

impl RotaryTable {
    /// For heads of `width` features and sequences of `steps`.
    pub fn new(gpu: &Gpu, width: usize, steps: usize) -> RotaryTable {
        let angles = (0..width / 2).flat_map(|i| {
            let per_step = 10_000f64.powf(-2.0 * i as f64 / width as f64);
            (0..steps).map(move |t| t as f64 * per_step)
        });
        let (cosines, sines): (Vec<f32>, Vec<f32>) = angles.map(|a| (a.cos() as f32, a.sin() as f32)).unzip();
        RotaryTable { table: Tensor::from_slice(gpu, &[2, width / 2, steps], &[cosines, sines].concat()) }
    }

    /// Queries and keys of `qkv` `[3 D, samples · steps]` turned, pair (i, i + d / 2) of each head by its angle, so that
    /// their inner products depend on how far apart they are (Su et al. 2021, "RoFormer", eq. 34); values stay.
    ///
    /// Backward turns the gradient back. Keeps nothing but the table.
    ///
    /// # Panics
    /// When `qkv` is not of heads of the table's width and samples of its steps, or the steps are no multiple of 4.
    #[track_caller]
    pub fn turn(&self, cx: &Ctx, qkv: &Var) -> Var {
        let y = self.run(&qkv.value, false);
        let (table, x) = (self.clone(), qkv.clone());
        cx.record("rotary", y, &[], move |dy, grads| grads.add(&x, table.run(&dy, true)))
    }

    #[track_caller]
    fn run(&self, x: &Tensor, back: bool) -> Tensor {
        let ([rows, columns], [pairs, steps]) = (x.dims2(), [self.table.shape()[1], self.table.shape()[2]]);
        let fits = rows.is_multiple_of(6 * pairs) && columns.is_multiple_of(steps) && steps.is_multiple_of(4);
        assert!(fits, "rotary table of {pairs} pairs and {steps} steps for {:?}", x.shape());
        let y = Tensor::empty(x.gpu(), "rotary", x.shape());
        let heads = rows / (6 * pairs);
        let params = Params { heads: u(heads), pairs: u(pairs), samples: u(columns / steps), steps4: u(steps / 4) };
        let spec: [(&'static str, Value); 1] = [("BACK", back.into())];
        let grid = [groups(x.len() / 8, WG), 1, 1];
        x.gpu().run(&ROTARY, &spec, &params, &[x, &self.table, &y], grid, 2 * x.len() as u64);
        y
    }
}
