//! The next-code network and its step: codes, chunks, what drawing sees, what a checkpoint brings back.

use crate::harness::{assert_close, data, f64s, on_one_device};
use cola::bench::step::noise;
use cola::eval::encoder::{Encoder, Reading};
use cola::frontend::InputNorm;
use cola::gpu::Gpu;
use cola::nn::auto_encoder::AutoEncoder;
use cola::nn::network::{Network, Stored};
use cola::nn::next_code::NextCode;
use cola::nn::{NamedArray, Slab};
use cola::tape::{Ctx, Var};
use cola::tensor::Tensor;
use cola::train::checkpoint::{self, RunState, Weights};
use cola::train::config::{Method, Recipe, TrainConfig};
use cola::train::learner::Learner;
use cola::train::memory::forecast;
use cola::train::next_code::NextCodeState;
use std::sync::Arc;

const NORM: InputNorm = InputNorm { mean: -4.0, std: 3.0 };
const PAIRS: usize = 4;

fn config() -> TrainConfig {
    let (patch_frames, patch_bands, bottleneck, codes) = (8, 16, 16, 12);
    TrainConfig {
        batch: PAIRS,
        patch_frames,
        patch_bands,
        bottleneck,
        codes,
        layers: 2,
        width: 32,
        heads: 2,
        warmup: 0,
        ..TrainConfig::of(Recipe::Strong).with_method(Method::Nextcode)
    }
}

fn state(gpu: &Gpu, config: &TrainConfig) -> NextCodeState {
    let state = NextCodeState::new(gpu, config, NORM, 100);
    // Vectors of noise lie close together; centres among them, so that all codes come up.
    let codes = AutoEncoder::new(gpu, &config.codes(), 3);
    let front_end = cola::frontend::FrontEnd::new(gpu, NORM);
    let segments = Tensor::from_slice(gpu, &[2 * PAIRS, cola::audio::SEGMENT_SAMPLES], &noise(2 * PAIRS));
    let patches = Var::constant(codes.patches(&front_end.features(&segments)));
    let vectors = codes.encode(&Ctx::inference(gpu), &patches).value;
    let [features, tokens] = vectors.dims2();
    let values = vectors.read::<f32>();
    let centre = |k: usize| (0..features).map(move |f| f * tokens + k * tokens / 12);
    codes.set_centres(&(0..config.codes).flat_map(centre).map(|i| values[i]).collect::<Vec<_>>());
    state.model.set_codes(&codes);
    state
}

fn everything(model: &dyn Stored) -> Vec<NamedArray> {
    let slabs = [Slab::Values, Slab::FirstMoments, Slab::SecondMoments].map(|slab| model.params().read_all(slab));
    [slabs.concat(), model.state().read_all()].concat()
}

/// A patch's code is the centre next to what the auto-encoder makes of it; a centre's own vector has its own code.
#[test]
fn codes_are_the_nearest_centres() {
    on_one_device(|gpu| {
        let state = state(gpu, &config());
        let codes = &state.model.config().codes;
        let x = Tensor::from_slice(gpu, &[1, 3, 96, 64], &data(1, 3 * 96 * 64));
        let ids = state.model.codebook.assign(&x).ids.read::<u32>();
        assert_eq!(ids.len(), 3 * codes.steps());
        assert!(ids.iter().all(|&id| id < 12));
        let all: Vec<u32> = (0..12).collect();
        assert_eq!(state.model.codebook.patches_of(&all).dims2(), [codes.patch_len(), 12]);
        let sequences = state.model.sequences(&x);
        assert_eq!(sequences.targets.read::<u32>(), ids, "each step foretells the code that stands there");
    });
}

/// The gradient of a batch in chunks is that of the batch, and so are loss, hits and states.
#[test]
fn chunks_add_up_to_the_batch() {
    on_one_device(|gpu| {
        let samples = noise(2 * PAIRS);
        let run = |chunk| {
            let state = state(gpu, &TrainConfig { chunk, ..config() });
            state.model.params.zero_grad();
            let out = state.gradient(&samples);
            let numbers = [out.loss, out.correct, out.h].map(|t| t.read::<f32>());
            (numbers, state.model.params.grads().read::<f32>())
        };
        let (whole, gradient) = run(0);
        for chunk in [1, 2] {
            let (parts, of_parts) = run(chunk);
            for (name, (a, b)) in ["loss", "correct", "states"].into_iter().zip(parts.iter().zip(&whole)) {
                assert_close(name, a, &f64s(b), 1e-5);
            }
            assert_close("gradient", &of_parts, &f64s(&gradient), 1e-4);
        }
    });
}

