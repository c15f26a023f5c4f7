//! The Fourier transform: a chord goes in, its notes stand out, and the way back gives the chord again.
//!
//!     cargo run --release --example 02_fft_round_trip
//!
//! The kernel is `shaders/fft.wgsl`: stages of eight points a lane, exchanged through workgroup memory.

use cola::gpu::{Gpu, GpuOptions};
use cola::ops::fft::Fft;
use cola::tensor::Tensor;
use std::f32::consts::TAU;

const RATE_HZ: f32 = 16_000.0;
const N: usize = 2048;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let gpu = Gpu::open(&GpuOptions::default())?;

    // A minor: A, C, E, under a window that lets it fade in and out, so that its ends do not click.
    let chord = [220.0, 261.63, 329.63];
    let window = |i: usize| 0.5 - 0.5 * (TAU * i as f32 / N as f32).cos();
    let tone = |i: usize| chord.iter().map(|hz| (TAU * hz * i as f32 / RATE_HZ).sin()).sum::<f32>();
    let sound: Vec<f32> = (0..N).map(|i| window(i) * tone(i)).collect();

    // One row of N real samples becomes N / 2 + 1 complex numbers, one for each multiple of RATE / N.
    let fft = Fft::real(&gpu, N);
    let spectrum = fft.forward(&Tensor::from_slice(&gpu, &[1, N], &sound));
    let parts: Vec<f32> = spectrum.read();
    let magnitudes: Vec<f32> = parts.chunks(2).map(|z| z[0].hypot(z[1])).collect();
    let loudest = magnitudes.iter().fold(0.0f32, |a, &b| a.max(b));
    for (bin, magnitude) in magnitudes.iter().enumerate().take(48).skip(20) {
        let bar = "#".repeat((50.0 * magnitude / loudest).round() as usize);
        println!("{:7.1} Hz |{bar}", bin as f32 * RATE_HZ / N as f32);
    }

    // What energy the sound has, the spectrum has (Parseval); all but the first and last bin stand for two.
    let energy: f32 = sound.iter().map(|x| x * x).sum();
    let twice = |bin: usize| if bin == 0 || bin == N / 2 { 1.0 } else { 2.0 };
    let in_spectrum: f32 = magnitudes.iter().enumerate().map(|(bin, m)| twice(bin) * m * m).sum::<f32>() / N as f32;
    let back: Vec<f32> = fft.inverse(&spectrum).read();
    let error = sound.iter().zip(&back).map(|(a, b)| (a - b).abs()).fold(0.0f32, f32::max);
    println!("\nenergy {energy:.3} in the sound, {in_spectrum:.3} in the spectrum");
    println!("there and back again: off by {error:.1e} at most");
    assert!(error < 1e-5 && (energy / in_spectrum - 1.0).abs() < 1e-4);
    Ok(())
}
