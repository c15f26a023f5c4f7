//! How far a long job is: a bar on a terminal, a line now and then in a log.

use cola::train::progress::human_duration;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

/// How often a line is printed where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Counts things that are done.
pub struct Counter {
    what: &'static str,
    total: u64,
    bar: Option<ProgressBar>,
    /// When this process began, and what was done then.
    began: Option<(Instant, u64)>,
    printed: Instant,
}

impl Counter {
    /// `what` is a plural.
    pub fn new(what: &'static str, total: u64) -> Counter {
        let style = ProgressStyle::with_template("{prefix} {wide_bar:.cyan/dim} {pos}/{len}  {msg}");
        let style = style.expect("the template above is a constant");
        let bar = stderr().is_terminal().then(|| ProgressBar::new(total).with_style(style).with_prefix(what));
        Counter { what, total, bar, began: None, printed: Instant::now() }
    }

    /// So many are done.
    pub fn set(&mut self, done: u64) {
        let now = Instant::now();
        let (began, before) = *self.began.get_or_insert((now, done));
        let pace = pace(done - before, self.total - done, now - began);
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            bar.set_message(pace);
        } else if now - self.printed >= LINE_EVERY {
            self.printed = now;
            eprintln!("{done} of {} {}  {pace}", self.total, self.what);
        }
    }

    /// Takes the bar away.
    pub fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

/// `20.1 a second, 20m01s left`, once something is done.
fn pace(done: u64, left: u64, elapsed: Duration) -> String {
    let rate = done as f64 / elapsed.as_secs_f64();
    match done > 0 && rate.is_finite() {
        true => format!("{rate:.1} a second, {} left", human_duration(Duration::from_secs_f64(left as f64 / rate))),
        false => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pace_in_words() {
        assert_eq!(pace(0, 100, Duration::from_secs(1)), "");
        assert_eq!(pace(50, 100, Duration::ZERO), "");
        assert_eq!(pace(50, 100, Duration::from_secs(4)), "12.5 a second, 8s left");
    }
}
