//! Elementwise functions and sums, and other shapes of the same elements.

use super::{elem, u};
use crate::gpu::{Gpu, Kernel, groups};
use crate::kernel;
use crate::tape::{Ctx, Var};
use crate::tensor::Tensor;
use bytemuck::{Pod, Zeroable};
use std::f64::consts::FRAC_2_PI;

static UNARY: Kernel = kernel!("unary.wgsl");
static UNARY_DX: Kernel = kernel!("unary_dx.wgsl");
static AXPBY: Kernel = kernel!("axpby.wgsl");

const WG: usize = 64;

/// What a function keeps for the way back, in which its slope is simplest.
#[derive(PartialEq)]
enum Keeps {
    X,
    Y,
}

/// Writes the enum and everything that has an entry a function from one table: its test and its bench row are made from
/// it, too.
macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident = $text:literal, keeps $keeps:ident, |$x:ident| $value:expr;)*) => {
        /// An elementwise function; its place in the table is `OP` in `unary.wgsl` and `unary_dx.wgsl`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Unary { $($(#[$doc])* $name,)* }

        impl Unary {
            /// All of them, in order.
            pub const ALL: &[Unary] = &[$(Unary::$name),*];

            /// For people.
            pub fn name(self) -> &'static str {
                match self { $(Unary::$name => $text,)* }
            }

            /// The function in f64, which the kernel is tested against; its gradient is tested against differences of it.
            pub fn value(self, x: f64) -> f64 {
                match self { $(Unary::$name => { let $x = x; $value })* }
            }

            fn keeps(self) -> Keeps {
                match self { $(Unary::$name => Keeps::$keeps,)* }
            }
        }
    };
}

functions! {
    /// x sigmoid(x)
    Swish = "swish", keeps X, |x| x * sigmoid(x);
    /// 1 / (1 + exp(-x))
    Sigmoid = "sigmoid", keeps Y, |x| sigmoid(x);
    /// tanh(x)
    Tanh = "tanh", keeps Y, |x| x.tanh();
    /// x Φ(x), Φ the normal distribution, by the tanh formula of Hendrycks and Gimpel (2016)
    Gelu = "gelu", keeps X, |x| 0.5 * x * (1.0 + (FRAC_2_PI.sqrt() * (x + 0.044715 * x.powi(3))).tanh());
    /// x²
    Square = "square", keeps X, |x| x * x;
    /// max(x, 0); a NaN stays one.
    Relu = "relu", keeps Y, |x| x.max(0.0);
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Length {
    n: u32,
}

// ANCHOR: run_unary
fn run_unary(gpu: &Gpu, kernel: &'static Kernel, op: Unary, tensors: &[&Tensor]) {
    let (width, elem) = elem(tensors[0].len());
    let n = tensors[0].len() / width;
    let spec = [elem, ("OP", (op as u32).into())];
    gpu.run(kernel, &spec, &Length { n: u(n) }, tensors, [groups(n, WG), 1, 1], 8 * tensors[0].len() as u64);
}
// ANCHOR_END: run_unary

// ANCHOR: unary
/// y = f(x), any shape.
///
/// Backward: dx = dy f'(x). Keeps x or y, whichever the slope is simpler in.
pub fn unary(cx: &Ctx, op: Unary, x: &Var) -> Var {
    let y = Tensor::empty(cx.gpu, "unary", x.value.shape());
    run_unary(cx.gpu, &UNARY, op, &[&x.value, &y]);
    let kept = if op.keeps() == Keeps::X { x.value.clone() } else { y.clone() };
    let (x, saved) = (x.clone(), kept.clone());
    cx.record("unary", y, &[&saved], move |dy, grads| {
        let dx = Tensor::empty(dy.gpu(), "unary dx", dy.shape());
        run_unary(dy.gpu(), &UNARY_DX, op, &[&kept, &dy, &dx]);
        grads.add(&x, dx);
    })
}
// ANCHOR_END: unary

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Axpby {
    n: u32,
    a: f32,
    b: f32,
}

/// y = a x + b y, in place; with b = 0 the old y is not read.
#[track_caller]
pub fn axpby(a: f32, x: &Tensor, b: f32, y: &Tensor) {
    assert_eq!(x.len(), y.len(), "axpby of {:?} and {:?}", x.shape(), y.shape());
    let (width, elem) = elem(x.len());
    let n = x.len() / width;
    let params = Axpby { n: u(n), a, b };
    x.gpu().run(&AXPBY, &[elem], &params, &[x, y], [groups(n, WG), 1, 1], 3 * x.len() as u64);
}

/// y += x.
#[track_caller]
pub fn add_in_place(y: &Tensor, x: &Tensor) {
    axpby(1.0, x, 1.0, y);
}

// ANCHOR: scale
/// a x. Backward: a dy. Keeps nothing.
pub fn scale(cx: &Ctx, a: f32, x: &Var) -> Var {
    let y = Tensor::empty(cx.gpu, "scale", x.value.shape());
    axpby(a, &x.value, 0.0, &y);
    let x = x.clone();
    cx.record("scale", y, &[], move |dy, grads| {
        let dx = Tensor::empty(dy.gpu(), "scale dx", dy.shape());
        axpby(a, &dy, 0.0, &dx);
        grads.add(&x, dx);
    })
}
// ANCHOR_END: scale

/// a x1 + b x2, of the same shape. Backward: a dy to the first, b dy to the second.
#[track_caller]
pub fn add_scaled(cx: &Ctx, a: f32, x1: &Var, b: f32, x2: &Var) -> Var {
    assert_eq!(x1.value.shape(), x2.value.shape(), "sum of different shapes");
    let y = x2.value.duplicate();
    axpby(a, &x1.value, b, &y);
    let (x1, x2) = (x1.clone(), x2.clone());
    cx.record("add_scaled", y, &[], move |dy, grads| {
        for (x, factor) in [(x1, a), (x2, b)] {
            if x.needs_grad() {
                let dx = Tensor::empty(dy.gpu(), "add_scaled dx", dy.shape());
                axpby(factor, &dy, 0.0, &dx);
                grads.add(&x, dx);
            }
        }
    })
}

/// The same elements in another shape; memory is shared. Backward: dy in the shape of x. Keeps nothing.
///
/// # Panics
/// When the shapes have different numbers of elements.
#[track_caller]
pub fn reshape(cx: &Ctx, x: &Var, shape: &[usize]) -> Var {
    let y = x.value.reshape(shape);
    let x = x.clone();
    cx.record("reshape", y, &[], move |dy, grads| grads.add(&x, dy.reshape(x.value.shape())))
}
