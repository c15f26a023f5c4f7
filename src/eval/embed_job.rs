//! Embedding into a file: any number of clips of any length, in bounded memory, from where it was interrupted.
//!
//! Beside `X.npy.partial` a small `X.npy.resume.json` says after which batch the file is whole. Every batch but the
//! last one is full, so a job that goes on makes the same batches as one that was never interrupted, and the same bits.

use super::embed::{BATCH, Batch, QUEUE, batches};
use super::encoder::Encoder;
use super::vector_file::{Format, Mark, VectorFile, VectorFileError, partial_path};
use crate::audio::{AudioError, Clip, Cutting, EvalLoader, Place, SAMPLE_RATE_HZ};
use crate::tensor::Tensor;
use crate::train::atomic::{WriteError, write_atomic};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// At most so much work is lost when the process is killed.
const SAVE_EVERY: Duration = Duration::from_secs(10);

/// Why a file of embeddings could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// A file.
    #[error("cannot write {0}; free space or choose another folder; what was embedded until then is kept")]
    File(#[from] VectorFileError),
    /// What is needed to go on.
    #[error(transparent)]
    Resume(#[from] WriteError),
    /// The interrupted file is of another command.
    #[error(
        "{}: was begun with other {what}; repeat the command that began it, or add --restart to begin anew", .path.display()
    )]
    Other {
        /// The unfinished file.
        path: PathBuf,
        /// What differs.
        what: String,
    },
    /// A clip that cannot be used, where all must be.
    #[error(transparent)]
    Clip(#[from] AudioError),
}

/// What is to be embedded, and where it goes.
pub struct EmbedJob<'a> {
    /// The encoder.
    pub encoder: &'a Encoder,
    /// The clips.
    pub clips: Arc<Vec<Clip>>,
    /// Threads that decode.
    pub workers: usize,
    /// How clips are cut.
    pub cutting: Cutting,
    /// One vector a segment, or the mean over the segments of each clip.
    pub by_segment: bool,
    /// The file; its extension is its format.
    pub out: &'a Path,
    /// The format.
    pub format: Format,
    /// Whatever the vectors depend on besides the fields above, by name: an interrupted file goes on only with the same.
    pub depends_on: BTreeMap<String, String>,
    /// The first clip that cannot be used ends the job.
    pub strict: bool,
}

/// How a job ended.
pub enum Outcome {
    /// The file is there.
    Done {
        /// Vectors in it.
        rows: u64,
        /// Clips that could not be used, by number, and why.
        failed: BTreeMap<u32, String>,
    },
    /// It was told to stop; the same job goes on later.
    Stopped,
}

/// What is kept of an interrupted job.
#[derive(Serialize, Deserialize)]
struct State {
    depends_on: BTreeMap<String, String>,
    /// The first segment that is not in the file.
    next: (u32, usize),
    written: Mark,
    /// Where the file ended before the clip of `next`.
    before_clip: Mark,
    /// Whether there was sound in that clip.
    heard: bool,
    /// Sum of the vectors of its segments so far, f64 as bytes in base64: text would have to be exact.
    sums: String,
    summed: usize,
    failed: BTreeMap<u32, String>,
}

/// `X.npy` -> `X.npy.resume.json`.
fn state_path(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".resume.json");
    name.into()
}

