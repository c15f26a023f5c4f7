//! From magnitudes of short-time spectra to a sound that has them (Griffin and Lim 1984).

use super::fft::Fft;
use super::frames::Framing;
use super::mel::LogMelConfig;
use super::u;
use crate::gpu::{Kernel, groups};
use crate::kernel;
use crate::tensor::Tensor;

static IMPOSE_MAGNITUDE: Kernel = kernel!("impose_magnitude.wgsl");

const WG: usize = 64;

/// Spectra z `[rows, bins, 2]` with the magnitudes `[rows, bins]` in place of their own.
///
/// # Panics
/// When there are not as many magnitudes as places.
#[track_caller]
pub fn impose_magnitude(z: &Tensor, magnitudes: &Tensor) -> Tensor {
    let n = magnitudes.len();
    assert_eq!(2 * n, z.len(), "magnitudes {:?} for spectra {:?}", magnitudes.shape(), z.shape());
    let y = Tensor::empty(z.gpu(), "spectra", z.shape());
    z.gpu().run(&IMPOSE_MAGNITUDE, &[], &u(n), &[z, magnitudes, &y], [groups(n, WG), 1, 1], 6 * n as u64);
    y
}

/// The sound `[1, samples]` whose frames under the front end's window come near the magnitudes `[frames, fft / 2 + 1]`:
/// rounds of giving the frames of `start`, `[1, samples]`, those magnitudes and adding them up again. `start` decides the
/// phases; noise does.
///
/// # Panics
/// When the magnitudes are not those of such frames, or the start has another length.
#[track_caller]
pub fn griffin_lim(magnitudes: &Tensor, start: &Tensor, config: &LogMelConfig, rounds: usize) -> Tensor {
    let (gpu, [frames, bins], [_, samples]) = (start.gpu(), magnitudes.dims2(), start.dims2());
    assert_eq!((bins, frames), (config.fft / 2 + 1, config.frames(samples)), "frames of {samples} samples");
    let mut window = config.window();
    window.resize(config.fft, 0.0);
    // A sample lies under the places of the window that are whole hops apart; their squares together are divided out.
    let squares = |i: usize| window.iter().skip(i % config.hop).step_by(config.hop).map(|w| w * w).sum::<f64>();
    let back: Vec<f32> = window.iter().enumerate().map(|(i, w)| (w / squares(i)) as f32).collect();
    let forth: Vec<f32> = window.iter().map(|&w| w as f32).collect();
    let (split, join) = (Framing::new(gpu, &forth, config.hop, 0), Framing::new(gpu, &back, config.hop, 0));
    let fft = Fft::real(gpu, config.fft);
    let mut sound = start.clone();
    for _ in 0..rounds {
        let spectra = impose_magnitude(&fft.forward(&split.split(&sound, frames)), magnitudes);
        sound = join.join(&fft.inverse(&spectra), frames, samples);
    }
    sound
}
