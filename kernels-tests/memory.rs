//! Device memory: what is forecast is what is taken, and it does not grow.

use cola::bench::step::noise;
use cola::frontend::InputNorm;
use cola::gpu::{Gpu, GpuOptions, MemoryUse, catch};
use cola::train::config::{Precision, Recipe, TrainConfig};
use cola::train::memory::{ensure_fits, forecast, largest_batch, what_fits};
use cola::train::prepare;
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

/// Memory of the device and of the process after each of `steps` real training steps, two in flight.
fn train(gpu: &Gpu, config: &TrainConfig, steps: usize) -> Vec<(MemoryUse, Option<u64>)> {
    let run = || {
        let mut state = State::new(gpu, config, InputNorm::PAPER, 100);
        let samples = noise(2 * config.batch);
        let mut before = train_step(&mut state, &samples, true);
        let after_each = |_| {
            let next = train_step(&mut state, &samples, true);
            std::mem::replace(&mut before, next).wait();
            (gpu.memory(), resident_bytes())
        };
        (0..steps).map(after_each).collect()
    };
    catch(run).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn memory_grows_with_the_chunk_and_not_with_the_batch() {
    let caps = open(None).caps().clone();
    let peak = |batch, chunk| {
        let config = TrainConfig { batch, chunk, ..TrainConfig::of(Recipe::Standard) };
        forecast(&caps, &config, batch).expect("it fits").peak_bytes
    };
    let (chunk, whole) = (peak(32, 0), peak(512, 0));
    let in_chunks = peak(512, 32);
    assert!(in_chunks < chunk + chunk / 10, "{in_chunks} bytes, {chunk} for a chunk by itself");
    assert!(in_chunks < whole / 5, "{in_chunks} bytes, {whole} for the whole batch");
}

#[test]
fn what_is_said_to_fit_is_made_of_whole_chunks() {
    let caps = open(None).caps().clone();
    let config = TrainConfig { batch: 4096, chunk: 96, ..TrainConfig::of(Recipe::Standard) };
    let chunk = forecast(&caps, &config, 96).expect("it fits").held_bytes;
    let largest = largest_batch(&caps, &config, 2 * chunk).expect("a chunk fits");
    assert!(largest.batch > 96 && largest.batch.is_multiple_of(96) && largest.held_bytes <= 2 * chunk, "{largest:?}");
    let hint = what_fits(&caps, &config, chunk / 2);
    let smaller: usize =
        hint.split("--chunk ").nth(1).and_then(|s| s.split(' ').next()).and_then(|s| s.parse().ok()).expect(&hint);
    assert!((16..96).contains(&smaller), "{hint}");
}

#[test]
fn the_forecast_is_what_a_step_takes_to_the_byte() {
    let _alone = alone();
    let f32 = Precision::F32;
    let cases = [
        (Recipe::Standard, f32, 3, 0),
        (Recipe::Standard, Precision::Mixed, 8, 0),
        (Recipe::Paper, f32, 4, 0),
        (Recipe::Standard, f32, 6, 2),
    ];
    for (recipe, precision, batch, chunk) in cases {
        let gpu = open(None);
        let config = TrainConfig { batch, chunk, precision, ..TrainConfig::of(recipe) };
        let forecast = forecast(gpu.caps(), &config, batch).expect("it fits");
        catch(|| prepare::for_training(&gpu, &config)).unwrap_or_else(|e| panic!("{e}"));
        let measured = train(&gpu, &config, 2).last().expect("two steps").0;
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
    let measured = train(&gpu, &config(largest.batch), 1).last().expect("a step").0;
    assert_eq!(measured.reserved_bytes, largest.held_bytes);
}

/// Memory of this process, where the system tells (Linux).
fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(4096 * pages)
}

/// A step of the default, with upload and read-back. On Linux the memory of the process is watched as well.
#[test]
fn memory_is_flat_over_500_steps() {
    let _alone = alone();
    let gpu = open(None);
    let after_each = train(&gpu, &TrainConfig { batch: 2, ..TrainConfig::of(Recipe::Strong) }, 500);
    assert!(
        after_each.iter().all(|(memory, _)| *memory == after_each[0].0),
        "from the first step on nothing is allocated"
    );
    // an upload is 250 kB: one in ten of them kept would show
    if let (Some(early), Some(late)) = (after_each[99].1, after_each[499].1) {
        assert!(late < early + 10_000_000, "the process grew from {early} to {late} bytes in 400 steps");
    }
}
