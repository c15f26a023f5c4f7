//! Residual connection, with stochastic depth (Huang et al. 2016) on the branch.

use super::{elem, split_rows, u};
use crate::gpu::{Kernel, groups};
use crate::kernel;
use crate::tape::{Ctx, Var};
use crate::tensor::Tensor;

static RESIDUAL: Kernel = kernel!("residual.wgsl");

const WG: usize = 64;

/// y = shortcut + scale branch; both `[C, N, H, W]`, scale `[N]`: 0 where a sample's branch is dropped, else
/// 1 / (1 - p). Without a scale it is the plain sum.
///
/// d shortcut = dy, d branch = scale dy. Backward keeps the scale.
#[track_caller]
pub fn residual(cx: &Ctx, branch: &Var, shortcut: &Var, scale: Option<&Tensor>) -> Var {
    assert_eq!(branch.value.shape(), shortcut.value.shape(), "residual of different shapes");
    let y = Tensor::empty(cx.gpu, "residual", branch.value.shape());
    add(&branch.value, Some(&shortcut.value), scale, &y);
    let (branch, shortcut, scale) = (branch.clone(), shortcut.clone(), scale.cloned());
    let saved = scale.clone();
    cx.record("residual", y, &saved.iter().collect::<Vec<_>>(), move |dy, grads| {
        if branch.needs_grad() {
            let d_branch = match &scale {
                None => dy.clone(),
                Some(scale) => {
                    let d_branch = Tensor::empty(dy.gpu(), "residual d branch", dy.shape());
                    add(&dy, None, Some(scale), &d_branch);
                    d_branch
                }
            };
            grads.add(&branch, d_branch);
        }
        grads.add(&shortcut, dy);
    })
}

fn add(branch: &Tensor, shortcut: Option<&Tensor>, scale: Option<&Tensor>, y: &Tensor) {
    let [c, n, h, w] = branch.dims4();
    assert!(scale.is_none_or(|s| s.len() == n), "one scale a sample");
    let (width, elem) = elem(h * w);
    let spec = [
        elem,
        ("PLANE", u(h * w / width).into()),
        ("SHORTCUT", shortcut.is_some().into()),
        ("SCALED", scale.is_some().into()),
    ];
    for (start, rows) in split_rows(branch.gpu(), c, n * h * w) {
        let x = branch.rows(start, rows);
        // what a variant does not read is bound to the branch
        let r = shortcut.map_or(x.clone(), |t| t.rows(start, rows));
        let len = rows * n * h * w / width;
        let params = [u(len), u(n)];
        let tensors = [&x, &r, scale.unwrap_or(&x), &y.rows(start, rows)];
        branch.gpu().run(&RESIDUAL, &spec, &params, &tensors, [groups(len, WG), 1, 1], 2 * (len * width) as u64);
    }
}
