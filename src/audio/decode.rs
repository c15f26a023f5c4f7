//! Audio files of any kind as 16 kHz mono f32.
//!
//! [`probe_file`] tells the length without decoding where the container knows it, [`decode_file`] gives a whole file,
//! [`decode_range`] a part of it: it seeks, so a multi-hour file costs no more than the part.

use std::path::Path;

use super::error::{AudioError, Result};
use super::packets::PacketSource;
use super::resample::{BlockResampler, resampled_len};
use super::sniff::{Container, sniff};
use super::wav::WavSource;
use super::{MIN_SAMPLES, SAMPLE_RATE_HZ};

/// Sample rates outside this range are damaged headers.
const RATES_HZ: std::ops::RangeInclusive<u32> = 1_000..=768_000;

/// Float files overshoot full scale a little and are clipped; beyond this factor they are scaled differently.
const MAX_PEAK: f32 = 8.0;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioInfo {
    /// Length in samples at 16 kHz, whatever the file's own rate.
    pub samples: u64,
    /// The file's own sample rate in Hz.
    pub sample_rate_hz: u32,
    /// The file's own channel count.
    pub channels: u16,
}

/// Length, rate and channels of `path`. Reads the header only, except for MP3 and for streams without a length,
/// whose packets are counted without decoding them.
pub fn probe_file(path: &Path) -> Result<AudioInfo> {
    let source = Source::open(path)?;
    let (sample_rate_hz, channels) = (source.rate(), source.channels());
    let frames = match source {
        Source::Wav(wav) => wav.frames(),
        Source::Packets(packets) => match packets.frames() {
            Some(frames) if !packets.needs_counting() => frames,
            _ => packets.count_frames()?,
        },
    };
    let samples = resampled_len(frames, sample_rate_hz);
    check_length(path, samples)?;
    Ok(AudioInfo { samples, sample_rate_hz, channels })
}

/// The whole file as 16 kHz mono, channels averaged, clipped to [-1, 1].
pub fn decode_file(path: &Path) -> Result<Vec<f32>> {
    let mut source = Source::open(path)?;
    let rate = source.rate();
    let mut signal = source.read(0, usize::MAX)?;
    check_samples(path, &signal, 0, rate)?;
    signal = super::resample::resample(signal, rate);
    check_length(path, signal.len() as u64)?;
    clip(&mut signal);
    Ok(signal)
}

/// Samples `[start, start + len)` of the file at 16 kHz, bit for bit the same as in [`decode_file`]. The exception is
/// Opus in its speech mode, whose predictors only converge behind a seek (0.01 of full scale on a pure tone).
///
/// Fails with [`AudioError::Truncated`] where the file ends earlier.
pub fn decode_range(path: &Path, start: u64, len: usize) -> Result<Vec<f32>> {
    let mut source = Source::open(path)?;
    let rate = source.rate();
    let mut signal = if rate == SAMPLE_RATE_HZ {
        source.read(start, len)?
    } else {
        let mut resampler = BlockResampler::new(rate);
        let need = resampler.need(start, len);
        let input = source.read(need.first, need.len)?;
        check_samples(path, &input, need.first, rate)?;
        let end = resampled_len(need.first + input.len() as u64, rate);
        let mut out = resampler.run(input, &need, len);
        out.truncate(end.saturating_sub(start) as usize);
        out
    };
    if signal.len() < len {
        let hz = f64::from(SAMPLE_RATE_HZ);
        return Err(AudioError::Truncated {
            path: path.to_path_buf(),
            promised_s: (start + len as u64) as f64 / hz,
            found_s: (start + signal.len() as u64) as f64 / hz,
        });
    }
    check_samples(path, &signal, start, SAMPLE_RATE_HZ)?;
    clip(&mut signal);
    Ok(signal)
}

/// An open file that gives mono blocks at its own rate.
enum Source {
    Wav(WavSource),
    Packets(PacketSource),
}

impl Source {
    fn open(path: &Path) -> Result<Source> {
        let container = sniff(path)?;
        let wav = if container == Container::Wav { WavSource::open(path)? } else { None };
        let source = match wav {
            Some(wav) => Source::Wav(wav),
            None => Source::Packets(PacketSource::open(path, container)?),
        };
        if !RATES_HZ.contains(&source.rate()) {
            return Err(AudioError::Unsupported {
                path: path.to_path_buf(),
                what: format!("states a sample rate of {} Hz", source.rate()),
            });
        }
        Ok(source)
    }

    fn rate(&self) -> u32 {
        match self {
            Source::Wav(s) => s.rate(),
            Source::Packets(s) => s.rate(),
        }
    }

    fn channels(&self) -> u16 {
        match self {
            Source::Wav(s) => s.channels(),
            Source::Packets(s) => s.channels(),
        }
    }

    /// Up to `len` samples from `first` on; fewer where the file ends.
    fn read(&mut self, first: u64, len: usize) -> Result<Vec<f32>> {
        match self {
            Source::Wav(s) => s.seek(first),
            Source::Packets(s) => s.seek(first)?,
        }
        let mut out = Vec::new();
        while out.len() < len {
            let more = match self {
                Source::Wav(s) => s.next_block(&mut out)?,
                Source::Packets(s) => s.next_block(&mut out)?,
            };
            if !more {
                break;
            }
        }
        out.truncate(len);
        Ok(out)
    }
}

fn check_length(path: &Path, samples: u64) -> Result<()> {
    if samples < MIN_SAMPLES {
        return Err(AudioError::TooShort { path: path.to_path_buf(), samples });
    }
    Ok(())
}

/// Refuses NaN, infinity and samples far beyond full scale. `first` is the position of `signal[0]`.
fn check_samples(path: &Path, signal: &[f32], first: u64, rate: u32) -> Result<()> {
    if let Some(i) = signal.iter().position(|x| !x.is_finite()) {
        let at_s = (first + i as u64) as f64 / f64::from(rate);
        return Err(AudioError::NonFinite { path: path.to_path_buf(), at_s });
    }
    let peak = signal.iter().fold(0.0f32, |m, x| m.max(x.abs()));
    if peak > MAX_PEAK {
        return Err(AudioError::OutOfRange { path: path.to_path_buf(), peak });
    }
    Ok(())
}

fn clip(signal: &mut [f32]) {
    for x in signal {
        *x = x.clamp(-1.0, 1.0);
    }
}
