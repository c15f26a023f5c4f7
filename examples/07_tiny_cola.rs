//! COLA on sounds of our own, step by step: two segments of a recording belong together.
//!
//!     cargo run --release --example 07_tiny_cola
//!
//! What `cola pretrain` does besides, it does around this loop: checkpoints, records, held-out recordings.

use cola::audio::{DiscoverOptions, Loader, LoaderConfig, SEGMENT_SAMPLES, discover, synth};
use cola::frontend::{FrontEnd, InputNorm};
use cola::gpu::{Gpu, GpuOptions};
use cola::tensor::Tensor;
use cola::train::config::{Recipe, TrainConfig};
use cola::train::step::{State, train_step};
use std::sync::Arc;

const PAIRS: usize = 8;
const STEPS: u64 = 40;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    synth::write_dataset(folder.path(), 8, 0)?;
    let found = discover(&folder.path().join("train"), DiscoverOptions { workers: 2, strict: true })?;
    let config = TrainConfig { batch: PAIRS, warmup: 5, ..TrainConfig::of(Recipe::Strong) };
    let loading = LoaderConfig {
        batch: PAIRS,
        samples: SEGMENT_SAMPLES,
        seed: 0,
        workers: 2,
        queue: 2,
        cache_bytes: 100 << 20,
        crop: config.crop_rule(),
        same_segment: false,
        noise: 0.0,
        strict: true,
    };
    let gpu = Gpu::open(&GpuOptions::default())?;
    let clips = Arc::new(found.clips);
    println!("{} clips, {PAIRS} pairs a step: guessing is right in {:.0} %\n", clips.len(), 100.0 / PAIRS as f64);

    // The scale of the input belongs to the model: mean and deviation of the log-mel over a few batches.
    let mut loader = Loader::start(clips.clone(), loading.clone(), 0)?;
    let batches: Vec<_> = (0..4).map(|_| loader.next()).collect::<Result<_, _>>()?;
    let tensors = batches.iter().map(|b| Tensor::from_slice(&gpu, &[2 * PAIRS, SEGMENT_SAMPLES], &b.samples));
    let norm = FrontEnd::new(&gpu, InputNorm::NONE).measure(tensors).ok_or("no audio")?;

    let mut state = State::new(&gpu, &config, norm, STEPS);
    let mut loader = Loader::start(clips, loading, 0)?;
    for step in 1..=STEPS {
        let batch = loader.next()?;
        let result = train_step(&mut state, &batch.samples, false).wait();
        if step % 5 == 0 {
            let bar = "#".repeat((20.0 * result.loss) as usize);
            println!("step {step:2}  loss {:.3}  right {:3.0} %  {bar}", result.loss, 100.0 * result.accuracy);
        }
    }
    Ok(())
}
