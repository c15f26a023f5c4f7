//! Knobs chosen by timing.
//!
//! Some kernels have knobs (rows a workgroup, columns a lane) whose best values depend on the shape and on the adapter.
//! [`Gpu::tune`] times a few choices for each shape of a step, and a file keeps what was found for the next start.
//!
//! **Tuning never changes a bit of a result**, so that reruns and resumed runs stay equal whatever was chosen. Only
//! knobs that leave the order of every sum alone are offered, and a choice is timed only once its result was that of
//! the default, bit for bit.

use super::choices::{self, Choices, Key};
use super::{Gpu, GpuError, catch};
use crate::tensor::Tensor;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Values of a kernel's knobs; the kernel says what each one is.
pub type Knobs = [u32; 3];

/// What the choice depends on: three sizes, and which variant of the kernel.
pub type TuneShape = [usize; 4];

/// A kernel whose knobs may be chosen by timing.
pub struct Tunable {
    /// Name in the file of choices.
    pub name: &'static str,
    /// What there is to choose from, the default first.
    pub choices: fn(TuneShape) -> Vec<Knobs>,
    /// The kernel on data of that shape, or of as much of it as is worth timing.
    pub trial: fn(&Gpu, TuneShape) -> Trial,
}

/// A kernel with its data, ready to run.
pub struct Trial {
    /// Where the result will stand.
    pub out: Tensor,
    /// Records the kernel with these knobs.
    pub run: Box<dyn Fn(Knobs)>,
}

/// Share of a step's work in the shapes that are worth timing, the largest first.
const WORTH: f64 = 0.99;
/// After this time the rest is left to the next start; on a software adapter, where steps are few and the defaults were
/// measured, sooner.
const MOST: Duration = Duration::from_secs(15);
const MOST_ON_CPU: Duration = Duration::from_secs(5);
/// By how much a choice must beat the default, in every round, to replace it: on a busy machine the default stays.
const GAIN: f64 = 0.03;
/// How often each choice is timed, in turns.
const ROUNDS: usize = 5;
/// What one timing takes at least, so that it is not that of a submission.
const LEAST: Duration = Duration::from_millis(2);

/// The choices of a device.
#[derive(Default)]
pub(super) struct Tuning {
    /// Where choices are kept; `None` where nothing is to be tuned.
    file: Option<PathBuf>,
    chosen: Choices,
    /// On a dry run: what was asked for, and how often.
    asked: BTreeMap<Key, (&'static Tunable, usize)>,
}

/// What [`Gpu::tune`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tuned {
    /// Shapes that were timed.
    pub timed: usize,
    /// How many of them do not have the default's knobs.
    pub changed: usize,
}

impl Gpu {
    /// The knobs to run a kernel with: those chosen for this shape, else the default.
    pub(crate) fn tuned(&self, tunable: &'static Tunable, shape: TuneShape) -> Knobs {
        let choices = (tunable.choices)(shape);
        let key = Key { kernel: Cow::Borrowed(tunable.name), shape };
        let mut tuning = self.tuning();
        // a file may hold what this kernel never offered
        let knobs = tuning.chosen.get(&key).copied().filter(|knobs| choices.contains(knobs)).unwrap_or(choices[0]);
        if self.device().is_none() && choices.len() > 1 {
            tuning.asked.entry(key).or_insert((tunable, 0)).1 += 1;
        }
        knobs
    }

    /// From now on uses the choices that the folder holds for this adapter, and lets [`tune`](Gpu::tune) add to them.
    pub(super) fn use_choices_in(&self, folder: &Path) {
        let file = choices::file_of(folder, self.caps());
        let chosen = choices::read(&file, self.caps());
        *self.tuning() = Tuning { file: Some(file), chosen, asked: BTreeMap::new() };
    }

    /// Follows `step` on a device that computes nothing but has the knobs of this one.
    pub(super) fn follow(&self, step: &dyn Fn(&Gpu)) -> Gpu {
        let dry = Gpu::dry_run(self.caps().clone());
        dry.tuning().chosen = self.tuning().chosen.clone();
        step(&dry);
        dry
    }