impl EmbedJob<'_> {
    /// Segments in all clips.
    pub fn segments(&self) -> u64 {
        self.clips.iter().map(|clip| self.cutting.count(clip.samples) as u64).sum()
    }

    /// Runs until the end, or until `stop`. `on_batch` is told how many segments are done, those of an earlier
    /// process included; with `restart` there are none.
    ///
    /// # Errors
    /// [`EmbedError`]. What was embedded until then is kept.
    pub fn run(&self, restart: bool, stop: &AtomicBool, mut on_batch: impl FnMut(u64)) -> Result<Outcome, EmbedError> {
        let depends_on = self.all_it_depends_on();
        let mut writer = match self.interrupted(restart, &depends_on)? {
            Some(state) => Writer::resume(self, state)?,
            None => Writer::create(self, depends_on)?,
        };
        let count = |clip: &Clip| self.cutting.count(clip.samples) as u64;
        let sum = |before: &mut u64, clip| Some(std::mem::replace(before, *before + count(clip)));
        let before_clip: Vec<u64> = self.clips.iter().scan(0, sum).chain([self.segments()]).collect();
        let done = |next: Place| before_clip[next.clip as usize] + next.segment as u64;
        on_batch(done(writer.next));

        let (at, heard) = (writer.next, writer.heard);
        let items = EvalLoader::start_at(self.clips.clone(), self.cutting, at, heard, self.workers, QUEUE);
        let compute = |samples: &Tensor| self.encoder.encode(samples);
        let mut saved = Instant::now();
        let end = batches(self.encoder.gpu(), items, compute, |batch| {
            let full = batch.segments.len() == BATCH;
            writer.take(batch)?;
            on_batch(done(writer.next));
            let stopped = stop.load(Ordering::Relaxed);
            // The batches of whoever goes on are only the same behind a full one.
            if full && (stopped || saved.elapsed() >= SAVE_EVERY) {
                writer.save()?;
                saved = Instant::now();
            }
            if full && stopped { Err(End::Stopped) } else { Ok(()) }
        });
        match end {
            Err(End::Stopped) => Ok(Outcome::Stopped),
            Err(End::Error(error)) => Err(error),
            Ok(()) => writer.finish(),
        }
    }

    /// The state of an earlier process, if it left one.
    fn interrupted(&self, restart: bool, now: &BTreeMap<String, String>) -> Result<Option<State>, EmbedError> {
        let path = state_path(self.out);
        let partial = partial_path(self.out);
        if restart || !partial.exists() {
            return Ok(None);
        }
        let Ok(bytes) = std::fs::read(&path) else { return Ok(None) };
        let other = |what: String| Err(EmbedError::Other { path: partial, what });
        let Ok(state) = serde_json::from_slice::<State>(&bytes) else {
            return other("state, which cannot be read".into());
        };
        let names = now.keys().chain(state.depends_on.keys()).collect::<BTreeSet<_>>();
        let changed = names.into_iter().filter(|name| now.get(*name) != state.depends_on.get(*name));
        let changed: Vec<_> = changed.map(String::as_str).collect();
        if changed.is_empty() { Ok(Some(state)) } else { other(changed.join(" and ")) }
    }

    fn all_it_depends_on(&self) -> BTreeMap<String, String> {
        let mut audio = 0;
        for clip in self.clips.iter() {
            let line = format!("{}\0{} {}\n", clip.path.display(), clip.start, clip.samples);
            audio = crc32c::crc32c_append(audio, line.as_bytes());
        }
        let mut all = self.depends_on.clone();
        all.insert("files".into(), format!("{} {audio:08x}", self.clips.len()));
        all.insert("segments".into(), format!("{:?}, one vector each: {}", self.cutting, self.by_segment));
        all.insert("length of a vector".into(), self.encoder.features().to_string());
        all
    }
}

/// What ends a job early.
enum End {
    Stopped,
    Error(EmbedError),
}

impl<E: Into<EmbedError>> From<E> for End {
    fn from(error: E) -> End {
        End::Error(error.into())
    }
}

/// Puts batches into the file, clip by clip.
struct Writer<'a> {
    job: &'a EmbedJob<'a>,
    depends_on: BTreeMap<String, String>,
    file: VectorFile,
    /// The first segment that is not in the file.
    next: Place,
    before_clip: Mark,
    heard: bool,
    sums: Vec<f64>,
    summed: usize,
    failed: BTreeMap<u32, String>,
}

