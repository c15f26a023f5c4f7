//! The table of cases: every op that prepares the data and trains the networks, on their own shapes and on a few textbook
//! sizes.
//!
//! `bench kernels` times them, and the kernel tests run the same table to see that every tier agrees on it.

mod sequences;
mod textbook;

use crate::audio::SEGMENT_SAMPLES;
use crate::gpu::Gpu;
use crate::nn::{NamedArray, ParamStore};
use crate::ops::batch_norm::{BatchNorm, batch_norm};
use crate::ops::bce::bce;
use crate::ops::bias::bias;
use crate::ops::columns::columns;
use crate::ops::concat::concat_rows;
use crate::ops::conv::conv3x3;
use crate::ops::depthwise::{conv_stem, depthwise, norm_depthwise};
use crate::ops::elementwise::{Unary, unary};
use crate::ops::fft::Fft;
use crate::ops::l2_normalise::l2_normalise;
use crate::ops::layer_norm::layer_norm;
use crate::ops::log_mel::LogMel;
use crate::ops::matmul::{linear, matmul_tn};
use crate::ops::mel::LogMelConfig;
use crate::ops::pool::{max_pool, max_pool_2x2, mean_pool, pool_time, time_statistics};
use crate::ops::reduce::sum_squares;
use crate::ops::residual::residual;
use crate::ops::se::gate;
use crate::ops::se_project::squeeze_excite_project;
use crate::ops::softmax_xent::{Samples, softmax_xent};
use crate::ops::standardise::{Moments, standardise};
use crate::optim::{Adam, AdamConfig};
use crate::tape::{Ctx, Param, Tape, Var};
use crate::tensor::{Storage, Tensor};
use crate::train::augment::{Augmentation, Stage};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::rc::Rc;

/// Trained numbers of encoder and heads.
const NETWORK_PARAMETERS: usize = 4_926_012;

type Run = Box<dyn Fn(&Gpu) -> Vec<Tensor>>;

/// One op on one shape.
pub struct Case {
    /// Family and place in the network: `linear b1.expand`.
    pub name: String,
    prepare: Box<dyn Fn(&Gpu) -> Prepared>,
}

/// A case with its inputs on a device.
pub struct Prepared {
    run: Run,
    params: Vec<Param>,
}

/// Uniform in [-1, 1), the same for the same seed.
fn random(gpu: &Gpu, seed: u64, shape: &[usize]) -> Tensor {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let data: Vec<f32> = (0..shape.iter().product()).map(|_| rng.random_range(-1.0f32..1.0)).collect();
    Tensor::from_slice(gpu, shape, &data)
}

impl Case {
    /// An op of the tape: activations of the shapes `vars`, parameters of the shapes `params`. A run is forward and
    /// backward, with a gradient for everything that the op can give one.
    fn new(
        name: String,
        vars: &[&[usize]],
        params: &[&[usize]],
        op: impl Fn(&Ctx, &[Var], &[Param]) -> Var + 'static,
    ) -> Case {
        let own = |shapes: &[&[usize]]| shapes.iter().map(|s| s.to_vec()).collect::<Vec<_>>();
        let (shapes, param_shapes, op, of) = (own(vars), own(params), Rc::new(op), name.clone());
        let prepare = move |gpu: &Gpu| {
            let vars: Vec<_> = shapes.iter().enumerate().map(|(i, s)| random(gpu, i as u64, s)).collect();
            let params: Vec<_> = (param_shapes.iter().enumerate())
                .map(|(i, s)| Param {
                    name: of.clone(),
                    value: random(gpu, 10 + i as u64, s),
                    grad: Tensor::zeros(gpu, "gradient", s),
                })
                .collect();
            let inputs: Vec<_> = vars.iter().cloned().map(Var::constant).collect();
            let y = op(&Ctx { training: true, ..Ctx::inference(gpu) }, &inputs, &params);
            let dy = random(gpu, 20, y.value.shape());
            let (op, own_params) = (op.clone(), params.clone());
            let run = move |gpu: &Gpu| {
                let tape = Tape::new();
                let leaves: Vec<_> = vars.iter().cloned().map(|t| tape.leaf(t)).collect();
                let y = op(&Ctx::training(gpu, &tape), &leaves, &own_params);
                let mut results = vec![y.value.clone()];
                results.extend(tape.backward(&y, dy.clone()));
                results
            };
            Prepared { run: Box::new(run), params }
        };
        Case { name, prepare: Box::new(prepare) }
    }