    /// Chooses knobs for the shapes of `step` that have none yet, by timing; nothing where the device was opened without
    /// [`GpuOptions::tune_in`](super::GpuOptions). `step` is only followed. Ends with an empty pool and a new peak.
    pub fn tune(&self, step: &dyn Fn(&Gpu), show: &mut dyn FnMut(usize, usize)) -> Tuned {
        let Some(file) = self.tuning().file.clone() else { return Tuned::default() };
        let left = self.worth_timing(step);
        if left.is_empty() {
            return Tuned::default();
        }
        let (begin, total) = (Instant::now(), left.len());
        let most = if self.caps().is_cpu { MOST_ON_CPU } else { MOST };
        let (mut tuned, mut told) = (Tuned::default(), BTreeSet::new());
        for (key, tunable) in left {
            if begin.elapsed() > most {
                break;
            }
            let choices = (tunable.choices)(key.shape);
            let Picked { knobs, ratio, refused } = self.choose(tunable, key.shape, &choices);
            tracing::debug!("{key:?}: {knobs:?}, {ratio:.2} of the default's time");
            for (knobs, why) in refused {
                if told.insert((tunable.name, knobs)) {
                    tracing::warn!("{key:?} with knobs {knobs:?} is left out on {}: {why}", self.caps().adapter);
                }
            }
            tuned.timed += 1;
            tuned.changed += usize::from(knobs != choices[0]);
            self.tuning().chosen.insert(key, knobs);
            self.trim(); // no trial's data for the next one's
            show(tuned.timed, total);
        }
        choices::write(&file, self.caps(), &self.tuning().chosen);
        self.reset_peak();
        tuned
    }

    /// Shapes without a choice that take a notable part of `step`, counted as trials have them; the largest first.
    fn worth_timing(&self, step: &dyn Fn(&Gpu)) -> Vec<(Key, &'static Tunable)> {
        let asked = std::mem::take(&mut self.follow(step).tuning().asked);
        let work = |key: &Key, times: usize| key.shape[..3].iter().product::<usize>() as f64 * times as f64;
        let mut asked: Vec<_> =
            asked.into_iter().map(|(key, (tunable, times))| (work(&key, times), key, tunable)).collect();
        asked.sort_by(|a, b| b.0.total_cmp(&a.0));
        let enough = WORTH * asked.iter().map(|(work, ..)| work).sum::<f64>();
        let mut before = 0.0;
        let worth = asked.into_iter().take_while(|(work, ..)| {
            before += work;
            before - work < enough
        });
        let tuning = self.tuning();
        worth.map(|(_, key, tunable)| (key, tunable)).filter(|(key, _)| !tuning.chosen.contains_key(key)).collect()
    }

    fn choose(&self, tunable: &Tunable, shape: TuneShape, choices: &[Knobs]) -> Picked {
        let Trial { out, run } = (tunable.trial)(self, shape);
        let result = |knobs| {
            out.clear(); // so that nothing of the last result is left to be taken for this one's
            run(knobs);
            out.read::<u32>()
        };
        let time = |knobs, times: u32| {
            self.wait();
            let start = Instant::now();
            (0..times).for_each(|_| run(knobs));
            self.wait();
            start.elapsed() / times
        };
        // the first run compiles
        run(choices[0]);
        let times = LEAST.div_duration_f64(time(choices[0], 1)).ceil().clamp(1.0, 100.0) as u32;
        let picked = pick(choices, |knobs| catch(|| result(knobs)), |knobs| time(knobs, times));
        picked.unwrap_or_else(|error| error.raise())
    }
}

/// The choice, how long it took over the default in its worst round, and those that could not be taken.
struct Picked {
    knobs: Knobs,
    ratio: f64,
    refused: Vec<(Knobs, String)>,
}

