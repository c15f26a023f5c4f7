//! The whole network against timm's EfficientNet-B0 under a COLA head, computed in float64:
//! fixtures/make_timm_fixture.py says how the fixture is made.

use crate::harness::{assert_close, data, f64s, on_every_device};
use cola::gpu::Gpu;
use cola::nn::backbone::Pooling;
use cola::nn::cola::{Contrast, Targets};
use cola::nn::efficientnet::{BLOCKS, FEATURES};
use cola::nn::model::{ColaModel, ModelConfig};
use cola::nn::stochastic_depth::DropMasks;
use cola::nn::{NamedArray, Slab};
use cola::optim::{Adam, AdamConfig};
use cola::tape::{Ctx, Tape, Var};
use cola::tensor::{Storage, Tensor};
use safetensors::SafeTensors;

const SEGMENTS: usize = 4;
const FRAMES: usize = 96;
const BANDS: usize = 64;
const SAMPLES: usize = 16;
const LR: f64 = 1e-3;
const ADAM_EPS: f64 = 1e-2;

/// What the issue asks of the forward pass, and of every gradient.
const FORWARD: f64 = 1e-4;
const GRADIENT: f64 = 1e-3;

/// Gradients of this norm and below are zero but for rounding: those of the batch norms' shifts whose effect a 1x1
/// convolution and the mean of the next batch norm remove. The smallest real one is 0.04.
const ZERO_GRADIENT: f64 = 1e-4;

struct Fixture {
    file: SafeTensors<'static>,
    parameters: Vec<String>,
    statistics: Vec<String>,
}

impl Fixture {
    fn open() -> Fixture {
        let bytes = include_bytes!("fixtures/timm_efficientnet_b0.safetensors");
        let file = SafeTensors::deserialize(bytes).expect("the fixture");
        let (_, header) = SafeTensors::read_metadata(bytes).expect("the fixture's header");
        let metadata = header.metadata().clone().expect("the fixture's metadata");
        let list = |key: &str| metadata[key].lines().map(String::from).collect();
        Fixture { parameters: list("parameters"), statistics: list("statistics"), file }
    }

    fn get(&self, name: &str) -> Vec<f64> {
        let view = self.file.tensor(name).unwrap_or_else(|e| panic!("{name}: {e}"));
        view.data().as_chunks().0.iter().map(|&b| f64::from(f32::from_le_bytes(b))).collect()
    }

    /// `[N, features]` as the network has it, `[features, N]`.
    fn features(&self, name: &str) -> Vec<f64> {
        let x = self.get(name);
        (0..x.len()).map(|i| x[(i % SEGMENTS) * FEATURES + i / SEGMENTS]).collect()
    }
}

