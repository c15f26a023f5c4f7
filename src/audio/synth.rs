//! Sounds of our own to try everything with where no recordings are at hand: six families of 16 kHz clips of 2 to 4 s,
//! each clip with its own pitch, timbre, rhythm, level and room.
//!
//! They are a stand-in for data, not a benchmark: classes made by six formulas are easier than recorded ones.

use std::f32::consts::TAU;
use std::path::{Path, PathBuf};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::SAMPLE_RATE_HZ;
use super::error::{AudioError, Result};
use super::random::{Purpose, stream};
use super::wav::write_wav;

const RATE: f32 = SAMPLE_RATE_HZ as f32;

/// A maker of one family: number of samples and the clip's random stream to a signal of any level.
type Maker = fn(usize, &mut ChaCha8Rng) -> Vec<f32>;

/// Name of each family and its maker.
const FAMILIES: [(&str, Maker); 6] =
    [("pluck", pluck), ("bell", bell), ("bird", bird), ("wind", wind), ("drums", drums), ("voice", voice)];

/// Writes `dir/{train,test}/<family>/<number>.wav`, 16-bit mono; a quarter of every family, at least one clip, is
/// for the test. Returns the files in order. The same seed gives the same files.
pub fn write_dataset(dir: &Path, clips_per_class: usize, seed: u64) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for (f, (name, _)) in FAMILIES.iter().enumerate() {
        for i in 0..clips_per_class {
            let is_test = i % 4 == 3 || (clips_per_class < 4 && i + 1 == clips_per_class);
            let folder = dir.join(if is_test { "test" } else { "train" }).join(name);
            std::fs::create_dir_all(&folder).map_err(|e| unwritten(&folder, &e))?;
            let path = folder.join(format!("{i:04}.wav"));
            write_wav(&path, &render(f, i as u64, seed))?;
            files.push(path);
        }
    }
    Ok(files)
}

fn unwritten(path: &Path, err: &dyn std::fmt::Display) -> AudioError {
    AudioError::Write { path: path.to_path_buf(), detail: err.to_string() }
}

/// One clip, peak between -20 and -1 dB of full scale.
fn render(family: usize, number: u64, seed: u64) -> Vec<f32> {
    let mut rng = stream(seed, Purpose::Synth, family as u64, number);
    let samples = (RATE * rng.random_range(2.0..4.0f32)) as usize;
    let mut signal = FAMILIES[family].1(samples, &mut rng);
    room(&mut signal, &mut rng);
    let edge = (RATE * 0.01) as usize;
    for i in 0..edge.min(signal.len()) {
        let gain = i as f32 / edge as f32;
        let last = signal.len() - 1 - i;
        signal[i] *= gain;
        signal[last] *= gain;
    }
    let peak = signal.iter().fold(1e-9f32, |m, x| m.max(x.abs()));
    let level = decibels(rng.random_range(-20.0..-1.0)) / peak;
    signal.iter_mut().for_each(|x| *x *= level);
    signal
}

fn decibels(db: f32) -> f32 {
    10f32.powf(db / 20.0)
}

/// A semitone grid from A at 55 Hz, so that notes of a clip agree with each other.
fn note_hz(semitone: i32) -> f32 {
    55.0 * 2f32.powf(semitone as f32 / 12.0)
}

/// Echoes of a small room, of a strength drawn per clip, and the hiss of a microphone: they tell nothing about the
/// family.
fn room(signal: &mut [f32], rng: &mut ChaCha8Rng) {
    let wet = rng.random_range(0.0..0.4f32);
    for _ in 0..6 {
        let delay = (RATE * rng.random_range(0.008..0.06f32)) as usize;
        let gain = wet * rng.random_range(-0.6..0.6f32);
        for i in delay..signal.len() {
            signal[i] += gain * signal[i - delay];
        }
    }
    let peak = signal.iter().fold(0.0f32, |m, x| m.max(x.abs()));
    let hiss = peak * decibels(rng.random_range(-75.0..-50.0));
    for x in signal.iter_mut() {
        *x += hiss * rng.sample::<f32, _>(StandardNormal);
    }
}

