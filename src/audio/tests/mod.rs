//! Tests of the data path on files: small ones are written here, compressed ones lie in `fixtures/`, made with
//! ffmpeg from `aevalsrc=0.5*sin(2*PI*(200*t+K*t*t))` with K = 100, and 40 for `long.ogg` and `long.opus`.

mod bad_input;
mod dataset;
mod decode;
mod loader;

use std::path::{Path, PathBuf};

use super::SAMPLE_RATE_HZ;

/// A committed compressed file.
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/audio/fixtures").join(name)
}

/// The signal in the fixtures: `0.5 sin(2 pi (200 t + k t^2))`, at any rate.
fn chirp_at(n: usize, rate: u32, k: f64) -> Vec<f32> {
    let value = |i: usize| {
        let t = i as f64 / f64::from(rate);
        (0.5 * (2.0 * std::f64::consts::PI * (200.0 * t + k * t * t)).sin()) as f32
    };
    (0..n).map(value).collect()
}

/// `seconds` of the chirp at 16 kHz.
fn chirp(seconds: f64) -> Vec<f32> {
    chirp_at((seconds * f64::from(SAMPLE_RATE_HZ)).round() as usize, SAMPLE_RATE_HZ, 100.0)
}

/// Writes 16-bit mono WAV.
fn write_wav(path: &Path, signal: &[f32], rate: u32) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let spec =
        hound::WavSpec { channels: 1, sample_rate: rate, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    for x in signal {
        writer.write_sample((x * 32767.0).round() as i16).unwrap();
    }
    writer.finalize().unwrap();
}