/// The fastest of the choices whose result is that of the first, which also wins where another gains too little.
///
/// # Errors
/// When the first one fails.
fn pick<R: PartialEq>(
    choices: &[Knobs],
    mut result: impl FnMut(Knobs) -> Result<R, GpuError>,
    mut time: impl FnMut(Knobs) -> Duration,
) -> Result<Picked, GpuError> {
    let default = choices[0];
    let want = result(default)?;
    let (mut left, mut refused) = (Vec::new(), Vec::new());
    for &knobs in &choices[1..] {
        match result(knobs) {
            Ok(got) if got == want => left.push((knobs, 0.0)),
            Ok(_) => refused.push((knobs, "its result differs from the default's".into())),
            Err(error) => refused.push((knobs, error.to_string())),
        }
    }
    for _ in 0..ROUNDS {
        if left.is_empty() {
            break;
        }
        let unit = time(default);
        left.iter_mut().for_each(|(knobs, worst)| *worst = time(*knobs).div_duration_f64(unit).max(*worst));
        left.retain(|(_, worst)| *worst < 1.0 - GAIN);
    }
    let fastest = left.into_iter().min_by(|a, b| a.1.total_cmp(&b.1));
    let (knobs, ratio) = fastest.unwrap_or((default, 1.0));
    Ok(Picked { knobs, ratio, refused })
}

/// Values in [-1, 1), always the same, as data of a trial.
pub(crate) fn trial_data(gpu: &Gpu, shape: &[usize]) -> Tensor {
    let mut state = 1u32;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    let data: Vec<f32> = (0..shape.iter().product()).map(next).collect();
    Tensor::from_slice(gpu, shape, &data)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHOICES: [Knobs; 3] = [[1, 0, 0], [2, 0, 0], [3, 0, 0]];

    fn ms(knobs: Knobs, ms: [u64; 3]) -> Duration {
        Duration::from_millis(ms[knobs[0] as usize - 1])
    }

    #[test]
    fn a_choice_with_another_result_is_dropped_however_fast() {
        let result = |knobs: Knobs| Ok(if knobs[0] == 2 { 8 } else { 7 });
        let picked = pick(&CHOICES, result, |knobs| ms(knobs, [100, 1, 90])).unwrap();
        assert_eq!(picked.knobs, CHOICES[2]);
        assert_eq!(picked.refused.len(), 1);
        assert_eq!(picked.refused[0].0, CHOICES[1]);
    }

    #[test]
    fn a_choice_that_fails_is_dropped_and_a_default_that_fails_is_told() {
        let fails = |bad: u32| {
            move |knobs: Knobs| match knobs[0] == bad {
                true => Err(GpuError::Shader("test".into())),
                false => Ok(0),
            }
        };
        let picked = pick(&CHOICES, fails(3), |knobs| ms(knobs, [100, 120, 1])).unwrap();
        assert_eq!((picked.knobs, picked.refused[0].0), (CHOICES[0], CHOICES[2]));
        assert!(pick(&CHOICES, fails(1), |knobs| ms(knobs, [1, 1, 1])).is_err());
    }

    #[test]
    fn a_choice_that_is_slower_once_is_not_taken() {
        let mut calls = 0;
        let noisy = |knobs: Knobs| {
            calls += 1;
            ms(
                knobs,
                if calls == 5 {
                    // the second choice, in the second round
                    [100, 110, 100]
                } else {
                    [100, 50, 90]
                },
            )
        };
        assert_eq!(pick(&CHOICES, |_| Ok(0), noisy).unwrap().knobs, CHOICES[2]);
    }

    #[test]
    fn the_default_wins_where_another_gains_next_to_nothing() {
        for (times, wins) in [([100, 98, 99], 0), ([100, 96, 99], 1), ([100, 96, 90], 2)] {
            assert_eq!(pick(&CHOICES, |_| Ok(0), |knobs| ms(knobs, times)).unwrap().knobs, CHOICES[wins]);
        }
    }
}
