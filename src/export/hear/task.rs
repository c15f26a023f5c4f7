//! A task of HEAR on disk, and its embeddings as hear-eval-kit (2021.1.x) stores and reads them.
//!
//! ```text
//! TASK/task_metadata.json labelvocabulary.csv train.json ... 16000/train/*.wav
//! OUT/task_metadata.json labelvocabulary.csv train.json ...         copies
//!     train/<file>.embedding.npy .target-labels.json [.timestamps.json]
//!     train.embeddings.npy               all rows, f32, without a header: the kit maps it into memory
//!     train.embedding-dimensions.json    [rows, features]
//!     train.target-labels.pkl            the labels of each row
//!     train.filename-timestamps.json     timestamp tasks: file and time of each row
//!     .done.embeddings                   comes last; the kit and we pass over a task that has it
//! ```

use super::windows::HOP_SAMPLES;
use super::{HOP_MS, HearError, Kind, Sound, embed, pickle};
use crate::audio::{SAMPLE_RATE_HZ, decode_file};
use crate::eval::encoder::Encoder;
use crate::train::atomic::WriteError;
use npyz::WriterBuilder;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

const METADATA: &str = "task_metadata.json";
const VOCABULARY: &str = "labelvocabulary.csv";
const DONE: &str = ".done.embeddings";
/// The kit counts the end of an event as part of it.
const EVENT_END_MS: f64 = 1e-4;

#[derive(Deserialize)]
struct Metadata {
    embedding_type: Kind,
    splits: Vec<String>,
}

/// A label from one time to another, in milliseconds.
#[derive(Deserialize)]
struct Event {
    label: String,
    start: f64,
    end: f64,
}

/// A task.
pub struct Task {
    folder: PathBuf,
    metadata: Metadata,
    audio: PathBuf,
    /// Files of each split, with what its JSON says about them.
    files: Vec<Vec<(String, Value)>>,
}

impl Task {
    /// The task in a folder, or all tasks in the folders of a folder, by name.
    ///
    /// # Errors
    /// A file that is missing or says something else than it should.
    pub fn discover(folder: &Path) -> Result<Vec<Task>, HearError> {
        if folder.join(METADATA).exists() {
            return Ok(vec![Task::open(folder)?]);
        }
        let read = |source| HearError::Read { path: folder.to_owned(), source };
        let entries = fs::read_dir(folder).map_err(read)?.collect::<Result<Vec<_>, _>>().map_err(read)?;
        let mut folders: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
        folders.retain(|path| path.join(METADATA).exists());
        folders.sort();
        if folders.is_empty() {
            let source = io::Error::new(io::ErrorKind::NotFound, format!("no {METADATA} in it or in its folders"));
            return Err(read(source));
        }
        folders.iter().map(|folder| Task::open(folder)).collect()
    }

    fn open(folder: &Path) -> Result<Task, HearError> {
        let metadata: Metadata = read_json(&folder.join(METADATA))?;
        let files = |split: &String| {
            let all: Map<String, Value> = read_json(&folder.join(format!("{split}.json")))?;
            let mut all: Vec<_> = all.into_iter().collect();
            // The kit learns in this order and asks for one without a pattern.
            all.shuffle(&mut ChaCha8Rng::seed_from_u64(0));
            Ok(all)
        };
        let files = metadata.splits.iter().map(files).collect::<Result<_, HearError>>()?;
        Ok(Task { folder: folder.to_owned(), audio: audio_folder(folder)?, metadata, files })
    }

