//! 3x3 convolution with all channels, as a matrix product.
//!
//! y = W unfold(x), the filters `[out, in, 3, 3]` read as a matrix `[out, 9 in]` and unfold(x) `[9 in, N H W]` what they
//! see at every place, zeros outside. With D the gradient at unfold(x): dW = dy unfold(x)ᵀ, D = Wᵀ dy, and dx = fold(D),
//! unfold's transpose. Unfolded, a map is nine times as long, so it is not kept but made again on the way back.
//! (Chellapilla, Puri, Simard 2006, "High performance convolutional neural networks for document processing".)

use super::matmul::{Left, outer_product, product};
use super::{split_rows, u};
use crate::gpu::{Kernel, groups};
use crate::kernel;
use crate::tape::{Ctx, Param, Var};
use crate::tensor::{Storage, Tensor};

static UNFOLD: Kernel = kernel!("unfold.wgsl");
static FOLD: Kernel = kernel!("fold.wgsl");

const WG: usize = 64;

// ANCHOR: conv3x3
/// x `[in, N, H, W]`, w `[out, in, 3, 3]`, stride 1, padding 1 → y `[out, N, H, W]`, stored in that way. Backward keeps x.
///
/// # Panics
/// When W is no multiple of 4.
#[track_caller]
pub fn conv3x3(cx: &Ctx, x: &Var, w: &Param, storage: Storage) -> Var {
    let [inputs, n, height, width] = x.value.dims4();
    let &[out, of, 3, 3] = w.value.shape() else { panic!("{}: filters {:?}", w.name, w.value.shape()) };
    assert!(of == inputs && width.is_multiple_of(4), "{}: {:?} for {:?}", w.name, w.value.shape(), x.value.shape());
    let y = Tensor::empty_in(cx.gpu, "conv3x3", &[out, n, height, width], storage);
    product(Left::Plain, &w.value, &unfold(&x.value), &y, false);
    let (x, w, saved) = (x.clone(), w.clone(), x.value.clone());
    cx.record("conv3x3", y, &[&saved], move |dy, grads| {
        outer_product(&dy, &unfold(&x.value), &w.grad, true);
        if x.needs_grad() {
            let d = Tensor::empty(dy.gpu(), "conv3x3 unfolded dx", &[9 * inputs, n * height * width]);
            product(Left::Transposed, &w.value, &dy, &d, false);
            drop(dy);
            grads.add(&x, fold(&d, x.value.dims4()));
        }
    })
}
// ANCHOR_END: conv3x3

/// What a filter sees: x `[C, N, H, W]` → `[9 C, N H W]`.
fn unfold(x: &Tensor) -> Tensor {
    let [c, n, height, width] = x.dims4();
    let quads = n * height * width / 4;
    let y = Tensor::empty(x.gpu(), "unfolded", &[9 * c, 4 * quads]);
    let spec = [("H", u(height).into()), ("W", u(width).into())];
    for (start, rows) in split_rows(x.gpu(), c, 9 * 4 * quads) {
        let (x, y) = (x.rows(start, rows), y.rows(9 * start, 9 * rows));
        x.gpu().run(&UNFOLD, &spec, &u(quads), &[&x, &x, &y], [groups(quads, WG), u(3 * rows), 1], 0);
    }
    y
}

/// The sum of what came from each element: dy `[9 C, N H W]` → `[C, N, H, W]`.
fn fold(dy: &Tensor, shape @ [c, n, height, width]: [usize; 4]) -> Tensor {
    let quads = n * height * width / 4;
    let dx = Tensor::empty(dy.gpu(), "conv3x3 dx", &shape);
    let spec = [("H", u(height).into()), ("W", u(width).into())];
    for (start, rows) in split_rows(dy.gpu(), c, 9 * 4 * quads) {
        let (dy, dx) = (dy.rows(9 * start, 9 * rows), dx.rows(start, rows));
        let grid = [groups(quads, WG), u(rows), 1];
        dy.gpu().run(&FOLD, &spec, &u(quads), &[&dy, &dy, &dx], grid, (36 * rows * quads) as u64);
    }
    dx
}