/// Adds `sound` to `signal` from sample `at` on, as far as it reaches.
fn mix(signal: &mut [f32], at: usize, sound: impl Iterator<Item = f32>) {
    for (x, s) in signal.iter_mut().skip(at).zip(sound) {
        *x += s;
    }
}

/// Notes of a minor pentatonic scale on a random root.
fn melody(rng: &mut ChaCha8Rng, low: i32, high: i32) -> impl FnMut(&mut ChaCha8Rng) -> f32 + use<> {
    const SCALE: [i32; 5] = [0, 3, 5, 7, 10];
    let root = rng.random_range(low..high);
    move |rng| note_hz(root + SCALE[rng.random_range(0..5)] + 12 * rng.random_range(0..2))
}

/// Plucked strings after Karplus and Strong: a burst of noise runs round a delay line and is averaged on the way.
fn pluck(samples: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let mut out = vec![0.0; samples];
    let mut next_note = melody(rng, 4, 24);
    let (beat, brightness) = (rng.random_range(0.12..0.6f32), rng.random_range(0.3..0.95f32));
    let decay_s = rng.random_range(0.5..2.5f32);
    let mut at = 0;
    while at < samples {
        let hz = next_note(rng);
        // The average of two neighbours delays by half a sample.
        let len = (RATE / hz - 0.5).round().max(2.0) as usize;
        let keep = 0.001f32.powf(1.0 / (hz * decay_s));
        let mut line: Vec<f32> = (0..len).map(|_| rng.random_range(-1.0..1.0f32)).collect();
        // A softer finger: the burst is low-passed before it starts.
        for i in 1..len {
            line[i] = brightness * line[i] + (1.0 - brightness) * line[i - 1];
        }
        let mut i = 0;
        let string = std::iter::from_fn(|| {
            let value = line[i];
            line[i] = keep * 0.5 * (value + line[(i + 1) % len]);
            i = (i + 1) % len;
            Some(value)
        });
        mix(&mut out, at, string.take(samples - at));
        at += (RATE * beat * [1.0, 1.0, 2.0, 0.5][rng.random_range(0..4)]) as usize;
    }
    out
}

/// Struck metal: partials at the ratios of a church bell, slightly off, the high ones dying first.
fn bell(samples: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    const RATIOS: [f32; 9] = [0.5, 1.0, 1.183, 1.506, 2.0, 2.514, 2.662, 3.011, 4.166];
    let mut out = vec![0.0; samples];
    let mut next_note = melody(rng, 24, 42);
    let (gap, decay_s) = (rng.random_range(0.4..1.6f32), rng.random_range(0.4..3.0f32));
    let stretch = rng.random_range(0.97..1.05f32);
    let mut at = 0;
    while at < samples {
        let hz = next_note(rng);
        for ratio in RATIOS {
            let partial = hz * ratio.powf(stretch) * rng.random_range(0.997..1.003f32);
            if partial > 0.45 * RATE {
                continue;
            }
            let amplitude = rng.random_range(0.2..1.0f32) / ratio.sqrt();
            let (fall, phase) = ((1.0 / ratio).powf(0.7) * decay_s, rng.random_range(0.0..TAU));
            let tone = (0..samples - at).map(|i| {
                let t = i as f32 / RATE;
                amplitude * (-t / fall * 3.0).exp() * (phase + TAU * (partial * t).fract()).sin()
            });
            mix(&mut out, at, tone);
        }
        at += (RATE * gap * rng.random_range(0.7..1.5f32)) as usize;
    }
    out
}