    /// What it is called.
    pub fn name(&self) -> String {
        let absolute = std::path::absolute(&self.folder).unwrap_or_else(|_| self.folder.clone());
        absolute.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Files in all splits.
    pub fn files(&self) -> u64 {
        self.files.iter().map(|split| split.len() as u64).sum()
    }

    /// The rate in Hz that its audio is stored at, where that is not the encoder's own.
    pub fn other_rate_hz(&self) -> Option<String> {
        let rate = self.audio.file_name()?.to_string_lossy().into_owned();
        (rate != SAMPLE_RATE_HZ.to_string()).then_some(rate)
    }

    /// Whether the folder `out` already holds all of its embeddings.
    pub fn is_done(&self, out: &Path) -> bool {
        out.join(DONE).exists()
    }

    /// Writes its embeddings to the folder `out`; what is left there of an attempt that ended early goes. `on_file` is
    /// called after each file.
    ///
    /// # Errors
    /// [`HearError`]; the first file that cannot be decoded ends it.
    pub fn embed(&self, encoder: &Encoder, out: &Path, mut on_file: impl FnMut()) -> Result<(), HearError> {
        if out.exists() {
            if !out.join(METADATA).exists() {
                return Err(HearError::InTheWay(out.to_owned()));
            }
            fs::remove_dir_all(out).map_err(|e| WriteError::new(out, e))?;
        }
        fs::create_dir_all(out).map_err(|e| WriteError::new(out, e))?;
        self.copy(METADATA, out)?;
        self.copy(VOCABULARY, out)?;
        for (split, files) in self.metadata.splits.iter().zip(&self.files) {
            self.copy(&format!("{split}.json"), out)?;
            self.embed_split(encoder, split, files, out, &mut on_file)?;
        }
        write(&out.join(DONE), |_| Ok(()))
    }

    fn copy(&self, name: &str, out: &Path) -> Result<(), HearError> {
        let path = self.folder.join(name);
        let bytes = fs::read(&path).map_err(|source| HearError::Read { path, source })?;
        write(&out.join(name), |file| file.write_all(&bytes))
    }

    fn embed_split(
        &self,
        encoder: &Encoder,
        split: &str,
        files: &[(String, Value)],
        out: &Path,
        on_file: &mut impl FnMut(),
    ) -> Result<(), HearError> {
        let folder = out.join(split);
        fs::create_dir_all(&folder).map_err(|e| WriteError::new(&folder, e))?;
        let all_path = out.join(format!("{split}.embeddings.npy"));
        let create = File::create(&all_path).map_err(|e| WriteError::new(&all_path, e))?;
        let mut all = BufWriter::new(create);
        let (kind, features) = (self.metadata.embedding_type, encoder.features());
        let mut labels: Vec<Vec<String>> = Vec::new();
        let mut times: Vec<(String, f64)> = Vec::new();
        let sounds = files.iter().map(|(name, said)| {
            let samples = decode_file(&self.audio.join(split).join(name))?;
            let of_rows = self.labels(split, name, said, samples.len())?;
            Ok(Sound { tag: (name, of_rows), samples, kind })
        });
        embed::<_, HearError>(encoder, sounds, |(name, of_rows), vectors| {
            let path = |end: &str| folder.join(format!("{name}.{end}"));
            let rows = vectors.len() / features;
            let shape = if kind == Kind::Scene { vec![features as u64] } else { vec![rows as u64, features as u64] };
            write(&path("embedding.npy"), |file| {
                let mut npy = npyz::WriteOptions::new().default_dtype().shape(&shape).writer(file).begin_nd()?;
                npy.extend(vectors.iter().copied())?;
                npy.finish()
            })?;
            match kind {
                Kind::Scene => write_json(&path("target-labels.json"), &of_rows[0])?,
                Kind::Event => {
                    let times_ms: Vec<f64> = (0..rows).map(|k| HOP_MS * k as f64).collect();
                    write_json(&path("target-labels.json"), &of_rows)?;
                    write_json(&path("timestamps.json"), &times_ms)?;
                    let slug = folder.join(name).display().to_string();
                    times.extend(times_ms.into_iter().map(|time| (slug.clone(), time)));
                }
            }
            let bytes: Vec<u8> = vectors.iter().flat_map(|v| v.to_le_bytes()).collect();
            all.write_all(&bytes).map_err(|e| WriteError::new(&all_path, e))?;
            labels.extend(of_rows);
            on_file();
            Ok(())
        })?;
        all.flush().map_err(|e| WriteError::new(&all_path, e))?;
        write_json(&out.join(format!("{split}.embedding-dimensions.json")), &(labels.len(), features))?;
        write(&out.join(format!("{split}.target-labels.pkl")), |file| file.write_all(&pickle::dumps(&labels)))?;
        match kind {
            Kind::Scene => Ok(()),
            Kind::Event => write_json(&out.join(format!("{split}.filename-timestamps.json")), &times),
        }
    }

    /// The labels of each row of a file of `samples` samples.
    fn labels(&self, split: &str, name: &str, said: &Value, samples: usize) -> Result<Vec<Vec<String>>, HearError> {
        let wrong = |wanted: &str| HearError::Content {
            path: self.folder.join(format!("{split}.json")),
            detail: format!("'{name}' should have a list of {wanted}"),
        };
        match self.metadata.embedding_type {
            Kind::Scene => Ok(vec![Vec::deserialize(said).map_err(|_| wrong("labels"))?]),
            Kind::Event => {
                let events: Vec<Event> =
                    Vec::deserialize(said).map_err(|_| wrong("events with label, start and end"))?;
                let at = |time_ms: f64| {
                    let now = events.iter().filter(|e| e.start <= time_ms && time_ms < e.end + EVENT_END_MS);
                    now.map(|e| e.label.clone()).collect()
                };
                Ok((0..=samples / HOP_SAMPLES).map(|k| at(HOP_MS * k as f64)).collect())
            }
        }
    }
}

/// The audio at the encoder's rate, or else at the highest one, which decoding resamples.
fn audio_folder(task: &Path) -> Result<PathBuf, HearError> {
    let own = task.join(SAMPLE_RATE_HZ.to_string());
    if own.is_dir() {
        return Ok(own);
    }
    let entries = fs::read_dir(task).map_err(|source| HearError::Read { path: task.to_owned(), source })?;
    let rates = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    match rates.max() {
        Some(rate) => Ok(task.join(rate.to_string())),
        None => Err(HearError::Read { path: own, source: io::Error::from(io::ErrorKind::NotFound) }),
    }
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, HearError> {
    let bytes = fs::read(path).map_err(|source| HearError::Read { path: path.to_owned(), source })?;
    let content = |error: serde_json::Error| HearError::Content { path: path.to_owned(), detail: error.to_string() };
    serde_json::from_slice(&bytes).map_err(content)
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), HearError> {
    write(path, |file| Ok(serde_json::to_writer(file, value)?))
}

/// Not forced to the disk as checkpoints are, which would take longer than all the rest: `.done.embeddings` tells a
/// whole task from one that was cut short.
fn write(path: &Path, content: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<(), HearError> {
    let write = || {
        let mut file = BufWriter::new(File::create(path)?);
        content(&mut file)?;
        file.flush()
    };
    Ok(write().map_err(|source| WriteError::new(path, source))?)
}
