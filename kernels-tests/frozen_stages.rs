//! The first stages of an encoder can be left as they are: neither they nor the gradient of the others change by it.

use crate::harness::{assert_close, f64s, on_one_device};
use cola::bench::step::noise;
use cola::frontend::InputNorm;
use cola::nn::NamedArray;
use cola::nn::backbone::BackboneKind;
use cola::nn::param::Slab;
use cola::tensor::Tensor;
use cola::train::config::{Recipe, TrainConfig};
use cola::train::step::{State, gradient, train_step};

const PAIRS: usize = 3;
const FROZEN: usize = 3;

/// Whether it is one of the first three stages, or of the layer before them.
fn is_frozen(name: &str) -> bool {
    let of = |prefix: &str| name.strip_prefix(prefix).and_then(|rest| rest.split('.').next()?.parse::<usize>().ok());
    let stage = of("encoder.blocks.").or(of("encoder.stages."));
    name.starts_with("encoder.conv_stem.") || name.starts_with("encoder.bn1.") || stage.is_some_and(|s| s < FROZEN)
}

#[test]
fn frozen_stages_stay_and_the_others_learn_as_before() {
    on_one_device(|gpu| {
        for encoder in [BackboneKind::EfficientnetB0, BackboneKind::Vgg] {
            let config = TrainConfig { batch: PAIRS, warmup: 0, ..TrainConfig::of(Recipe::Strong) };
            let state = |frozen_stages| {
                let config = TrainConfig { frozen_stages, ..config.clone().with_encoder(encoder) };
                State::new(gpu, &config, InputNorm::PAPER, 100)
            };
            let grads = |frozen_stages| {
                let state = state(frozen_stages);
                state.model.params.zero_grad();
                let samples =
                    |gpu: &_, _| Tensor::from_slice(gpu, &[2 * PAIRS, cola::audio::SEGMENT_SAMPLES], &noise(2 * PAIRS));
                // with their running statistics, batch norms are the same frozen or not
                gradient(&state, samples, false);
                let params = &state.model.params;
                params
                    .names()
                    .map(|name| (name.to_string(), params.get(name).grad.read()))
                    .collect::<Vec<(_, Vec<f32>)>>()
            };
            let (all, some) = (grads(0), grads(FROZEN));
            assert!(all.iter().any(|(name, _)| is_frozen(name)));
            for ((name, whole), (_, part)) in all.iter().zip(&some) {
                match is_frozen(name) {
                    true => assert!(part.iter().all(|&g| g == 0.0), "{name}: a gradient of a frozen tensor"),
                    false => assert_close(name, part, &f64s(whole), 1e-6),
                }
            }

            let mut state = state(FROZEN);
            let tensors = |state: &State| -> Vec<NamedArray> {
                let running = state.model.state.read_all();
                state.model.params.read_all(Slab::Values).into_iter().chain(running).collect()
            };
            let before = tensors(&state);
            train_step(&mut state, &noise(2 * PAIRS), false).wait();
            train_step(&mut state, &noise(2 * PAIRS), false).wait();
            for (before, after) in before.iter().zip(tensors(&state)) {
                assert_eq!(before.data == after.data, is_frozen(&before.name), "{}", before.name);
            }
        }
    });
}