/// Birdsong: phrases of short whistles that sweep up and down, with a trill and a weak second harmonic.
fn bird(samples: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let mut out = vec![0.0; samples];
    let base = rng.random_range(1_200.0..3_000.0f32);
    let trill_hz = rng.random_range(15.0..45.0f32);
    let trill = rng.random_range(0.0..0.08f32);
    let mut at = (RATE * rng.random_range(0.0..0.3f32)) as usize;
    while at < samples {
        let (from, to) = (base * rng.random_range(0.6..1.4f32), base * rng.random_range(0.6..1.4f32));
        let len = (RATE * rng.random_range(0.05..0.35f32)) as usize;
        let loud = rng.random_range(0.4..1.0f32);
        for _ in 0..rng.random_range(1..5) {
            let mut phase = 0.0f32;
            let whistle = (0..len).map(|i| {
                let x = i as f32 / len as f32;
                let wobble = 1.0 + trill * (TAU * trill_hz * i as f32 / RATE).sin();
                phase = (phase + (from + (to - from) * x) * wobble / RATE).fract();
                let envelope = (std::f32::consts::PI * x).sin().powi(2);
                loud * envelope * ((TAU * phase).sin() + 0.15 * (2.0 * TAU * phase).sin())
            });
            mix(&mut out, at, whistle);
            at += len + (RATE * 0.02) as usize;
        }
        at += (RATE * rng.random_range(0.05..0.5f32)) as usize;
    }
    out
}

/// Wind and surf: noise through a resonant filter whose centre and level drift.
fn wind(samples: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let (centre, span) = (rng.random_range(150.0..1_500.0f32), rng.random_range(0.1..0.6f32));
    let (gust_hz, depth) = (rng.random_range(0.2..1.5f32), rng.random_range(0.2..0.9f32));
    let (damping, phase) = (rng.random_range(0.15..1.0f32), rng.random_range(0.0..TAU));
    // How much of the low rumble is heard beside the filtered band.
    let rumble = rng.random_range(0.0..0.6f32);
    let (mut low, mut band, mut brown) = (0.0f32, 0.0f32, 0.0f32);
    let sample = |i: usize| {
        let gust = (phase + TAU * gust_hz * i as f32 / RATE).sin();
        let f = 2.0 * (std::f32::consts::PI * centre * (1.0 + span * gust) / RATE).sin();
        let white: f32 = rng.sample(StandardNormal);
        // A state-variable filter after Chamberlin.
        low += f * band;
        band += f * (white - low - damping * band);
        brown = 0.98 * brown + 0.1 * white;
        (1.0 + depth * gust) * (band + rumble * brown)
    };
    (0..samples).map(sample).collect()
}

/// A drum loop of kick, snare and hat at a random tempo, hit a little unevenly.
fn drums(samples: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let mut out = vec![0.0; samples];
    let step = RATE * 60.0 / rng.random_range(80.0..170.0f32) / 4.0;
    let patterns: [[bool; 16]; 3] = std::array::from_fn(|drum| {
        let chance = [0.15, 0.1, 0.5][drum];
        // Kick on one and three, snare on two and four, the rest as it falls.
        std::array::from_fn(|i| {
            let strong = matches!((drum, i % 8), (0, 0) | (1, 4));
            strong || rng.random_bool(chance)
        })
    });
    let (kick_hz, snare_hz) = (rng.random_range(45.0..80.0f32), rng.random_range(140.0..260.0f32));
    let (snare_s, hat_s) = (rng.random_range(0.06..0.2f32), rng.random_range(0.015..0.08f32));
    for n in 0.. {
        let swing = rng.random_range(0.0..0.03f32);
        let at = ((n as f32 + swing) * step) as usize;
        if at >= samples {
            break;
        }
        let hit = rng.random_range(0.6..1.0f32);
        for drum in (0..3).filter(|&d| patterns[d][n % 16]) {
            let mut before = 0.0f32;
            let sound = (0..(0.5 * RATE) as usize).map(|i| {
                let t = i as f32 / RATE;
                let noise: f32 = rng.sample(StandardNormal);
                let high = noise - before;
                before = noise;
                match drum {
                    // The pitch falls from several times its end value.
                    0 => (-t / 0.12).exp() * (TAU * (kick_hz * t + 6.0 * (1.0 - (-t / 0.03).exp()))).sin() * 1.4,
                    1 => (-t / snare_s).exp() * (0.35 * noise + 0.4 * (TAU * snare_hz * t).sin()),
                    _ => 0.18 * (-t / hat_s).exp() * high,
                }
            });
            let scaled: Vec<f32> = sound.map(|x| hit * x).collect();
            mix(&mut out, at, scaled.into_iter());
        }
    }
    out
}

