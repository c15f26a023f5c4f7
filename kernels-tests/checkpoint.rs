//! A checkpoint brings back every bit, and wrong files leave a model as it was.

use crate::harness::data;
use cola::eval::encoder::{Encoder, Reading};
use cola::frontend::InputNorm;
use cola::gpu::Gpu;
use cola::nn::backbone::Pooling;
use cola::nn::cola::{Contrast, Similarity, Targets};
use cola::nn::model::{ColaModel, ModelConfig};
use cola::nn::network::NetworkConfig;
use cola::nn::{NamedArray, Slab};
use cola::optim::{Adam, AdamConfig};
use cola::tape::{Ctx, Tape, Var};
use cola::tensor::Tensor;
use cola::train::checkpoint::{self, Part, RunState, Weights};
use cola::train::config::InputScaling;
use safetensors::{Dtype, tensor::TensorView};
use std::sync::Arc;

const PAIRS: usize = 2;

fn step(gpu: &Gpu, model: &ColaModel, adam: &mut Adam) -> f32 {
    let tape = Tape::new();
    let cx = Ctx::training(gpu, &tape);
    let x = data(adam.steps, 2 * PAIRS * 32 * 32);
    let x = Var::constant(Tensor::from_slice(gpu, &[1, 2 * PAIRS, 32, 32], &x));
    let out = model.head.loss(&cx, &model.encode(&cx, &x, adam.steps), &Targets::new(gpu, PAIRS, Contrast::OneWay));
    model.params.zero_grad();
    tape.backward(&out.loss, Tensor::from_slice(gpu, &[1], &[1.0f32]));
    adam.step(&model.params, 1e-3);
    out.loss.value.read::<f32>()[0]
}

fn everything(model: &ColaModel) -> Vec<NamedArray> {
    let slabs = [Slab::Values, Slab::FirstMoments, Slab::SecondMoments].map(|slab| model.params.read_all(slab));
    [slabs.concat(), model.state.read_all()].concat()
}

fn encoder(model: &ColaModel) -> Vec<NamedArray> {
    let weights = model.params.read_all(Slab::Values).into_iter().chain(model.state.read_all());
    weights.filter(|array| array.name.starts_with("encoder.")).collect()
}

#[test]
fn a_resumed_model_is_the_same_to_the_bit() {
    let gpu = Gpu::open(&Default::default()).expect("an adapter");
    let run = tempfile::tempdir().expect("a folder");
    let config = ModelConfig { stochastic_depth: 0.2, ..ModelConfig::default() };
    let model = ColaModel::new(&gpu, &config, 1);
    let mut adam = Adam::new(AdamConfig::pytorch());
    step(&gpu, &model, &mut adam);
    let norm = InputNorm { mean: -4.321_987, std: 2.718_281_7 };
    let state = RunState { step: adam.steps, ..RunState::new(norm, "standard", "hash".into(), "1 clip".into()) };
    checkpoint::save(run.path(), &model, &state, true).expect("saved");

    // Elsewhere, later: other values everywhere, until the checkpoint is loaded.
    let resumed = ColaModel::new(&gpu, &config, 1);
    step(&gpu, &resumed, &mut adam.clone());
    assert_ne!(everything(&resumed), everything(&model));
    let found = checkpoint::load(run.path(), &resumed, "hash").expect("loaded");
    assert_eq!(found, state);
    assert_eq!(everything(&resumed), everything(&model));
    let mut resumed_adam = Adam::new(AdamConfig::pytorch());
    resumed_adam.steps = found.step;
    for _ in 0..2 {
        let (one, other) = (step(&gpu, &model, &mut adam), step(&gpu, &resumed, &mut resumed_adam));
        assert_eq!(one.to_bits(), other.to_bits());
    }
    assert_eq!(everything(&resumed), everything(&model));
}

#[test]
fn weights_go_into_models_that_they_fit() {
    let gpu = Gpu::open(&Default::default()).expect("an adapter");
    let run = tempfile::tempdir().expect("a folder");
    let model = ColaModel::new(&gpu, &ModelConfig::default(), 1);
    let state = RunState::new(InputNorm::PAPER, "paper", "hash".into(), "1 clip".into());
    checkpoint::save(run.path(), &model, &state, true).expect("saved");

    let cosine =
        ModelConfig { similarity: Similarity::Cosine { temperature: 0.2, learned: false }, ..ModelConfig::default() };
    let other = ColaModel::new(&gpu, &cosine, 2);
    let before = everything(&other);
    let error = checkpoint::load(run.path(), &other, "another").expect_err("another configuration").to_string();
    assert!(error.contains("state.json") && error.contains("another configuration"), "{error}");
    let error = checkpoint::load(run.path(), &other, "hash").expect_err("another similarity").to_string();
    assert!(error.contains("similarity.weight") && error.contains("unexpected"), "{error}");
    assert_eq!(everything(&other), before, "a refused file changes nothing");

    let weights = Weights::open(run.path()).expect("weights");
    let info = weights.info().expect("our own file");
    assert_eq!((info.input_norm, &info.model), (InputNorm::PAPER, &NetworkConfig::Cola(model.config().clone())));
    weights.load_into(&other, Part::Encoder).expect("the encoders are alike");
    assert_eq!(encoder(&other), encoder(&model));
    let dense = |model: &ColaModel| model.params.get("projection.dense.weight").value.read::<f32>();
    assert_ne!(dense(&other), dense(&model), "the head stays");
}

#[test]
fn a_bare_file_takes_the_pooling_that_is_asked_for() {
    let gpu = Gpu::open(&Default::default()).expect("an adapter");
    let folder = tempfile::tempdir().expect("a folder");
    let model = ColaModel::new(&gpu, &ModelConfig::default(), 1);
    let bytes = |array: &NamedArray| array.data.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let arrays: Vec<_> = encoder(&model).into_iter().map(|array| (bytes(&array), array)).collect();
    let views = arrays.iter().map(|(bytes, array)| {
        let view = TensorView::new(Dtype::F32, array.shape.clone(), bytes).expect("bytes of the shape");
        (array.name.trim_start_matches("encoder."), view)
    });
    let file = folder.path().join("timm.safetensors");
    std::fs::write(&file, safetensors::serialize(views, None).expect("a file")).expect("written");
    let load = |source, pooling| {
        let reading = Reading { scaling: Some(InputScaling::None), pooling, features: None };
        Encoder::load(&gpu, source, reading, &Arc::default(), 1)
    };
    for (asked, features) in [(None, 1280), (Some(Pooling::Mean), 1280), (Some(Pooling::MaxMean), 2560)] {
        assert_eq!(load(&file, asked).expect("an encoder").features(), features, "{asked:?}");
    }

    let state = RunState::new(InputNorm::NONE, "paper", "hash".into(), "1 clip".into());
    checkpoint::save(folder.path(), &model, &state, true).expect("saved");
    assert!(load(folder.path(), Some(Pooling::Max)).is_ok(), "the one it was trained with");
    let error = load(folder.path(), Some(Pooling::Mean)).err().expect("another one").to_string();
    assert!(error.contains("trained with --pooling max"), "{error}");
}
