//! The learning rate over time: linear warm-up, then constant or half a cosine down to 0.

use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// What follows the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decay {
    /// The peak to the end, as in the paper.
    Constant,
    /// Half a cosine from the peak to 0 at the end of the run.
    Cosine,
}

/// A learning rate for every step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// Highest rate.
    pub peak: f64,
    /// Steps over which the rate rises; 0 for none.
    pub warmup_steps: u64,
    /// Length of the run, for the cosine.
    pub total_steps: u64,
    /// What follows the warm-up.
    pub decay: Decay,
}

impl Schedule {
    /// The rate of step `step`, counted from 0. The last step of the warm-up is the first at the peak.
    pub fn at(&self, step: u64) -> f64 {
        if step < self.warmup_steps {
            return self.peak * (step + 1) as f64 / self.warmup_steps as f64;
        }
        match self.decay {
            Decay::Constant => self.peak,
            Decay::Cosine => {
                let length = self.total_steps.saturating_sub(self.warmup_steps).max(1);
                let done = ((step - self.warmup_steps) as f64 / length as f64).min(1.0);
                self.peak * 0.5 * (1.0 + (PI * done).cos())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warm_up_rises_to_the_peak_and_the_cosine_falls_to_zero() {
        let schedule = Schedule { peak: 2.0, warmup_steps: 4, total_steps: 14, decay: Decay::Cosine };
        let rates: Vec<f64> = (0..14).map(|s| schedule.at(s)).collect();
        assert_eq!(&rates[..5], [0.5, 1.0, 1.5, 2.0, 2.0]);
        assert!((rates[9] - 1.0).abs() < 1e-12, "half way");
        assert!(rates[4..].windows(2).all(|w| w[1] < w[0]) && rates[13] > 0.0);
        assert_eq!(schedule.at(14), 0.0);
        assert_eq!(schedule.at(1_000_000), 0.0, "a run that was made longer stays at 0");
    }

    #[test]
    fn constant_without_warm_up() {
        let schedule = Schedule { peak: 1e-4, warmup_steps: 0, total_steps: 10, decay: Decay::Constant };
        assert!([0, 5, 99].iter().all(|&s| schedule.at(s) == 1e-4));
    }
}