    /// An op without gradients: `prepare` uploads what it works on and returns a run of it.
    fn plain<R: Fn(&Gpu) -> Vec<Tensor> + 'static>(name: String, prepare: impl Fn(&Gpu) -> R + 'static) -> Case {
        let prepare = move |gpu: &Gpu| Prepared { run: Box::new(prepare(gpu)), params: Vec::new() };
        Case { name, prepare: Box::new(prepare) }
    }

    /// Uploads inputs drawn from a fixed seed.
    pub fn prepare(&self, gpu: &Gpu) -> Prepared {
        (self.prepare)(gpu)
    }
}

impl Prepared {
    /// Runs the op once. Returns the output and the gradients of the activations.
    pub fn run(&self, gpu: &Gpu) -> Vec<Tensor> {
        (self.run)(gpu)
    }

    /// The gradients of the parameters, summed over the runs so far.
    pub fn parameter_gradients(&self) -> impl Iterator<Item = &Tensor> {
        self.params.iter().map(|p| &p.grad)
    }
}

/// A batch norm of the first two parameters.
fn norm(cx: &Ctx, w: &[Param]) -> BatchNorm {
    let channels = w[0].value.len();
    BatchNorm {
        weight: w[0].clone(),
        bias: w[1].clone(),
        running_mean: Tensor::zeros(cx.gpu, "running mean", &[channels]),
        running_var: Tensor::zeros(cx.gpu, "running variance", &[channels]),
        eps: 1e-3,
        momentum: 0.01,
    }
}

