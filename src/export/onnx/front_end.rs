//! From samples to what the network sees.
//!
//! The Fourier transform is two convolutions along time with the windowed cosines and sines of those bins that any mel
//! band weighs: every runtime has convolutions, few have a transform.

use super::graph::{Graph, Value, ints};
use crate::audio::crop::NORM_EPSILON;
use crate::frontend::InputNorm;
use crate::ops::mel::LogMelConfig;
use std::f64::consts::PI;

/// Samples `[N, S]` divided by their L2 norm, `sqrt(max(sum of squares, 1e-9))`, row by row; silence stays zero.
pub fn unit_norm(graph: &mut Graph, samples: &Value) -> Value {
    let squares = graph.node("ReduceSumSquare", "norm.squares", &[samples], vec![ints("axes", &[1])]);
    let epsilon = graph.floats("norm.epsilon", &[], [NORM_EPSILON as f32]);
    let squares = graph.node("Max", "norm.at_least", &[&squares, &epsilon], Vec::new());
    let norm = graph.node("Sqrt", "norm.root", &[&squares], Vec::new());
    graph.node("Div", "norm", &[samples, &norm], Vec::new())
}

/// Log-mel `[N, 1, frames, bands]` of samples `[N, S]`.
pub fn log_mel(graph: &mut Graph, samples: &Value, config: &LogMelConfig) -> Value {
    let (window, bands) = (config.window(), config.mel_bands());
    let ends = bands.iter().map(|band| band.first_bin + band.weights.len());
    let first_bin = bands.iter().map(|band| band.first_bin).min().unwrap_or(0);
    let bins = first_bin..ends.max().unwrap_or(0);

    let axis = graph.integers("front_end.channel_axis", &[1]);
    let signal = graph.node("Unsqueeze", "front_end.signal", &[samples, &axis], Vec::new());
    let mut squares = [("cos", f64::cos as fn(f64) -> f64), ("sin", f64::sin)].map(|(name, wave)| {
        let filter = |bin: usize| {
            let turn = 2.0 * PI / config.fft as f64;
            // The remainder keeps the angle small, and so its cosine exact.
            window.iter().enumerate().map(move |(i, w)| (w * wave(turn * (bin * i % config.fft) as f64)) as f32)
        };
        let dims = [bins.len(), 1, config.frame_len];
        let filters = graph.floats(&format!("front_end.{name}"), &dims, bins.clone().flat_map(filter));
        let strides = vec![ints("strides", &[config.hop as i64])];
        let part = graph.node("Conv", &format!("front_end.{name}_part"), &[&signal, &filters], strides);
        graph.node("Mul", &format!("front_end.{name}_squared"), &[&part, &part], Vec::new())
    });
    let [cos, sin] = &mut squares;
    let power = graph.node("Add", "front_end.power", &[cos, sin], Vec::new());
    let magnitude = graph.node("Sqrt", "front_end.magnitude", &[&power], Vec::new());

    // Row b of the matrix is band b; the bins of a column run over its row.
    let weight = |band: usize, bin: usize| {
        let inside = bin.checked_sub(bands[band].first_bin).and_then(|i| bands[band].weights.get(i));
        inside.map_or(0.0, |&w| w as f32)
    };
    let rows = (0..config.bands).flat_map(|band| bins.clone().map(move |bin| (band, bin)));
    let matrix = rows.map(|(band, bin)| weight(band, bin));
    let matrix = graph.floats("front_end.mel_matrix", &[config.bands, bins.len()], matrix);
    let mel = graph.node("MatMul", "front_end.mel", &[&matrix, &magnitude], Vec::new());
    let mel = graph.node("Transpose", "front_end.frames_first", &[&mel], vec![ints("perm", &[0, 2, 1])]);
    let floor = graph.floats("front_end.floor", &[], [config.floor]);
    let ceil = graph.floats("front_end.ceil", &[], [config.ceil]);
    let mel = graph.node("Clip", "front_end.clip", &[&mel, &floor, &ceil], Vec::new());
    let log = graph.node("Log", "front_end.log", &[&mel], Vec::new());
    graph.node("Unsqueeze", "front_end.log_mel", &[&log, &axis], Vec::new())
}

/// (x - mean) / std, any shape.
pub fn scale(graph: &mut Graph, x: &Value, norm: InputNorm) -> Value {
    let mean = graph.floats("input_norm.mean", &[], [norm.mean]);
    let std = graph.floats("input_norm.std", &[], [norm.std]);
    let centred = graph.node("Sub", "input_norm.centred", &[x, &mean], Vec::new());
    graph.node("Div", "input_norm", &[&centred, &std], Vec::new())
}

/// All that it takes to compute the log-mel and its scaling elsewhere.
pub fn describe(config: &LogMelConfig, norm: InputNorm) -> Vec<(&'static str, String)> {
    vec![
        ("sample_rate_hz", config.sample_rate_hz.to_string()),
        ("level", format!("each segment divided by its L2 norm, sqrt(max(sum of squares, {NORM_EPSILON:e}))")),
        ("window", "hann, periodic".into()),
        ("frame_samples", config.frame_len.to_string()),
        ("hop_samples", config.hop.to_string()),
        ("fft", config.fft.to_string()),
        ("spectrum", "magnitude; frames neither centred nor padded".into()),
        ("mel_bands", config.bands.to_string()),
        ("mel_low_hz", config.low_hz.to_string()),
        ("mel_high_hz", config.high_hz.to_string()),
        ("mel_scale", "HTK: 1127 ln(1 + f / 700); triangles linear in mel, peaks of 1, no weight for bin 0".into()),
        ("mel_floor", config.floor.to_string()),
        ("mel_ceil", config.ceil.to_string()),
        ("logarithm", "natural".into()),
        ("input_norm", "(log_mel - mean) / std, part of the graph".into()),
        ("input_norm_mean", norm.mean.to_string()),
        ("input_norm_std", norm.std.to_string()),
    ]
}
