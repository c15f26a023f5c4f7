//! Device memory: what is forecast is what is taken, and it does not grow.

use cola::audio::SEGMENT_SAMPLES;
use cola::bench::step::noise;
use cola::frontend::{FrontEnd, InputNorm};
use cola::gpu::{Gpu, GpuOptions, MemoryUse, catch};
use cola::nn::ParamStore;
use cola::nn::cola::{ColaHead, Similarity, diagonal};
use cola::optim::{Adam, AdamConfig};
use cola::tape::{Ctx, Tape, Var};
use cola::tensor::Tensor;
use cola::train::config::{Precision, Recipe, TrainConfig};
use cola::train::memory::{ensure_fits, forecast, largest_batch};
use cola::train::step::{State, train_step};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One test at a time: the memory of the process is watched.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A device of its own for each test: its memory is counted.
fn open(memory_limit_bytes: Option<u64>) -> Gpu {
    let adapter = std::env::var("COLA_ADAPTER").unwrap_or_default();
    let mut options = GpuOptions { memory_limit_bytes, ..Default::default() };
    if !adapter.is_empty() {
        options.adapter = adapter.parse().expect("any text names an adapter");
    }
    Gpu::open(&options).unwrap_or_else(|e| panic!("the memory tests need an adapter: {e}"))
}

/// Memory after each of `steps` real training steps, two in flight.
fn train(gpu: &Gpu, config: &TrainConfig, steps: usize) -> Vec<MemoryUse> {
    let run = || {
        let mut state = State::new(gpu, config, InputNorm::PAPER, 100);
        let samples = noise(2 * config.batch);
        let mut before = train_step(&mut state, &samples, true);
        let after_each = |_| {
            let next = train_step(&mut state, &samples, true);
            std::mem::replace(&mut before, next).wait();
            gpu.memory()
        };
        (0..steps).map(after_each).collect()
    };
    catch(run).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn the_forecast_is_what_a_step_takes_to_the_byte() {
    let _alone = alone();
    let f32 = Precision::F32;
    let cases = [(Recipe::Standard, f32, 3), (Recipe::Standard, Precision::Mixed, 8), (Recipe::Paper, f32, 4)];
    for (recipe, precision, batch) in cases {
        let gpu = open(None);
        let config = TrainConfig { batch, precision, ..TrainConfig::of(recipe) };
        let forecast = forecast(gpu.caps(), &config, batch).expect("it fits");
        let measured = *train(&gpu, &config, 2).last().expect("two steps");
        assert_eq!(measured.peak_bytes, forecast.peak_bytes, "{recipe:?}, batch {batch}");
        assert_eq!(measured.reserved_bytes, forecast.held_bytes, "{recipe:?}, batch {batch}");
        assert!(forecast.peak_bytes >= forecast.lasting_bytes + forecast.kept_bytes);
    }
}

#[test]
fn a_batch_over_the_budget_is_refused_and_the_one_that_is_named_runs() {
    let _alone = alone();
    let limit_bytes = 150_000_000;
    let gpu = open(Some(limit_bytes));
    let config = |batch| TrainConfig { batch, ..TrainConfig::of(Recipe::Standard) };
    let largest = largest_batch(gpu.caps(), &config(64), limit_bytes).expect("more than 2 pairs fit");
    let refusal = ensure_fits(&gpu, &config(largest.batch + 1)).expect_err("one more is too many").to_string();
    assert!(refusal.contains(&format!("--batch {} ", largest.batch)), "{refusal}");
    ensure_fits(&gpu, &config(largest.batch)).expect("it fits");
    let measured = *train(&gpu, &config(largest.batch), 1).last().expect("a step");
    assert_eq!(measured.reserved_bytes, largest.held_bytes);
}

/// The whole network for as many steps as take seconds without a GPU.
#[test]
fn memory_is_flat_over_training_steps() {
    let _alone = alone();
    let gpu = open(None);
    let after_each = train(&gpu, &TrainConfig { batch: 2, ..TrainConfig::of(Recipe::Standard) }, 8);
    assert!(after_each.iter().all(|memory| *memory == after_each[0]), "{after_each:?}");
}

/// Memory of this process, where the system tells (Linux).
fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(4096 * pages)
}

/// Front end, heads, loss, backward and Adam, with upload and read-back, for 500 steps; without the encoder, whose
/// 500 steps take minutes without a GPU. On Linux the memory of the process is watched as well.
#[test]
fn memory_is_flat_over_500_steps_of_all_but_the_encoder() {
    let _alone = alone();
    const PAIRS: usize = 2;
    const FEATURES: usize = 96 * 64;
    let gpu = open(None);
    let run = || {
        let params = ParamStore::build(&gpu, &ColaHead::initial(FEATURES, 32, Similarity::Bilinear, 0));
        let head = ColaHead::new(&params, Similarity::Bilinear);
        let front_end = FrontEnd::new(&gpu, InputNorm::PAPER);
        let mut adam = Adam::new(AdamConfig::pytorch());
        let targets = diagonal(&gpu, PAIRS);
        let samples = noise(2 * PAIRS);
        let mut seen = Vec::new();
        for _ in 0..500 {
            let input = front_end.features(&Tensor::from_slice(&gpu, &[2 * PAIRS, SEGMENT_SAMPLES], &samples));
            let tape = Tape::new();
            let h = Var::constant(input.reshape(&[FEATURES, 2 * PAIRS]));
            let loss = head.loss(&Ctx::training(&gpu, &tape), &h, &targets).loss;
            params.zero_grad();
            tape.backward(&loss, Tensor::from_slice(&gpu, &[1], &[1.0f32]));
            adam.step(&params, 1e-3);
            let _: Vec<f32> = loss.value.read();
            seen.push((gpu.memory(), resident_bytes()));
        }
        seen
    };
    let seen = catch(run).unwrap_or_else(|e| panic!("{e}"));
    assert!(seen.iter().all(|(memory, _)| *memory == seen[1].0), "from the second step on nothing is allocated");
    // an upload is 250 kB: one in ten of them kept would show
    if let (Some(early), Some(late)) = (seen[99].1, seen[499].1) {
        assert!(late < early + 10_000_000, "the process grew from {early} to {late} bytes in 400 steps");
    }
}
