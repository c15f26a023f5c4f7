//! The table of cases: every op that trains the network, on the network's own shapes.
//!
//! `bench kernels` times them, and the kernel tests run the same table to see that every tier agrees on it.

use crate::gpu::Gpu;
use crate::ops::batch_norm::{BatchNorm, batch_norm};
use crate::ops::bias::bias;
use crate::ops::columns::columns;
use crate::ops::depthwise::{conv_stem, depthwise};
use crate::ops::elementwise::{Unary, unary};
use crate::ops::l2_normalise::l2_normalise;
use crate::ops::layer_norm::layer_norm;
use crate::ops::matmul::{linear, matmul_tn};
use crate::ops::pool::{max_pool, mean_pool};
use crate::ops::residual::residual;
use crate::ops::se::gate;
use crate::ops::softmax_xent::{Samples, softmax_xent};
use crate::tape::{Ctx, Param, Tape, Var};
use crate::tensor::Tensor;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

type Op = Box<dyn Fn(&Ctx, &[Var], &[Param]) -> Var>;

/// One op on one shape.
pub struct Case {
    /// Family and place in the network: `linear b1.expand`.
    pub name: String,
    /// Shapes of the activations it takes.
    vars: Vec<Vec<usize>>,
    /// Shapes of its parameters.
    params: Vec<Vec<usize>>,
    op: Op,
}

/// A case's inputs, on a device.
pub struct Prepared<'a> {
    case: &'a Case,
    vars: Vec<Tensor>,
    params: Vec<Param>,
    dy: Tensor,
}

/// Uniform in [-1, 1), the same for the same seed.
fn random(gpu: &Gpu, seed: u64, shape: &[usize]) -> Tensor {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let data: Vec<f32> = (0..shape.iter().product()).map(|_| rng.random_range(-1.0f32..1.0)).collect();
    Tensor::from_slice(gpu, shape, &data)
}

impl Case {
    fn new(
        name: String,
        vars: &[&[usize]],
        params: &[&[usize]],
        op: impl Fn(&Ctx, &[Var], &[Param]) -> Var + 'static,
    ) -> Case {
        let own = |shapes: &[&[usize]]| shapes.iter().map(|s| s.to_vec()).collect();
        Case { name, vars: own(vars), params: own(params), op: Box::new(op) }
    }

    /// Uploads inputs drawn from a fixed seed.
    pub fn prepare(&self, gpu: &Gpu) -> Prepared<'_> {
        let vars: Vec<_> = self.vars.iter().enumerate().map(|(i, s)| random(gpu, i as u64, s)).collect();
        let params: Vec<_> = (self.params.iter().enumerate())
            .map(|(i, s)| Param {
                name: self.name.clone(),
                value: random(gpu, 10 + i as u64, s),
                grad: Tensor::zeros(gpu, "gradient", s),
            })
            .collect();
        let inputs: Vec<_> = vars.iter().cloned().map(Var::constant).collect();
        let y = (self.op)(&Ctx { training: true, ..Ctx::inference(gpu) }, &inputs, &params);
        Prepared { case: self, dy: random(gpu, 20, y.value.shape()), vars, params }
    }
}

impl Prepared<'_> {
    /// Forward and backward, with a gradient for everything the op can give one. Returns the output and the gradients
    /// of the activations.
    pub fn run(&self, gpu: &Gpu) -> Vec<Tensor> {
        let tape = Tape::new();
        let leaves: Vec<_> = self.vars.iter().cloned().map(|t| tape.leaf(t)).collect();
        let y = (self.case.op)(&Ctx::training(gpu, &tape), &leaves, &self.params);
        let output = y.value.clone();
        let mut results = vec![output];
        results.extend(tape.backward(&y, self.dy.clone()));
        results
    }

    /// The gradients of the parameters, summed over the runs so far.
    pub fn parameter_gradients(&self) -> impl Iterator<Item = &Tensor> {
        self.params.iter().map(|p| &p.grad)
    }
}

