//! HEAR (Turian et al. 2022): vectors of sounds as its evaluation kit wants them.
//!
//! | file | holds |
//! |---|---|
//! | `windows` | which parts of a sound the encoder sees |
//! | `task` | a task's folder, and what is written of it |
//! | `pickle` | labels as Python stores them |
//! | `pipe` | sounds from a process that keeps the program running: `python/cola_hear` |
//!
//! A scene embedding is the mean over windows of 0.98 s that cover the sound evenly, at most half a window apart.
//! Timestamp embeddings are those of windows centred at 0, 50, 100, ... ms, with zeros where they reach beyond the
//! sound. Every window is divided by its own L2 norm.

mod pickle;
mod pipe;
mod task;
mod windows;

pub use pipe::serve;
pub use task::Task;

use crate::audio::{AudioError, SEGMENT_SAMPLES};
use crate::eval::embed::BATCH;
use crate::eval::encoder::Encoder;
use crate::tensor::Tensor;
use crate::train::atomic::WriteError;
use serde::Deserialize;
use std::collections::VecDeque;
use std::path::PathBuf;

/// Time from one timestamp to the next, in milliseconds.
pub const HOP_MS: f64 = 50.0;

/// What is wanted of a sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// One vector.
    Scene,
    /// One every 50 ms.
    #[serde(alias = "timestamps")]
    Event,
}

/// Why a task could not be embedded.
#[derive(Debug, thiserror::Error)]
pub enum HearError {
    /// A file or folder of the task.
    #[error("{}: cannot read it ({source}); a task of HEAR holds task_metadata.json, labelvocabulary.csv, a .json for each split and a folder of audio named by its rate, such as 16000", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// A file of the task that says something else than it should.
    #[error("{}: {detail}; download the task again", .path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// Audio that cannot be decoded: a score over the rest would be another task's.
    #[error(transparent)]
    Audio(#[from] AudioError),
    /// A file of embeddings.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Something else stands where the embeddings go.
    #[error("{}: is there, but holds no embeddings of this task; choose another --out", .0.display())]
    InTheWay(PathBuf),
}

/// A sound, and what it is called by who asked for it.
struct Sound<T> {
    tag: T,
    samples: Vec<f32>,
    kind: Kind,
}

/// Embeds sounds in their order and hands over each one's vectors, `[1, features]` or `[timestamps, features]`.
///
/// Windows of all sounds fill batches of one size, as in [`embed`](crate::eval::embed::embed).
fn embed<T, E>(
    encoder: &Encoder,
    sounds: impl IntoIterator<Item = Result<Sound<T>, E>>,
    mut done: impl FnMut(T, Vec<f32>) -> Result<(), E>,
) -> Result<(), E> {
    let features = encoder.features();
    let mut batch: Vec<f32> = Vec::with_capacity(BATCH * SEGMENT_SAMPLES);
    // Sounds whose vectors are not yet complete: tag, kind, windows, vectors so far.
    let mut waiting: VecDeque<(T, Kind, usize, Vec<f32>)> = VecDeque::new();
    let mut flush = |batch: &mut Vec<f32>, waiting: &mut VecDeque<(T, Kind, usize, Vec<f32>)>| {
        let windows = batch.len() / SEGMENT_SAMPLES;
        batch.resize(BATCH * SEGMENT_SAMPLES, 0.0);
        let input = Tensor::from_slice(encoder.gpu(), &[BATCH, SEGMENT_SAMPLES], batch);
        // [features][BATCH] to a row a window
        let values = encoder.encode(&input).read_later().wait::<f32>();
        batch.clear();
        for n in 0..windows {
            let Some((.., count, rows)) = waiting.front_mut() else { break };
            rows.extend((0..features).map(|f| values[f * BATCH + n]));
            if rows.len() == *count * features
                && let Some((tag, kind, _, rows)) = waiting.pop_front()
            {
                done(tag, if kind == Kind::Scene { mean_row(&rows, features) } else { rows })?;
            }
        }
        Ok(())
    };
    for sound in sounds {
        let Sound { tag, samples, kind } = sound?;
        let starts = match kind {
            Kind::Scene => windows::scene(samples.len()),
            Kind::Event => windows::centred(samples.len()),
        };
        waiting.push_back((tag, kind, starts.len(), Vec::new()));
        for start in starts {
            batch.extend(windows::cut(&samples, start));
            if batch.len() == BATCH * SEGMENT_SAMPLES {
                flush(&mut batch, &mut waiting)?;
            }
        }
    }
    if batch.is_empty() { Ok(()) } else { flush(&mut batch, &mut waiting) }
}

fn mean_row(rows: &[f32], features: usize) -> Vec<f32> {
    let count = (rows.len() / features) as f64;
    let sum = |f: usize| rows.iter().skip(f).step_by(features).map(|&v| f64::from(v)).sum::<f64>();
    (0..features).map(|f| (sum(f) / count) as f32).collect()
}
