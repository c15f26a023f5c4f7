//! From token ids to vectors.

use super::u;
use crate::gpu::{Gpu, Kernel, groups};
use crate::kernel;
use crate::tape::{Ctx, Param, Var};
use crate::tensor::Tensor;
use bytemuck::{Pod, Zeroable};

static TOKEN_EMBEDDING: Kernel = kernel!("token_embedding.wgsl");
static TOKEN_EMBEDDING_DW: Kernel = kernel!("token_embedding_dw.wgsl");

const WG: usize = 64;

/// Token ids on the device, with what the gradient needs: which tokens have an id, in order.
#[derive(Clone)]
pub struct Tokens {
    /// `[N]`, `u32`.
    ids: Tensor,
    /// `[N]`: the tokens sorted by id, those of an id in their order.
    order: Tensor,
    /// `[classes + 1]`: where the tokens of an id begin in `order`.
    starts: Tensor,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    tokens: u32,
    classes: u32,
}

impl Tokens {
    /// Uploads ids below `classes`.
    ///
    /// # Panics
    /// When an id is not, or there is none.
    #[track_caller]
    pub fn new(gpu: &Gpu, ids: &[u32], classes: usize) -> Tokens {
        assert!(!ids.is_empty(), "no tokens");
        let mut starts = vec![0; classes + 1];
        for &id in ids {
            assert!((id as usize) < classes, "token {id} of {classes}");
            starts[id as usize + 1] += 1u32;
        }
        for id in 0..classes {
            starts[id + 1] += starts[id];
        }
        let mut order: Vec<u32> = (0..u(ids.len())).collect();
        order.sort_by_key(|&n| ids[n as usize]);
        let upload = |data: &[u32]| Tensor::from_slice(gpu, &[data.len()], data);
        Tokens { ids: upload(ids), order: upload(&order), starts: upload(&starts) }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Never true.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// `sums[d][k] += Σ_{n: ids[n] = k} x[d][n]`, in the order of the tokens; x: `[D, N]`, sums: `[D, classes]`.
    #[track_caller]
    pub(super) fn add_columns(&self, x: &Tensor, sums: &Tensor) {
        let ([features, tokens], [_, classes]) = (x.dims2(), sums.dims2());
        assert_eq!((tokens, classes + 1), (self.len(), self.starts.len()), "tokens and classes of {:?}", x.shape());
        let params = Params { tokens: u(tokens), classes: u(classes) };
        let bound = [x, &self.order, &self.starts, sums];
        let grid = [groups(classes, WG), u(features), 1];
        x.gpu().run(&TOKEN_EMBEDDING_DW, &[], &params, &bound, grid, x.len() as u64);
    }

    /// The ids, `[N]`, `u32`.
    pub fn ids(&self) -> &Tensor {
        &self.ids
    }
}

/// `y[d][n] = table[d][ids[n]]`; table: `[D, classes]`, y: `[D, N]`.
///
/// Backward: `dtable[d][k] += Σ_{n: ids[n] = k} dy[d][n]`, in the order of the tokens, so a rerun is bit-equal. Keeps
/// the tokens.
///
/// # Panics
/// When the tokens were made for another number of classes.
#[track_caller]
pub fn token_embedding(cx: &Ctx, table: &Param, tokens: &Tokens) -> Var {
    let [features, classes] = table.value.dims2();
    assert_eq!(
        classes + 1,
        tokens.starts.len(),
        "{} {:?} for tokens of other classes",
        table.name,
        table.value.shape()
    );
    let params = Params { tokens: u(tokens.len()), classes: u(classes) };
    let y = Tensor::empty(cx.gpu, "token_embedding", &[features, tokens.len()]);
    let grid = [groups(tokens.len(), WG), u(features), 1];
    cx.gpu.run(&TOKEN_EMBEDDING, &[], &params, &[&table.value, &tokens.ids, &y], grid, 0);
    let (table, tokens) = (table.clone(), tokens.clone());
    let saved = tokens.order.clone();
    cx.record("token_embedding", y, &[&saved], move |dy, _| tokens.add_columns(&dy, &table.grad))
}