/// The whole table for a batch of `segments`.
pub fn all(segments: usize) -> Vec<Case> {
    let n = segments;
    let mut cases = vec![Case::new("conv_stem 96x64, 32 filters".into(), &[], &[&[32, 1, 3, 3]], {
        move |cx, _, w| conv_stem(cx, &Var::constant(random(cx.gpu, 5, &[1, n, 96, 64])), &w[0])
    })];
    for (place, out, inputs, pixels) in [
        ("b1.expand", 96, 16, 1536),
        ("b1.project", 24, 96, 384),
        ("b2.expand", 144, 24, 384),
        ("b4.expand", 240, 40, 96),
        ("b9.expand", 672, 112, 24),
        ("b9.project", 112, 672, 24),
        ("b12.expand", 1152, 192, 6),
        ("head", 1280, 320, 6),
        ("projection", 512, 1280, 1),
    ] {
        let name = format!("linear {place} {inputs} to {out}, {pixels} pixels");
        cases.push(Case::new(name, &[&[inputs, n * pixels]], &[&[out, inputs]], |cx, x, w| linear(cx, &w[0], &x[0])));
    }
    for (place, c, h, w, k, stride) in [
        ("b0", 32, 48, 32, 3, 1),
        ("b1", 96, 48, 32, 3, 2),
        ("b2", 144, 24, 16, 3, 1),
        ("b3", 144, 24, 16, 5, 2),
        ("b4", 240, 12, 8, 5, 1),
        ("b5", 240, 12, 8, 3, 2),
        ("b6", 480, 6, 4, 3, 1),
        ("b9", 672, 6, 4, 5, 1),
        ("b11", 672, 6, 4, 5, 2),
        ("b12", 1152, 3, 2, 5, 1),
    ] {
        let name = format!("depthwise {place} {c} x {h}x{w}, {k}x{k} stride {stride}");
        let op = move |cx: &Ctx, x: &[Var], w: &[Param]| depthwise(cx, &x[0], &w[0], stride);
        cases.push(Case::new(name, &[&[c, n, h, w]], &[&[c, 1, k, k]], op));
    }
    for (place, c, h, w) in [("b1.bn1", 96, 48, 32), ("b4.bn1", 240, 12, 8), ("b12.bn1", 1152, 3, 2)] {
        let name = format!("batch_norm {place} {c} x {h}x{w}, swish");
        cases.push(Case::new(name, &[&[c, n, h, w]], &[&[c], &[c]], move |cx, x, w| {
            let bn = BatchNorm {
                weight: w[0].clone(),
                bias: w[1].clone(),
                running_mean: Tensor::zeros(cx.gpu, "running mean", &[c]),
                running_var: Tensor::zeros(cx.gpu, "running variance", &[c]),
                eps: 1e-3,
                momentum: 0.01,
            };
            batch_norm(cx, &x[0], &bn, true)
        }));
    }
    for (place, c, h, w) in [("b1", 96, 24, 16), ("b4", 240, 12, 8), ("b12", 1152, 3, 2)] {
        let name = format!("gate {place} {c} x {h}x{w}");
        cases.push(Case::new(name, &[&[c, n, h, w], &[c, n]], &[], |cx, x, _| gate(cx, &x[0], &x[1])));
        let name = format!("mean_pool {place} {c} x {h}x{w}");
        cases.push(Case::new(name, &[&[c, n, h, w]], &[], |cx, x, _| mean_pool(cx, &x[0])));
    }
    for (place, c, h, w) in [("b2", 24, 24, 16), ("b12", 192, 3, 2)] {
        let name = format!("residual {place} {c} x {h}x{w}");
        let shape = [c, n, h, w];
        cases.push(Case::new(name, &[&shape, &shape], &[], |cx, x, _| residual(cx, &x[0], &x[1], None)));
    }
    cases.push(Case::new("max_pool 1280 x 3x2".into(), &[&[1280, n, 3, 2]], &[], |cx, x, _| max_pool(cx, &x[0])));
    cases.push(Case::new("layer_norm 512".into(), &[&[512, n]], &[&[512], &[512]], |cx, x, w| {
        layer_norm(cx, &x[0], &w[0], &w[1], 1e-3)
    }));
    cases.push(Case::new("bias 512".into(), &[&[512, n]], &[&[512]], |cx, x, w| bias(cx, &x[0], &w[0])));
    cases.push(Case::new("tanh 512".into(), &[&[512, n]], &[], |cx, x, _| unary(cx, Unary::Tanh, &x[0])));
    cases.push(Case::new("l2_normalise 512".into(), &[&[512, n]], &[], |cx, x, _| l2_normalise(cx, &x[0], 1e-9)));
    let pairs = (n / 2).max(1);
    cases
        .push(Case::new("columns 512".into(), &[&[512, 2 * pairs]], &[], move |cx, x, _| columns(cx, &x[0], 0..pairs)));
    cases.push(Case::new(format!("similarity {pairs} x {pairs}"), &[&[512, pairs], &[512, pairs]], &[], |cx, x, _| {
        matmul_tn(cx, &x[0], &x[1])
    }));
    cases.push(Case::new(format!("softmax_xent {pairs} x {pairs}"), &[&[pairs, pairs]], &[], move |cx, x, _| {
        let targets: Vec<u32> = (0..pairs as u32).collect();
        softmax_xent(cx, &x[0], Samples::Rows, &Tensor::from_slice(cx.gpu, &[pairs], &targets)).loss
    }));
    cases
}
