//! What a person sees while a run goes on: a bar on a terminal, a line now and then in a log file.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::metrics::StepMetrics;

/// How often a line is printed where there is no terminal: enough to see life, too seldom to fill a log.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// A bar for anything but training: on a terminal, nothing elsewhere.
pub fn bar(what: &str, total: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {wide_bar:.cyan/dim} {pos}/{len}  ETA {eta}");
    let bar = ProgressBar::new(total).with_style(style.expect("the template above is a constant"));
    bar.set_message(what.to_string());
    bar
}

/// Progress of a training run, on standard error (standard output is left to results).
pub struct Progress {
    total: u64,
    pace: Pace,
    sink: Sink,
}

enum Sink {
    Bar(ProgressBar),
    Lines { out: Box<dyn Write + Send>, every: Duration, printed: Option<Instant> },
}

impl Progress {
    /// For a run of `total` steps of which `done` are behind it (not 0 after a resume).
    pub fn new(done: u64, total: u64) -> Self {
        if !io::stderr().is_terminal() {
            return Self::lines(Box::new(io::stderr()), LINE_EVERY, done, total);
        }
        let style = ProgressStyle::with_template("{wide_bar:.cyan/dim} {pos}/{len}  {msg}")
            .expect("the template above is a constant")
            .progress_chars("━╸─");
        let bar = ProgressBar::new(total).with_style(style).with_position(done);
        bar.set_message("compiling kernels");
        Progress { total, pace: Pace::default(), sink: Sink::Bar(bar) }
    }

    fn lines(out: Box<dyn Write + Send>, every: Duration, done: u64, total: u64) -> Self {
        let mut progress = Progress { total, pace: Pace::default(), sink: Sink::Lines { out, every, printed: None } };
        if done > 0 {
            progress.note(&format!("going on at step {done} of {total}"));
        }
        progress
    }

    /// Shows a step that is done; `peak_bytes` is the most device memory in use so far.
    pub fn step(&mut self, record: &StepMetrics, peak_bytes: u64) {
        let now = Instant::now();
        let eta = self.pace.eta(now, record.step, self.total);
        let text = status(record, peak_bytes, eta);
        let last = record.step >= self.total;
        match &mut self.sink {
            Sink::Bar(bar) => {
                bar.set_position(record.step);
                bar.set_message(text);
            }
            Sink::Lines { out, every, printed } => {
                if last || printed.is_none_or(|before| now - before >= *every) {
                    *printed = Some(now);
                    // A closed standard error must not end a training run.
                    let _ = writeln!(out, "step {}/{}  {text}", record.step, self.total);
                }
            }
        }
    }

    /// Prints a line of its own (a checkpoint saved, a file skipped) without tearing the bar.
    pub fn note(&mut self, line: &str) {
        match &mut self.sink {
            Sink::Bar(bar) => bar.println(line),
            Sink::Lines { out, .. } => {
                let _ = writeln!(out, "{line}");
            }
        }
    }

    /// Leaves the bar as it stands, so that what is printed next starts on a fresh line.
    pub fn finish(self) {
        if let Sink::Bar(bar) = self.sink {
            bar.abandon();
            // The bar ends at the right edge without a line break.
            let _ = writeln!(io::stderr());
        }
    }
}

/// Steps a second since the first step of this process, which is left out because it compiles the kernels.
#[derive(Default)]
struct Pace {
    first: Option<(Instant, u64)>,
}

impl Pace {
    fn eta(&mut self, now: Instant, step: u64, total: u64) -> Option<Duration> {
        let (began, first_step) = *self.first.get_or_insert((now, step));
        let done = step.saturating_sub(first_step);
        (done > 0).then(|| {
            let seconds_per_step = (now - began).as_secs_f64() / done as f64;
            Duration::from_secs_f64(seconds_per_step * total.saturating_sub(step) as f64)
        })
    }
}

/// Short enough to leave room for a bar on 80 columns; accuracy is the in-batch one.
fn status(record: &StepMetrics, peak_bytes: u64, eta: Option<Duration>) -> String {
    format!(
        "loss {:.3}  acc {:.1}%  {:.1} seg/s  wait {:.0}%  peak {}  ETA {}",
        record.loss,
        record.accuracy * 100.0,
        record.segments_per_second,
        record.wait_percent,
        human_bytes(peak_bytes),
        eta.map_or("-".into(), human_duration),
    )
}

/// `1_234_567` as `1.2 MB`: decimal units, as disks and GPU memory are sold.
pub fn human_bytes(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        // 999.95 would print as 1000.0 of the smaller unit.
        if value < 999.95 {
            let digits = usize::from(unit != "B");
            return format!("{value:.digits$} {unit}");
        }
        value /= 1000.0;
    }
    format!("{value:.1} TB")
}

/// `45s`, `3m20s`, `1h05m`: two units are enough to decide whether to wait.
pub fn human_duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64().round() as u64;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    struct Pipe(Sender<String>);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(String::from_utf8(bytes.to_vec()).unwrap()).unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn record(step: u64) -> StepMetrics {
        StepMetrics {
            step,
            epoch: 0,
            loss: 3.21449,
            accuracy: 0.4125,
            lr: 1e-3,
            segments_per_second: 12.44,
            wait_percent: 1.4,
            grad_norm: None,
            effective_rank: None,
            alignment: None,
            uniformity: None,
            held_out_loss: None,
            held_out_accuracy: None,
        }
    }

    #[test]
    fn plain_lines_come_now_and_then_and_at_the_end() {
        let (sender, lines) = channel();
        let mut progress = Progress::lines(Box::new(Pipe(sender)), Duration::from_secs(3600), 0, 50);
        (1..=50).for_each(|step| progress.step(&record(step), 1_234_567_890));
        progress.note("saved run/model.safetensors");
        progress.finish();
        let text: String = lines.iter().collect();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert_eq!(lines[0], "step 1/50  loss 3.214  acc 41.2%  12.4 seg/s  wait 1%  peak 1.2 GB  ETA -");
        assert!(lines[1].starts_with("step 50/50") && lines[1].ends_with("ETA 0s"));
        assert_eq!(lines[2], "saved run/model.safetensors");
    }

    #[test]
    fn the_first_step_does_not_count_for_the_pace() {
        let mut pace = Pace::default();
        let start = Instant::now();
        assert_eq!(pace.eta(start, 11, 100), None);
        let eta = pace.eta(start + Duration::from_secs(4), 13, 100).unwrap();
        assert_eq!(eta, Duration::from_secs(2 * 87));
    }

    #[test]
    fn units() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (999_960, "1.0 MB"),
            (15_000_000, "15.0 MB"),
            (2_500_000_000_000, "2.5 TB"),
        ] {
            assert_eq!(human_bytes(bytes), text);
        }
        for (seconds, text) in [(45, "45s"), (200, "3m20s"), (3900, "1h05m")] {
            assert_eq!(human_duration(Duration::from_secs(seconds)), text);
        }
    }
}