/// A sung phrase: glottal pulses with vibrato through three formant resonators that move from vowel to vowel.
fn voice(samples: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    /// First three formants in Hz of a, e, i, o, u.
    const VOWELS: [[f32; 3]; 5] = [
        [730.0, 1090.0, 2440.0],
        [530.0, 1840.0, 2480.0],
        [270.0, 2290.0, 3010.0],
        [570.0, 840.0, 2410.0],
        [300.0, 870.0, 2240.0],
    ];
    let pitch = rng.random_range(90.0..320.0f32);
    // Shorter vocal tracts go with higher voices.
    let tract = rng.random_range(0.92..1.08f32) * (pitch / 150.0).powf(0.12);
    let (vibrato_hz, vibrato) = (rng.random_range(4.0..7.0f32), rng.random_range(0.0..0.03f32));
    let breath = rng.random_range(0.01..0.12f32);
    let mut out = Vec::with_capacity(samples);
    let mut memory = [[0.0f32; 2]; 3];
    let (mut phase, mut tilt) = (0.0f32, 0.0f32);
    let mut formants = VOWELS[rng.random_range(0..5)];
    let mut hz = pitch;
    while out.len() < samples {
        let target = VOWELS[rng.random_range(0..5)];
        let goal = pitch * 2f32.powf([0.0, 2.0, 4.0, 7.0, -3.0][rng.random_range(0..5)] / 12.0);
        let syllable = (RATE * rng.random_range(0.18..0.6f32)) as usize;
        for i in 0..syllable.min(samples - out.len()) {
            let x = i as f32 / syllable as f32;
            hz += 0.002 * (goal - hz);
            phase += hz * (1.0 + vibrato * (TAU * vibrato_hz * out.len() as f32 / RATE).sin()) / RATE;
            phase = phase.fract();
            let pulse = if phase < 0.4 { (std::f32::consts::PI * phase / 0.4).sin() } else { 0.0 };
            let source = pulse - tilt + breath * rng.sample::<f32, _>(StandardNormal);
            tilt = pulse;
            let mut sum = 0.0;
            for (k, state) in memory.iter_mut().enumerate() {
                formants[k] += 0.0006 * (target[k] - formants[k]);
                let r = (-std::f32::consts::PI * (60.0 + 30.0 * k as f32) / RATE).exp();
                let c = 2.0 * r * (TAU * formants[k] * tract / RATE).cos();
                let y = (1.0 - r) * source + c * state[0] - r * r * state[1];
                *state = [y, state[0]];
                sum += y / (1.0 + k as f32);
            }
            let envelope = (std::f32::consts::PI * x).sin().sqrt().max(0.05);
            out.push(envelope * sum);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::dataset::{DiscoverOptions, Split, discover_task};
    use super::*;

    #[test]
    fn the_folder_is_a_labelled_task() {
        let dir = tempfile::tempdir().unwrap();
        let files = write_dataset(dir.path(), 4, 1).unwrap();
        assert_eq!(files.len(), 24);
        let options = DiscoverOptions { workers: 2, strict: true };
        let task = discover_task(dir.path(), 0.0, 0, options).unwrap();
        assert_eq!(task.labels, ["bell", "bird", "drums", "pluck", "voice", "wind"]);
        assert_eq!(task.clips.iter().filter(|c| c.split == Split::Test).count(), 6);
        assert!(task.clips.iter().all(|c| (32_000..64_000).contains(&c.samples)));
    }

    #[test]
    fn clips_are_loud_enough_finite_and_their_own() {
        for (family, (name, _)) in FAMILIES.iter().enumerate() {
            let clips: Vec<Vec<f32>> = (0..3).map(|i| render(family, i, 9)).collect();
            for clip in &clips {
                let peak = clip.iter().fold(0.0f32, |m, x| m.max(x.abs()));
                assert!(clip.iter().all(|x| x.is_finite()) && (0.099..0.9).contains(&peak), "{name}: peak {peak}");
                let rms = (clip.iter().map(|x| x * x).sum::<f32>() / clip.len() as f32).sqrt();
                assert!(rms > 0.03 * peak, "{name}: rms {rms} of {peak}");
            }
            assert_ne!(clips[0], clips[1]);
            assert_eq!(clips[2], render(family, 2, 9));
        }
    }
}