/// The whole table for a batch of `segments`; the textbook sizes do not change with it.
pub fn all(segments: usize) -> Vec<Case> {
    let n = segments;
    let mut cases = vec![Case::new("conv_stem 96x64, 32 filters".into(), &[], &[&[32, 1, 3, 3]], {
        move |cx, _, w| conv_stem(cx, &Var::constant(random(cx.gpu, 5, &[1, n, 96, 64])), &w[0], 2, Storage::F32)
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
        cases.push(Case::new(name, &[&[c, n, h, w]], &[&[c], &[c]], |cx, x, w| {
            batch_norm(cx, &x[0], &norm(cx, w), true)
        }));
    }
    for (place, c, h, w, k, stride) in
        [("b1", 96, 48, 32, 3, 2), ("b2", 144, 24, 16, 3, 1), ("b4", 240, 12, 8, 5, 1), ("b12", 1152, 3, 2, 5, 1)]
    {
        let name = format!("norm_depthwise {place} {c} x {h}x{w}, {k}x{k} stride {stride}");
        let op = move |cx: &Ctx, x: &[Var], w: &[Param]| norm_depthwise(cx, &x[0], &norm(cx, w), &w[2], stride);
        cases.push(Case::new(name, &[&[c, n, h, w]], &[&[c], &[c], &[c, 1, k, k]], op));
    }
    for (place, c, h, w, squeezed, out) in
        [("b1", 96, 24, 16, 4, 24), ("b4", 240, 12, 8, 10, 40), ("b12", 1152, 3, 2, 48, 192)]
    {
        let name = format!("squeeze_excite_project {place} {c} x {h}x{w}, {squeezed}, {out}");
        let op = |cx: &Ctx, x: &[Var], w: &[Param]| {
            let excite = |cx: &Ctx, q: &Var| linear(cx, &w[3], &unary(cx, Unary::Swish, &linear(cx, &w[2], q)));
            squeeze_excite_project(cx, &x[0], &norm(cx, w), excite, &w[4])
        };
        let params: [&[usize]; 5] = [&[c], &[c], &[squeezed, c], &[c, squeezed], &[out, c]];
        cases.push(Case::new(name, &[&[c, n, h, w]], &params, op));
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
    for (place, out, inputs, h, w) in [("s1", 64, 32, 48, 32), ("s2", 128, 128, 24, 16), ("s4", 256, 256, 6, 4)] {
        let name = format!("conv3x3 {place} {inputs} to {out}, {h}x{w}");
        let op = |cx: &Ctx, x: &[Var], w: &[Param]| conv3x3(cx, &x[0], &w[0], Storage::F32);
        cases.push(Case::new(name, &[&[inputs, n, h, w]], &[&[out, inputs, 3, 3]], op));
    }
    cases.push(Case::new("max_pool_2x2 64 x 48x32".into(), &[&[64, n, 48, 32]], &[], |cx, x, _| {
        max_pool_2x2(cx, &x[0])
    }));
    for &op in Unary::ALL {
        let name = format!("{} 64 x 24x16", op.name());
        cases.push(Case::new(name, &[&[64, n, 24, 16]], &[], move |cx, x, _| unary(cx, op, &x[0])));
    }
    cases.push(Case::new("max_pool 1280 x 3x2".into(), &[&[1280, n, 3, 2]], &[], |cx, x, _| max_pool(cx, &x[0])));
    cases.push(Case::new("pool_time b2 24 x 24x16".into(), &[&[24, n, 24, 16]], &[], |cx, x, _| pool_time(cx, &x[0])));
    cases.push(Case::new("layer_norm 512".into(), &[&[512, n]], &[&[512], &[512]], |cx, x, w| {
        layer_norm(cx, &x[0], &w[0], &w[1], 1e-3)
    }));
    cases.push(Case::new("bias 512".into(), &[&[512, n]], &[&[512]], |cx, x, w| bias(cx, &x[0], &w[0])));
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
    cases.push(Case::new("bce 200 classes".into(), &[&[200, n]], &[], move |cx, x, _| {
        let targets: Vec<f32> = (0..200 * n).map(|i| f32::from(i % 67 == 0)).collect();
        bce(cx, &x[0], &Tensor::from_slice(cx.gpu, &[200, n], &targets))
    }));
    cases.push(Case::new("concat 1280 and 1280".into(), &[&[1280, n], &[1280, n]], &[], |cx, x, _| {
        concat_rows(cx, &x[0], &x[1])
    }));
    cases.extend(without_gradients(n));
    cases.extend(sequences::all(n));
    cases.extend(textbook::all());
    cases.extend(Augmentation::ALL.map(|augmentation| augmented(n, augmentation)));
    cases
}

/// An augmentation of sounds or of log-mels.
fn augmented(segments: usize, augmentation: Augmentation) -> Case {
    Case::plain(format!("augment {}", augmentation.name()), move |gpu| {
        let x = match augmentation.stage() {
            Stage::Sound => random(gpu, 0, &[segments, SEGMENT_SAMPLES]),
            Stage::LogMel | Stage::Scaled => random(gpu, 0, &[1, segments, 96, 64]),
        };
        move |_| vec![augmentation.apply(&x, 7)]
    })
}

/// The front end, the input's scaling, what is read from a stage, and the optimiser.
fn without_gradients(segments: usize) -> Vec<Case> {
    let n = segments;
    let features = move |gpu: &Gpu| random(gpu, 0, &[1, n, 96, 64]);
    vec![
        Case::plain(format!("fft 1024 real, {} frames", 96 * n), move |gpu| {
            let (fft, x) = (Fft::real(gpu, 1024), random(gpu, 0, &[96 * n, 1024]));
            move |_| vec![fft.forward(&x)]
        }),
        Case::plain("log_mel 15680 samples".into(), move |gpu| {
            let (front_end, x) = (LogMel::new(gpu, LogMelConfig::default()), random(gpu, 0, &[n, SEGMENT_SAMPLES]));
            move |_| vec![front_end.log_mel(&x)]
        }),
        Case::plain("standardise 96x64".into(), move |gpu| {
            let x = features(gpu);
            move |_| vec![standardise(&x, -4.0, 2.5)]
        }),
        Case::plain("time_statistics 96x64".into(), move |gpu| {
            let x = features(gpu);
            move |_| vec![time_statistics(&x)]
        }),
        Case::plain("moments 96x64, read back".into(), move |gpu| {
            let x = features(gpu);
            move |gpu| {
                let mut moments = Moments::about(0.1);
                moments.add(&x);
                let (mean, std) = moments.mean_std();
                vec![Tensor::from_slice(gpu, &[2], &[mean, std])]
            }
        }),
        Case::plain(format!("sum_squares {NETWORK_PARAMETERS}"), |gpu| {
            let x = random(gpu, 0, &[NETWORK_PARAMETERS]);
            move |_| vec![sum_squares(&x)]
        }),
        Case::plain(format!("adam {NETWORK_PARAMETERS}, clipped"), |gpu| {
            let zeros = vec![0.0; NETWORK_PARAMETERS];
            let weights = NamedArray { name: "w".into(), shape: vec![NETWORK_PARAMETERS], data: zeros };
            let store = ParamStore::build(gpu, &[weights]);
            let w = store.get("w");
            w.value.copy_from(&random(gpu, 0, &[NETWORK_PARAMETERS]));
            w.grad.copy_from(&random(gpu, 1, &[NETWORK_PARAMETERS]));
            let config = AdamConfig { max_grad_norm: Some(1.0), ..AdamConfig::pytorch() };
            move |_| {
                let squares = Adam::new(config).step(&store, 1e-3);
                vec![squares, store.get("w").value]
            }
        }),
    ]
}