impl<'a> Writer<'a> {
    fn create(job: &'a EmbedJob, depends_on: BTreeMap<String, String>) -> Result<Writer<'a>, EmbedError> {
        // A state without its file, or the other way round, must not be taken for a pair.
        let _ = std::fs::remove_file(state_path(job.out));
        let cols = job.encoder.features();
        let file = VectorFile::create(job.out, job.format, cols)?;
        Ok(Writer {
            job,
            depends_on,
            next: Place::default(),
            before_clip: file.mark(),
            file,
            heard: false,
            sums: vec![0.0; cols],
            summed: 0,
            failed: BTreeMap::new(),
        })
    }

    fn resume(job: &'a EmbedJob, state: State) -> Result<Writer<'a>, EmbedError> {
        let cols = job.encoder.features();
        let file = VectorFile::reopen(job.out, job.format, cols, state.written)?;
        let bytes = STANDARD.decode(&state.sums).unwrap_or_default();
        let (sums, rest) = bytes.as_chunks::<8>();
        if sums.len() != cols || !rest.is_empty() {
            return Err(EmbedError::Other { path: partial_path(job.out), what: "state, which is damaged".into() });
        }
        Ok(Writer {
            job,
            depends_on: state.depends_on,
            file,
            next: Place { clip: state.next.0, segment: state.next.1 },
            before_clip: state.before_clip,
            heard: state.heard,
            sums: sums.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect(),
            summed: state.summed,
            failed: state.failed,
        })
    }

    fn take(&mut self, batch: Batch) -> Result<(), EmbedError> {
        for (clip, error) in batch.failed {
            if self.job.strict {
                return Err(error.into());
            }
            if clip == self.next.clip {
                self.file.back_to(self.before_clip)?;
            }
            self.failed.insert(clip, error.to_string());
        }
        let mut vector = vec![0.0; self.sums.len()];
        for (n, segment) in batch.segments.iter().enumerate() {
            let Place { clip, segment: number } = segment.at;
            if self.failed.contains_key(&clip) {
                self.next = Place { clip: clip + 1, segment: 0 };
                continue;
            }
            if number == 0 {
                self.before_clip = self.file.mark();
                (self.heard, self.summed) = (false, 0);
                self.sums.fill(0.0);
            }
            self.heard |= segment.has_sound;
            vector.iter_mut().zip(batch.values.iter().skip(n).step_by(BATCH)).for_each(|(out, x)| *out = *x);
            let is_last = number + 1 == self.job.cutting.count(self.job.clips[clip as usize].samples);
            if self.job.by_segment {
                self.push(clip, segment.start_s, &vector)?;
            } else {
                self.sums.iter_mut().zip(&vector).for_each(|(sum, &x)| *sum += f64::from(x));
                self.summed += 1;
                if is_last {
                    let count = self.summed as f64;
                    vector.iter_mut().zip(&self.sums).for_each(|(mean, sum)| *mean = (sum / count) as f32);
                    self.push(clip, 0.0, &vector)?;
                }
            }
            self.next = match is_last {
                true => Place { clip: clip + 1, segment: 0 },
                false => Place { clip, segment: number + 1 },
            };
        }
        Ok(())
    }

    fn push(&mut self, clip: u32, start_s: f64, vector: &[f32]) -> Result<(), VectorFileError> {
        let clip = &self.job.clips[clip as usize];
        let rate_hz = f64::from(SAMPLE_RATE_HZ);
        // By whole samples: a sum of two times has digits that neither has.
        let start_s = (clip.start as f64 + (start_s * rate_hz).round()) / rate_hz;
        self.file.push(&clip.path.display().to_string(), start_s, vector)
    }

    /// From here on a later process can go on.
    fn save(&mut self) -> Result<(), EmbedError> {
        self.file.sync()?;
        let sums: Vec<u8> = self.sums.iter().flat_map(|sum| sum.to_le_bytes()).collect();
        let state = State {
            depends_on: self.depends_on.clone(),
            next: (self.next.clip, self.next.segment),
            written: self.file.mark(),
            before_clip: self.before_clip,
            heard: self.heard,
            sums: STANDARD.encode(sums),
            summed: self.summed,
            failed: self.failed.clone(),
        };
        Ok(write_atomic(&state_path(self.job.out), |file| Ok(serde_json::to_writer(file, &state)?))?)
    }

    fn finish(self) -> Result<Outcome, EmbedError> {
        let rows = match self.file.mark().rows {
            // An empty file must not replace one from before.
            0 => self.file.discard()?,
            _ => self.file.finish()?,
        };
        // What is left of it only matters together with an unfinished file.
        let _ = std::fs::remove_file(state_path(self.job.out));
        Ok(Outcome::Done { rows, failed: self.failed })
    }
}