/// SplitMix64 of (FNV-1a of the name) + index.
fn hash(name: &str, index: usize) -> u64 {
    let start = name.bytes().fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    let z = start.wrapping_add(index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// In [-1, 1).
fn noise(name: &str, index: usize) -> f64 {
    (hash(name, index) >> 40) as f64 / f64::from(1 << 23) - 1.0
}

/// The value of a parameter or running statistic: what make_timm_fixture.py calls `value`, to the last bit.
fn value(name: &str, shape: &[usize]) -> Vec<f32> {
    let inputs: usize = shape[1..].iter().product();
    let (centre, width) = match shape.len() {
        1 if name.ends_with("running_var") => (1.0, 0.5),
        1 if name.ends_with("running_mean") || name.ends_with("bias") => (0.0, 0.25),
        1 => (1.0, 0.25),
        _ if name == "similarity.weight" => (0.0, 0.005),
        _ => (0.0, (6.0 / inputs as f64).sqrt()),
    };
    (0..inputs * shape[0]).map(|i| (centre + width * noise(name, i)) as f32).collect()
}

/// Noise at two scales, `[1, N, 96, 64]`.
fn segments(gpu: &Gpu) -> Var {
    let at = |i: usize| {
        let (n, t, f) = (i / (FRAMES * BANDS), i / BANDS % FRAMES, i % BANDS);
        let coarse = (n * 6 + t / 16) * 4 + f / 16;
        (noise("input.fine", i) + 1.5 * noise("input.coarse", coarse)) as f32
    };
    let x: Vec<f32> = (0..SEGMENTS * FRAMES * BANDS).map(at).collect();
    Var::constant(Tensor::from_slice(gpu, &[1, SEGMENTS, FRAMES, BANDS], &x))
}

fn model(gpu: &Gpu) -> ColaModel {
    let model = ColaModel::new(gpu, &ModelConfig::default(), 0);
    for NamedArray { name, shape, .. } in model.params.read_all(Slab::Values) {
        model.params.write(Slab::Values, &name, &value(&name, &shape)).expect("the store's own name");
    }
    for NamedArray { name, shape, .. } in model.state.read_all() {
        model.state.write(&name, &value(&name, &shape)).expect("the store's own name");
    }
    model
}

/// The 16 elements of a tensor that the fixture holds.
fn samples(name: &str, data: &[f32]) -> Vec<f32> {
    let place = format!("{name}#samples");
    (0..SAMPLES).map(|i| data[(hash(&place, i) % data.len() as u64) as usize]).collect()
}

fn norm(x: &[f32]) -> f64 {
    x.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt()
}

/// The map behind each block and the head has the norm it should: says where a difference begins.
fn check_stages(model: &ColaModel, cx: &Ctx, x: &Var, want: &[f64]) -> Var {
    let mut norms = Vec::new();
    let maps = model.encoder.maps(cx, x, None, |y| norms.push(norm(&y.value.read::<f32>())));
    // the fixture begins with the stem
    let want = &want[1..];
    for (stage, (got, want)) in norms.iter().zip(want).enumerate() {
        assert!((got - want).abs() < FORWARD * want, "output {stage} (16 is the head): norm {got}, not {want}");
    }
    assert_eq!(norms.len(), want.len());
    maps
}

#[test]
fn evaluation_agrees_with_timm() {
    let fixture = Fixture::open();
    on_every_device(|gpu| {
        let (model, cx) = (model(gpu), Ctx::inference(gpu));
        let maps = check_stages(&model, &cx, &segments(gpu), &fixture.get("eval.stage_norms"));
        let (max, mean) = (fixture.features("eval.features_max"), fixture.features("eval.features_mean"));
        let pooled = |pooling: Pooling| pooling.pool(&cx, &maps).value.read::<f32>();
        assert_close("maxima", &pooled(Pooling::Max), &max, FORWARD);
        assert_close("means", &pooled(Pooling::Mean), &mean, FORWARD);
        assert_close("both", &pooled(Pooling::MaxMean), &[max, mean].concat(), FORWARD);
    });
}

#[test]
fn a_training_step_agrees_with_timm() {
    let fixture = Fixture::open();
    on_every_device(|gpu| {
        let model = model(gpu);
        let tape = Tape::new();
        let cx = Ctx::training(gpu, &tape);
        let maps = check_stages(&model, &cx, &segments(gpu), &fixture.get("train.stage_norms"));
        let h = Pooling::Max.pool(&cx, &maps);
        assert_close("features", &h.value.read::<f32>(), &fixture.features("train.features_max"), FORWARD);
        let logits = model.head.logits(&Ctx { tape: None, ..cx }, &h);
        assert_close("logits", &logits.value.read::<f32>(), &fixture.get("train.logits"), FORWARD);
        let out = model.head.loss(&cx, &h, &Targets::new(gpu, SEGMENTS / 2, Contrast::OneWay));
        assert_close("loss", &out.loss.value.read::<f32>(), &fixture.get("train.loss"), FORWARD);

        model.params.zero_grad();
        tape.backward(&out.loss, Tensor::from_slice(gpu, &[1], &[1.0f32]));
        check_gradients(&model, &fixture);
        check_statistics(&model, &fixture);
        let mut adam = Adam::new(AdamConfig { eps: ADAM_EPS, ..AdamConfig::pytorch() });
        adam.step(&model.params, LR);
        check_step(&model, &fixture);
    });
}

/// What a step computes, by name: every gradient, the running statistics, the loss.
fn step(gpu: &Gpu, fused: bool, storage: Storage) -> Vec<(String, Vec<f32>)> {
    let model = model(gpu);
    let tape = Tape::new();
    let cx = Ctx { fused, storage, ..Ctx::training(gpu, &tape) };
    let h = Pooling::Max.pool(&cx, &model.encoder.maps(&cx, &segments(gpu), None, |_| ()));
    let out = model.head.loss(&cx, &h, &Targets::new(gpu, SEGMENTS / 2, Contrast::OneWay));
    model.params.zero_grad();
    tape.backward(&out.loss, Tensor::from_slice(gpu, &[1], &[1.0f32]));
    let gradient = |name| (format!("gradient of {name}"), model.params.get(name).grad.read::<f32>());
    let mut all: Vec<_> = model.params.names().map(gradient).collect();
    all.extend(model.state.read_all().into_iter().map(|array| (array.name, array.data)));
    all.push(("loss".into(), out.loss.value.read()));
    all
}

fn distance(a: &[f32], b: &[f32]) -> f64 {
    norm(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>())
}

/// f16 keeps eleven bits of every raw map, and what is lost adds up on the way through sixteen blocks.
#[test]
fn a_mixed_step_is_near_the_f32_step() {
    on_every_device(|gpu| {
        let (mixed, full) = (step(gpu, true, Storage::F16), step(gpu, true, Storage::F32));
        let squares = |part: &dyn Fn(&[f32], &[f32]) -> f64| {
            let gradients = mixed.iter().zip(&full).filter(|((name, _), _)| name.starts_with("gradient"));
            gradients.map(|((_, a), (_, b))| part(a, b).powi(2)).sum::<f64>().sqrt()
        };
        let off = squares(&distance) / squares(&|_, full| norm(full));
        let loss = |step: &[(String, Vec<f32>)]| step.last().expect("the loss").1[0];
        let (a, b) = (loss(&mixed), loss(&full));
        assert!((a - b).abs() < 0.02 * b, "loss {a}, in f32 {b}");
        assert!(off > 1e-4 && off < 0.1, "gradients are off by {off}");
    });
}

/// A step in fused ops is the step in plain ones: loss, running statistics and every gradient.
#[test]
fn a_fused_step_is_the_plain_step() {
    on_every_device(|gpu| {
        let (fused, plain) = (step(gpu, true, Storage::F32), step(gpu, false, Storage::F32));
        for ((name, fused), (_, plain)) in fused.iter().zip(&plain) {
            let (off, of) = (distance(fused, plain), norm(plain));
            let vanishes = of < ZERO_GRADIENT && off < ZERO_GRADIENT;
            assert!(off <= 1e-4 * of || vanishes, "{name}: off by {off} of {of}");
        }
    });
}

fn check_gradients(model: &ColaModel, fixture: &Fixture) {
    let (norms, elements) = (fixture.get("grad.norms"), fixture.get("grad.samples"));
    assert_eq!(fixture.parameters.len(), model.params.names().count());
    for (i, name) in fixture.parameters.iter().enumerate() {
        let grad = model.params.get(name).grad.read::<f32>();
        let got = norm(&grad);
        if norms[i] < 1e-9 {
            assert!(got < ZERO_GRADIENT, "{name}: gradient of norm {got}, where it should vanish");
            continue;
        }
        assert!((got - norms[i]).abs() < GRADIENT * norms[i], "{name}: gradient of norm {got}, not {}", norms[i]);
        let rms = norms[i] / (grad.len() as f64).sqrt();
        for (got, want) in f64s(&samples(name, &grad)).into_iter().zip(&elements[i * SAMPLES..]) {
            let error = (got - want).abs() / (rms + want.abs());
            assert!(error < GRADIENT, "{name}: an element of the gradient is {got}, not {want} (off by {error:.1e})");
        }
    }
}

fn check_statistics(model: &ColaModel, fixture: &Fixture) {
    let want = fixture.get("statistics.samples");
    for (i, name) in fixture.statistics.iter().enumerate() {
        let got = samples(name, &model.state.get(name).read::<f32>());
        assert_close(name, &got, &want[i * SAMPLES..(i + 1) * SAMPLES], FORWARD);
    }
    assert_eq!(fixture.statistics.len(), model.state.names().count());
}

/// What Adam moved each parameter by, against the learning rate, the most that it moves anything at its first step.
fn check_step(model: &ColaModel, fixture: &Fixture) {
    let want = fixture.get("adam.samples");
    for (i, name) in fixture.parameters.iter().enumerate() {
        let got = samples(name, &model.params.get(name).value.read::<f32>());
        for (got, want) in f64s(&got).into_iter().zip(&want[i * SAMPLES..]) {
            // The fixture rounds the new value to f32.
            let tolerance = GRADIENT * LR + 2.0 * f64::from(f32::EPSILON) * want.abs();
            assert!((got - want).abs() < tolerance, "{name}: an element is {got} after a step, not {want}");
        }
    }
}

#[test]
fn stochastic_depth_agrees_with_timm() {
    let fixture = Fixture::open();
    let factors: Vec<f32> = fixture.get("drop.factors").iter().map(|&f| f as f32).collect();
    let factors: Vec<Vec<f32>> = factors.chunks(SEGMENTS).map(<[f32]>::to_vec).collect();
    assert_eq!(factors.len(), BLOCKS);
    on_every_device(|gpu| {
        let cx = Ctx { training: true, ..Ctx::inference(gpu) };
        let masks = DropMasks::from_factors(gpu, &factors);
        let h = Pooling::Max.pool(&cx, &model(gpu).encoder.maps(&cx, &segments(gpu), Some(&masks), |_| ()));
        assert_close("features", &h.value.read::<f32>(), &fixture.features("drop.features_max"), FORWARD);
    });
}

#[test]
fn stochastic_depth_follows_the_step_in_training_only() {
    let gpu = Gpu::open(&Default::default()).expect("an adapter");
    let config = ModelConfig { stochastic_depth: 0.9, ..ModelConfig::default() };
    let model = ColaModel::new(&gpu, &config, 1);
    let x = Var::constant(Tensor::from_slice(&gpu, &[1, 8, 32, 32], &data(1, 8 * 32 * 32)));
    let features = |training, step| {
        let cx = Ctx { training, ..Ctx::inference(&gpu) };
        model.encode(&cx, &x, step).value.read::<f32>()
    };
    assert_eq!(features(true, 1), features(true, 1));
    assert_ne!(features(true, 1), features(true, 2));
    assert_eq!(features(false, 1), features(false, 2));
}
