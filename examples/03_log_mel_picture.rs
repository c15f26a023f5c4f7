//! What the encoder hears: samples to a log-mel picture.
//!
//!     cargo run --release --example 03_log_mel_picture
//!
//! A frame of 25 ms every 10 ms; the magnitudes of its spectrum gathered into 64 bands that widen upwards as hearing does; the
//! logarithm of each. One kernel does all of it: `shaders/log_mel.wgsl`.

use cola::eval::heatmap::heatmap_png;
use cola::gpu::{Gpu, GpuOptions};
use cola::ops::log_mel::log_mel_of;
use std::f32::consts::TAU;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let gpu = Gpu::open(&GpuOptions::default())?;

    // A tone that rises from 200 to 6000 Hz in two seconds, and a click every half second.
    let mut phase = 0.0f32;
    let samples: Vec<f32> = (0..32_000)
        .map(|i| {
            let t = i as f32 / 32_000.0;
            phase = (phase + 200.0 * 30f32.powf(t) / 16_000.0).fract();
            let click = if i % 8_000 < 40 { 1.0 } else { 0.0 };
            0.1 * (TAU * phase).sin() + click * (i as f32 * 12.9898).sin()
        })
        .collect();

    let (log_mel, frames, bands) = log_mel_of(&gpu, &samples);
    println!("{} samples to {frames} frames of {bands} bands\n", samples.len());

    // Four bands and four frames a character, low bands at the bottom.
    let (low, high) = log_mel.iter().fold((f32::MAX, f32::MIN), |(low, high), &x| (low.min(x), high.max(x)));
    for row in (0..bands / 4).rev() {
        let shade = |column: usize| {
            let values = (0..16).map(|i| log_mel[(4 * column + i / 4) * bands + 4 * row + i % 4]);
            let loudest = values.fold(f32::MIN, f32::max);
            b" .:-=+*#%@"[(9.0 * (loudest - low) / (high - low)) as usize] as char
        };
        println!("|{}|", (0..frames / 4).map(shade).collect::<String>());
    }

    let path = std::env::temp_dir().join("log_mel.png");
    std::fs::write(&path, heatmap_png(&log_mel, frames, bands, 4))?;
    println!("\nthe same as a picture: {}", path.display());
    Ok(())
}
