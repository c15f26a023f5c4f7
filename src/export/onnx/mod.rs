//! The encoder in evaluation mode as an ONNX file, which every runtime reads.
//!
//! ```text
//! samples [N, 15680] ─ unit L2 norm ─ log-mel ─┐
//!                                              ├─ scaling of the input ─ network ─ pooling ─ embedding [N, F]
//!               or log_mel [N, 1, 96, 64] ─────┘
//! ```
//!
//! Ordinary operators of opset 17 in 32-bit floats, NCHW, any number of segments at a time. Batch norm is folded into
//! the convolutions before it. What a reader must know to feed the graph stands in its metadata and in the doc strings
//! of its inputs: read `front_end` for the maths, `encoder` for the network, `graph` for how nodes are made.

mod encoder;
mod front_end;
mod graph;
mod proto;

use crate::audio::SEGMENT_SAMPLES;
use crate::frontend::InputNorm;
use crate::nn::NamedArray;
use crate::nn::backbone::{BackboneKind, Features, Pooling};
use crate::ops::mel::LogMelConfig;
use graph::{Graph, Io};
use std::collections::HashMap;

/// What the graph takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// `samples` `[N, 15680]`, at any level.
    Samples,
    /// `log_mel` `[N, 1, 96, 64]`, as it comes out of the logarithm: the scaling of the input is part of the graph.
    LogMel,
}

/// An encoder to be written.
pub struct Encoder<'a> {
    /// Its tensors by name, complete and of the right shapes:
    /// [`Weights::encoder`](crate::train::checkpoint::Weights::encoder).
    pub weights: &'a HashMap<&'a str, &'a NamedArray>,
    /// Which network.
    pub kind: BackboneKind,
    /// What becomes of the last feature map.
    pub pooling: Pooling,
    /// Which vector it gives out.
    pub features: Features,
    /// How its input is scaled.
    pub norm: InputNorm,
}

impl Encoder<'_> {
    /// The bytes of an ONNX file. `notes` join its metadata.
    pub fn to_onnx(&self, input: Input, notes: &[(&str, String)]) -> Vec<u8> {
        let config = LogMelConfig::default();
        let (frames, bands) = (config.frames(SEGMENT_SAMPLES), config.bands);
        let mut graph = Graph::default();
        let (io, log_mel) = match input {
            Input::Samples => {
                let doc = format!(
                    "{SEGMENT_SAMPLES} samples at {} Hz, mono, at any level: each row is divided by its L2 norm first",
                    config.sample_rate_hz
                );
                let io = Io { name: "samples", shape: vec![SEGMENT_SAMPLES], doc };
                let unit = front_end::unit_norm(&mut graph, &io.value());
                (io, front_end::log_mel(&mut graph, &unit, &config))
            }
            Input::LogMel => {
                let doc = format!(
                    "natural logarithm of {bands} mel bands in {frames} frames of a segment of unit L2 norm, not \
                     standardised: the graph does that; the metadata say how it is computed"
                );
                let io = Io { name: "log_mel", shape: vec![1, frames, bands], doc };
                let log_mel = io.value();
                (io, log_mel)
            }
        };
        let x = front_end::scale(&mut graph, &log_mel, self.norm);
        let maps = encoder::maps(&mut graph, self.weights, self.kind, &x, [frames, bands]);
        let embedding = match self.features {
            Features::Pooled => encoder::pool(&mut graph, &maps, self.pooling),
            Features::Stages => encoder::pool_stages(&mut graph, &x, &maps, frames),
        };
        let features = self.kind.features(self.features, self.pooling);
        let doc = format!("a vector of {features} features a segment; average those of a clip");
        let output = Io { name: "embedding", shape: vec![features], doc };
        graph.node("Identity", output.name, &[&embedding], Vec::new());

        let mut metadata = front_end::describe(&config, self.norm);
        metadata.extend([
            ("encoder", self.kind.name().to_string()),
            ("segment_samples", SEGMENT_SAMPLES.to_string()),
            ("frames", frames.to_string()),
            ("features", features.to_string()),
        ]);
        match self.features {
            Features::Pooled => metadata.push(("pooling", self.pooling.to_string())),
            Features::Stages => {
                metadata.push(("pooling", "log-mel statistics, then of each stage mean and maximum over time".into()))
            }
        }
        metadata.extend(notes.iter().cloned());
        graph.into_file(io, output, &metadata)
    }
}
