//! Sounds in, vectors out, until the input ends: for a process that would not start the program for every sound.
//!
//! ```text
//! out  {"sample_rate_hz": 16000, "features": 6208, "hop_ms": 50.0}
//! in   {"kind": "scene" or "timestamps", "sounds": 2, "samples": 32000}   then sounds x samples f32, little-endian
//! out  {"shape": [2, 6208] or [2, 41, 6208]}                              then so many f32
//!   or {"error": "..."}
//! ```
//!
//! JSON stands on one line each. Numbers go in and out as they are: nothing is rounded to 16 bits as files are.

use super::{HOP_MS, Kind, Sound, embed};
use crate::audio::SAMPLE_RATE_HZ;
use crate::eval::encoder::Encoder;
use serde::Deserialize;
use serde_json::json;
use std::convert::Infallible;
use std::io::{self, BufRead, Write};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    kind: Kind,
    sounds: usize,
    samples: usize,
}

/// Answers requests from `input` on `output`.
///
/// # Errors
/// A request that cannot be understood, since what follows it cannot be found either, and a pipe that breaks.
pub fn serve(encoder: &Encoder, mut input: impl BufRead, mut output: impl Write) -> io::Result<()> {
    let features = encoder.features();
    writeln!(output, "{}", json!({"sample_rate_hz": SAMPLE_RATE_HZ, "features": features, "hop_ms": HOP_MS}))?;
    output.flush()?;
    let mut line = String::new();
    while input.read_line(&mut line)? > 0 {
        let invalid = |detail: String| io::Error::new(io::ErrorKind::InvalidData, detail);
        let request: Request = serde_json::from_str(&line)
            .map_err(|error| invalid(format!("not a request ({error}): {}", line.trim())))?;
        let Request { kind, sounds, samples } = request;
        let bytes = sounds.checked_mul(samples).and_then(|n| n.checked_mul(4));
        let bytes = bytes.filter(|&n| n > 0).ok_or_else(|| invalid(format!("{sounds} sounds of {samples} samples")))?;
        let mut audio = vec![0; bytes];
        input.read_exact(&mut audio)?;
        let audio: Vec<f32> = audio.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
        if let Some(at) = audio.iter().position(|v| !v.is_finite()) {
            let error = format!("sound {} holds NaN or infinity at sample {}", at / samples, at % samples);
            writeln!(output, "{}", json!({"error": error}))?;
        } else {
            let mut vectors = Vec::new();
            let all = audio.chunks(samples).map(|sound| Ok(Sound { tag: (), samples: sound.to_vec(), kind }));
            let Ok(()) = embed::<(), Infallible>(encoder, all, |(), rows| {
                vectors.extend(rows);
                Ok(())
            });
            let rows = vectors.len() / features / sounds;
            let shape = if kind == Kind::Scene { vec![sounds, features] } else { vec![sounds, rows, features] };
            writeln!(output, "{}", json!({"shape": shape}))?;
            output.write_all(&vectors.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>())?;
        }
        output.flush()?;
        line.clear();
    }
    Ok(())
}