#[test]
fn steps_lower_the_loss_and_resume_to_the_bit() {
    on_one_device(|gpu| {
        let samples = noise(2 * PAIRS);
        let config = TrainConfig { dropout: 0.1, ..config() };
        let mut learner = state(gpu, &config);
        let losses: Vec<f32> = (0..12).map(|_| learner.train_step(&samples, false).wait().loss).collect();
        assert!(losses[0] > 2.2 && losses[11] < losses[0] - 0.2, "of 12 codes: {losses:?}");

        let run = tempfile::tempdir().expect("a folder");
        let saved = RunState { step: 12, ..RunState::new(NORM, "strong", "hash".into(), "1 clip".into()) };
        checkpoint::save(run.path(), learner.model(), &saved, true).expect("saved");
        let mut resumed = NextCodeState::new(gpu, &config, NORM, 100);
        assert_eq!(checkpoint::load(run.path(), resumed.model(), "hash").expect("loaded"), saved);
        resumed.set_steps(12);
        let one = learner.train_step(&samples, true).wait();
        let other = resumed.train_step(&samples, true).wait();
        assert_eq!(one, other);
        assert_eq!(everything(learner.model()), everything(resumed.model()));

        // and as an encoder of segments: the states that training gave out, but for dropout
        let encoder = Encoder::load(gpu, run.path(), Reading::default(), &Arc::default(), 1).expect("an encoder");
        assert_eq!(encoder.features(), 32);
        let segments = Tensor::from_slice(gpu, &[2 * PAIRS, cola::audio::SEGMENT_SAMPLES], &samples);
        let vectors = encoder.encode(&segments).read::<f32>();
        let input = Var::constant(encoder.front_end().features(&segments));
        let trained = NextCode::new(gpu, &config.next_code(), 9);
        Weights::open(run.path()).expect("weights").load_into(&trained, checkpoint::Part::Encoder).expect("its own");
        assert_eq!(vectors, trained.features(&Ctx::inference(gpu), &input, 0).value.read::<f32>());
    });
}

/// What drawing is told about the next code is what training foretells at that place.
#[test]
fn drawing_sees_what_training_sees() {
    on_one_device(|gpu| {
        let state = state(gpu, &config());
        let x = Tensor::from_slice(gpu, &[1, 1, 96, 64], &data(2, 96 * 64));
        let sequences = state.model.sequences(&x);
        let ids = sequences.targets.read::<u32>();
        let cx = Ctx::inference(gpu);
        let steps = ids.len();
        let logits = state.model.logits(&cx, &state.model.states(&cx, &sequences, 0)).value.read::<f32>();
        for before in [0, 1, 6, steps - 1] {
            let want: Vec<f64> = (0..12).map(|code| f64::from(logits[code * steps + before])).collect();
            assert_close(&format!("after {before} codes"), &state.model.next(gpu, &ids[..before]), &want, 1e-5);
        }
    });
}

/// A sequence of several segments has their codes one after the other, and a single segment goes through the same network.
#[test]
fn contexts_longer_than_a_segment() {
    on_one_device(|gpu| {
        let config = TrainConfig { context: 144, ..config() };
        assert_eq!(config.segment_samples(), cola::audio::SEGMENT_SAMPLES + 192 * 160);
        let mut learner = state(gpu, &config);
        let long = Tensor::from_slice(gpu, &[1, 1, 288, 64], &data(1, 288 * 64));
        let parts: Vec<u32> = (0..3)
            .flat_map(|k| {
                let part = long.slice(k * 96 * 64, &[1, 1, 96, 64]);
                learner.model.sequences(&part.duplicate()).targets.read::<u32>()
            })
            .collect();
        assert_eq!(learner.model.sequences(&long).targets.read::<u32>(), parts);

        let losses: Vec<f32> = {
            let samples: Vec<f32> = noise(8 * PAIRS)[..2 * PAIRS * config.segment_samples()].to_vec();
            (0..8).map(|_| learner.train_step(&samples, true).wait().loss).collect()
        };
        assert!(losses.iter().all(|loss| loss.is_finite()) && losses[7] < losses[0], "{losses:?}");
        let segment = Tensor::from_slice(gpu, &[1, 2, 96, 64], &data(2, 2 * 96 * 64));
        assert_eq!(learner.model.features(&Ctx::inference(gpu), &Var::constant(segment), 0).value.dims2(), [32, 2]);
    });
}

#[test]
fn memory_is_foretold_to_the_byte() {
    let gpu = cola::gpu::Gpu::open(&Default::default()).expect("an adapter");
    let config = config();
    let told = forecast(gpu.caps(), &config, PAIRS).expect("a small batch");
    let samples = noise(2 * PAIRS);
    let mut learner = NextCodeState::new(&gpu, &config, InputNorm::PAPER, 100);
    let mut before = learner.train_step(&samples, true);
    gpu.wait();
    gpu.reset_peak();
    for _ in 0..3 {
        let next = learner.train_step(&samples, true);
        std::mem::replace(&mut before, next).wait();
    }
    before.wait();
    assert_eq!(gpu.memory().peak_bytes, told.peak_bytes, "{told:?}");
    assert!(told.parameter_bytes > 0 && told.kept_bytes > 0, "{told:?}");
}
