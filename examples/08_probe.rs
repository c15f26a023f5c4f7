//! What a representation is worth: a linear layer on frozen vectors.
//!
//!     cargo run --release --example 08_probe
//!
//! Here on plain statistics of the log-mel and on an encoder that has learnt nothing: the two that a trained one has to
//! beat, and a third that gives away whether the task is any good. `cola probe` does it for a run.

use cola::audio::{DiscoverOptions, discover_task, synth};
use cola::eval::embed::{Vectors, embed};
use cola::eval::encoder::{Encoder, measure};
use cola::eval::probe::probe;
use cola::eval::stats::log_mel_statistics;
use cola::eval::transfer::{FitConfig, Task};
use cola::gpu::{Gpu, GpuOptions};
use cola::nn::model::ColaModel;
use cola::train::config::TrainConfig;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    synth::write_dataset(folder.path(), 12, 0)?;
    let found = discover_task(folder.path(), 0.25, 0, DiscoverOptions { workers: 2, strict: true })?;
    let task = Task::new("sounds".into(), &found);
    println!(
        "{} clips, {} labels: guessing is right in {:.0} %\n",
        task.clips.len(),
        task.labels.len(),
        100.0 / task.labels.len() as f64
    );

    let gpu = Gpu::open(&GpuOptions::default())?;
    let norm = measure(&gpu, &task.clips, 2).ok_or("no audio")?;
    let untrained = Encoder::new(&gpu, Box::new(ColaModel::new(&gpu, &TrainConfig::default().model(), 0)), norm);
    let of_encoder = embed(&untrained, task.clips.clone(), 2, |_| ());
    // Numbers that know nothing of the sound.
    let blind = Vectors {
        cols: 16,
        values: (0..16 * of_encoder.rows.len()).map(|i| (i as f32 * 0.618_034).fract() - 0.5).collect(),
        ..of_encoder.clone()
    };
    let statistics = log_mel_statistics(&gpu, task.clips.clone(), 2, |_| ());
    let config = FitConfig { epochs: 30, ..FitConfig::default() };
    for (name, vectors) in
        [("log-mel statistics", &statistics), ("untrained encoder", &of_encoder), ("blind numbers", &blind)]
    {
        let confusion = probe(&gpu, vectors, &task, &config, |_| ());
        let accuracy = 100.0 * confusion.accuracy();
        println!(
            "{name:<20} {:>5} features  {accuracy:5.1} %  {}",
            vectors.cols,
            "#".repeat((accuracy / 2.0) as usize)
        );
        if name == "untrained encoder" {
            println!();
            for (truth, label) in confusion.labels().iter().enumerate() {
                let row: String =
                    (0..confusion.labels().len()).map(|said| format!("{:4}", confusion.count(truth, said))).collect();
                println!("    {label:<8}{row}");
            }
            println!();
        }
    }
    Ok(())
}
