//! A batch in chunks gives the gradient of the batch taken whole.

use crate::harness::{assert_close, f64s, on_one_device};
use cola::audio::SEGMENT_SAMPLES;
use cola::bench::step::noise;
use cola::frontend::InputNorm;
use cola::gpu::Gpu;
use cola::tensor::Tensor;
use cola::train::config::{Method, Recipe, SimilarityKind, TrainConfig};
use cola::train::step::{State, gradient, train_step};

const PAIRS: usize = 6;

fn config(chunk: usize) -> TrainConfig {
    TrainConfig { batch: PAIRS, chunk, ..TrainConfig::of(Recipe::Standard) }
}

/// Loss, gradient and running statistics after one batch.
fn after(gpu: &Gpu, config: &TrainConfig, batch_statistics: bool) -> (f32, Vec<f32>, Vec<f32>) {
    let state = State::new(gpu, config, InputNorm::PAPER, 100);
    let all = noise(2 * PAIRS);
    state.model.params.zero_grad();
    let samples = |gpu: &Gpu, chunk: std::ops::Range<usize>| {
        let rows = |first: usize| all[first * SEGMENT_SAMPLES..(first + chunk.len()) * SEGMENT_SAMPLES].to_vec();
        let part = [rows(chunk.start), rows(PAIRS + chunk.start)].concat();
        Tensor::from_slice(gpu, &[2 * chunk.len(), SEGMENT_SAMPLES], &part)
    };
    let out = gradient(&state, samples, batch_statistics);
    (out.loss.read::<f32>()[0], state.model.params.grads().read(), state.model.state.all().read())
}

#[test]
fn the_gradient_is_that_of_the_whole_batch() {
    on_one_device(|gpu| {
        for (similarity, method) in [
            (SimilarityKind::Bilinear, Method::Cola),
            (SimilarityKind::Cosine, Method::Cola),
            (SimilarityKind::Cosine, Method::Simclr),
        ] {
            let config = |chunk| TrainConfig { similarity, method, symmetric: true, ..config(chunk) };
            let (loss, grad, running) = after(gpu, &config(0), false);
            for chunk in [2, 3] {
                let (chunked_loss, chunked, still) = after(gpu, &config(chunk), false);
                assert_close("loss", &[chunked_loss], &[f64::from(loss)], 1e-6);
                assert_close(&format!("{method:?}, {similarity:?}, chunks of {chunk}"), &chunked, &f64s(&grad), 1e-5);
                assert_eq!(still, running, "without batch statistics the running ones stay");
            }
        }
    });
}

#[test]
fn in_training_the_running_statistics_move_once_a_chunk() {
    on_one_device(|gpu| {
        // One chunk after another through the whole-batch path, from the statistics that the one before left.
        let momentum_of = |moves: i32, start: f32, end: f32, batch: f32| {
            (end - (start * 0.9f32.powi(moves) + batch * (1.0 - 0.9f32.powi(moves)))).abs()
        };
        let same_twice = |chunk: usize| {
            let config = TrainConfig { input_norm: cola::train::config::InputScaling::Paper, ..config(chunk) };
            let state = State::new(gpu, &config, InputNorm::PAPER, 100);
            let before: Vec<f32> = state.model.state.get("encoder.bn1.running_mean").read();
            // The same two pairs in every chunk, so that every chunk has the same statistics.
            let pair = noise(4);
            let samples = |gpu: &Gpu, range: std::ops::Range<usize>| {
                let copies = range.len() / 2;
                let half = |k: usize| pair[k * 2 * SEGMENT_SAMPLES..(k + 1) * 2 * SEGMENT_SAMPLES].repeat(copies);
                Tensor::from_slice(gpu, &[2 * range.len(), SEGMENT_SAMPLES], &[half(0), half(1)].concat())
            };
            gradient(&state, samples, true);
            (before[0], state.model.state.get("encoder.bn1.running_mean").read::<f32>()[0])
        };
        let (start, whole) = same_twice(0);
        let batch = (whole - 0.9 * start) / 0.1;
        let (start, chunked) = same_twice(2);
        assert!(momentum_of(3, start, chunked, batch) < 1e-5 * (1.0 + batch.abs()), "{start} {chunked} {batch}");
        assert!((whole - chunked).abs() > 1e-3 * whole.abs(), "{whole} {chunked}");
    });
}

#[test]
fn a_step_in_chunks_learns_and_repeats_itself() {
    on_one_device(|gpu| {
        let run = || {
            let config = TrainConfig { mixup: 0.3, resize_crop: true, mask: true, stochastic_depth: 0.2, ..config(3) };
            let mut state =
                State::new(gpu, &TrainConfig { warmup: 0, ..config }, InputNorm { mean: -4.0, std: 3.0 }, 100);
            let samples = noise(2 * PAIRS);
            (0..3).map(|_| train_step(&mut state, &samples, false).wait().loss.to_bits()).collect::<Vec<_>>()
        };
        let losses = run();
        assert_eq!(losses, run(), "a rerun differs");
        assert!(losses.iter().all(|&bits| f32::from_bits(bits).is_finite()));
        assert_ne!(losses[0], losses[2]);
    });
}
