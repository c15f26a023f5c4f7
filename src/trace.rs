//! `COLA_TRACE=chrome:FILE`: what host threads and device did when, in the format that Perfetto (ui.perfetto.dev) and
//! chrome://tracing open.
//!
//! Each thread has a track of spans, and so has the device. A kernel's time comes from its timestamps, which are laid on
//! the host's clock by one more that is taken as they are read out. Every kernel has a compute pass of its own while it is
//! timed, which makes steps a little slower.

use crate::gpu::Work;
use serde_json::{Value, json};
use std::cell::Cell;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// The variable of the environment.
pub const VARIABLE: &str = "COLA_TRACE";
/// What its value begins with.
const CHROME: &str = "chrome:";
/// Track of the device; those of threads are counted up from 1.
const DEVICE: u64 = 0;
/// Text that is gathered before it is written.
const GATHERED: usize = 1 << 16;

static TRACE: OnceLock<Trace> = OnceLock::new();
static THREADS: AtomicU64 = AtomicU64::new(1);

thread_local! {
    static TRACK: Cell<Option<u64>> = const { Cell::new(None) };
}

struct Trace {
    began: Instant,
    out: Mutex<Out>,
}

/// What fetches events that lie elsewhere, such as in a device's timestamps.
type Fetch = Box<dyn FnOnce() + Send>;

struct Out {
    file: Option<File>,
    text: String,
    at_end: Vec<Fetch>,
}

/// Begins the trace that the environment asks for, if any.
///
/// # Errors
/// A value that means nothing, or a file that cannot be made.
pub fn start() -> io::Result<()> {
    let Some(value) = std::env::var_os(VARIABLE) else { return Ok(()) };
    match value.to_string_lossy().as_ref() {
        "" | "0" | "1" => Ok(()),
        value => match value.strip_prefix(CHROME).filter(|path| !path.is_empty()) {
            Some(path) => begin(Path::new(path)),
            None => {
                let text = format!("{VARIABLE}={value}: give 1 to print every kernel, or {CHROME}FILE for a trace");
                Err(io::Error::new(io::ErrorKind::InvalidInput, text))
            }
        },
    }
}

fn begin(path: &Path) -> io::Result<()> {
    let failed =
        |error: io::Error| io::Error::new(error.kind(), format!("cannot write the trace {}: {error}", path.display()));
    let file = File::create(path).map_err(failed)?;
    let out = Out { file: Some(file), text: "[\n".into(), at_end: Vec::new() };
    let trace = TRACE.get_or_init(|| Trace { began: Instant::now(), out: Mutex::new(out) });
    trace.name_track(DEVICE, "device: kernels");
    Ok(())
}

/// Whether anything is traced.
pub fn is_on() -> bool {
    TRACE.get().is_some()
}

/// Ends the trace: fetches what is missing and completes the file.
pub fn finish() {
    let Some(trace) = TRACE.get() else { return };
    let fetches = std::mem::take(&mut trace.out().at_end);
    fetches.into_iter().for_each(|fetch| fetch());
    let mut out = trace.out();
    // The last event has a comma behind it, which the format forgives but JSON does not.
    let end = json!({ "name": "trace_end", "ph": "i", "pid": 1, "tid": DEVICE, "ts": micros(trace.began.elapsed()), "s": "g" });
    out.text.push_str(&format!("{end}\n]\n"));
    out.write();
    out.file = None;
}

/// Calls `fetch` at the end of the trace.
pub(crate) fn at_end(fetch: impl FnOnce() + Send + 'static) {
    if let Some(trace) = TRACE.get() {
        trace.out().at_end.push(Box::new(fetch));
    }
}

/// A stretch of time on this thread's track, up to where it is dropped.
#[must_use]
pub struct Span {
    name: &'static str,
    start: Option<Instant>,
}

/// Begins a span; costs next to nothing where nothing is traced.
pub fn span(name: &'static str) -> Span {
    Span { name, start: is_on().then(Instant::now) }
}

impl Drop for Span {
    fn drop(&mut self) {
        if let (Some(trace), Some(start)) = (TRACE.get(), self.start) {
            trace.event(self.name, trace.track_of_thread(), start, start.elapsed(), json!({}));
        }
    }
}

/// Notes a kernel on the device's track.
pub(crate) fn kernel(name: &str, start: Instant, ms: f64, work: Work) {
    if let Some(trace) = TRACE.get() {
        let rate = |amount: u64| (amount as f64 / ms / 1e4).round() / 100.0;
        let numbers = json!({ "GB/s": rate(work.bytes), "GFLOP/s": rate(work.flops) });
        trace.event(name, DEVICE, start, Duration::from_secs_f64(ms * 1e-3), numbers);
    }
}

impl Trace {
    fn out(&self) -> MutexGuard<'_, Out> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The track of the thread that asks; its first question names it.
    fn track_of_thread(&self) -> u64 {
        TRACK.get().unwrap_or_else(|| {
            let track = THREADS.fetch_add(1, Ordering::Relaxed);
            TRACK.set(Some(track));
            let thread = std::thread::current();
            let name = thread.name().map_or_else(|| format!("worker {track}"), String::from);
            self.name_track(track, &name);
            track
        })
    }

    fn name_track(&self, track: u64, name: &str) {
        self.push(&json!({ "name": "thread_name", "ph": "M", "pid": 1, "tid": track, "args": { "name": name } }));
    }

    fn event(&self, name: &str, track: u64, start: Instant, length: Duration, args: Value) {
        let ts = micros(start.saturating_duration_since(self.began));
        self.push(
            &json!({ "name": name, "ph": "X", "pid": 1, "tid": track, "ts": ts, "dur": micros(length), "args": args }),
        );
    }

    fn push(&self, event: &Value) {
        let mut out = self.out();
        out.text.push_str(&format!("{event},\n"));
        if out.text.len() > GATHERED {
            out.write();
        }
    }
}

impl Out {
    /// Writes whole events only, so that a file without its end can be read up to there.
    fn write(&mut self) {
        let text = std::mem::take(&mut self.text);
        if let Some(Err(error)) = self.file.as_mut().map(|file| file.write_all(text.as_bytes())) {
            tracing::error!("the trace ends here: {error}");
            self.file = None;
        }
    }
}

fn micros(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e9).round() / 1e3
}
