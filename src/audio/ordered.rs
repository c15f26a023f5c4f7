//! Work done by several threads and handed out in order: `job(first), job(first + 1), ...`
//!
//! Threads claim numbers one after the other, but never more than `window` ahead of what was handed out, so a slow
//! consumer bounds the memory. Which thread did what, and when, cannot be seen in the results.

use crate::trace;
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

pub(super) struct Ordered<T> {
    shared: Arc<Shared<T>>,
    threads: Vec<JoinHandle<()>>,
}

/// Ends the work of an [`Ordered`] from another thread.
pub(super) struct Stopper<T>(Arc<Shared<T>>);

struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    next_claim: u64,
    next_out: u64,
    end: u64,
    window: u64,
    ready: BTreeMap<u64, T>,
    stopped: bool,
}

impl<T> Shared<T> {
    // A panicking job never holds the lock, so the state behind a poisoned one is sound.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }
}

impl<T: Send + 'static> Ordered<T> {
    /// Starts `workers` threads on `job(n)` for `n` in `numbers`.
    pub fn start(
        workers: usize,
        window: usize,
        numbers: std::ops::Range<u64>,
        job: impl Fn(u64) -> T + Send + Sync + 'static,
    ) -> Ordered<T> {
        let state = State {
            next_claim: numbers.start,
            next_out: numbers.start,
            end: numbers.end,
            window: window.max(1) as u64,
            ready: BTreeMap::new(),
            stopped: false,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let job = Arc::new(job);
        let spawn = |_| {
            let (shared, job) = (shared.clone(), job.clone());
            std::thread::spawn(move || work(&shared, &*job))
        };
        let threads = (0..workers.max(1)).map(spawn).collect();
        Ordered { shared, threads }
    }

    /// The next result; `None` at the end, and after a stop or a panic in a job.
    pub fn next(&mut self) -> Option<T> {
        let mut state = self.shared.lock();
        loop {
            let number = state.next_out;
            if state.stopped || number >= state.end {
                return None;
            }
            if let Some(result) = state.ready.remove(&number) {
                state.next_out += 1;
                self.shared.changed.notify_all();
                return Some(result);
            }
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub fn stopper(&self) -> Stopper<T> {
        Stopper(self.shared.clone())
    }
}

impl<T> Stopper<T> {
    /// Makes `next` return `None` and the threads end after the job they are at.
    pub fn stop(&self) {
        self.0.stop();
    }
}

impl<T> Drop for Ordered<T> {
    fn drop(&mut self) {
        self.shared.stop();
        for thread in self.threads.drain(..) {
            // A panic has already been reported on stderr by its own thread.
            let _ = thread.join();
        }
    }
}

fn work<T>(shared: &Shared<T>, job: &(impl Fn(u64) -> T + ?Sized)) {
    /// A panic must not leave the consumer waiting for ever.
    struct StopOnPanic<'a, T>(&'a Shared<T>);
    impl<T> Drop for StopOnPanic<'_, T> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                self.0.stop();
            }
        }
    }
    let _guard = StopOnPanic(shared);
    loop {
        let mut state = shared.lock();
        while !state.stopped && state.next_claim < state.end && state.next_claim >= state.next_out + state.window {
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.stopped || state.next_claim >= state.end {
            return;
        }
        let number = state.next_claim;
        state.next_claim += 1;
        drop(state);
        let result = {
            let _span = trace::span("decode");
            job(number)
        };
        shared.lock().ready.insert(number, result);
        shared.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    #[test]
    fn results_come_in_order() {
        for workers in [1, 4] {
            let job = |n: u64| {
                std::thread::sleep(Duration::from_micros(n * 7919 % 300));
                n * n
            };
            let mut pool = Ordered::start(workers, 5, 10..200, job);
            for n in 10..200 {
                assert_eq!(pool.next(), Some(n * n));
            }
            assert_eq!(pool.next(), None);
        }
    }

    #[test]
    fn threads_do_not_run_ahead() {
        let begun = Arc::new(AtomicU64::new(0));
        let count = begun.clone();
        let mut pool = Ordered::start(4, 3, 0..1000, move |_| count.fetch_add(1, Ordering::SeqCst));
        pool.next();
        std::thread::sleep(Duration::from_millis(30));
        assert!(begun.load(Ordering::SeqCst) <= 4);
    }

    #[test]
    fn a_panic_ends_the_work() {
        let mut pool = Ordered::start(2, 4, 0..10, |n| assert!(n < 3, "expected in this test"));
        let mut delivered = 0;
        while pool.next().is_some() {
            delivered += 1;
        }
        assert!(delivered <= 3);
    }
}
