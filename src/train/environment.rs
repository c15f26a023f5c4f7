//! On what a run was computed, for the report and for anybody who wants to repeat it.

use super::atomic::{WriteError, write_atomic};
use crate::gpu::Gpu;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The file's name inside the folder of a run.
pub const ENVIRONMENT_FILE: &str = "environment.json";

/// Program, machine and device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// Version of this program.
    pub cola_wgpu: String,
    /// Operating system and processor architecture.
    pub system: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Adapter name.
    pub adapter: String,
    /// Graphics interface, driver name and version.
    pub driver: String,
    /// Kernels in use.
    pub tier: String,
    /// When the process began, in seconds since 1970 (UTC).
    pub started_unix_s: u64,
}

impl Environment {
    /// That of this process on this device.
    pub fn here(gpu: &Gpu) -> Environment {
        let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Environment {
            cola_wgpu: env!("CARGO_PKG_VERSION").into(),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            adapter: gpu.caps().adapter.clone(),
            driver: format!("{}, {}", gpu.caps().backend, gpu.caps().driver),
            tier: gpu.caps().tier.to_string(),
            started_unix_s: since_1970.map_or(0, |d| d.as_secs()),
        }
    }

    /// Writes it into the folder of a run.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn write(&self, run: &Path) -> Result<(), WriteError> {
        write_atomic(&run.join(ENVIRONMENT_FILE), |file| Ok(serde_json::to_writer_pretty(file, self)?))
    }

    /// What a run's folder says; `None` where there is no such file or it cannot be read.
    pub fn read(run: &Path) -> Option<Environment> {
        serde_json::from_slice(&std::fs::read(run.join(ENVIRONMENT_FILE)).ok()?).ok()
    }

    /// When the run began, as `2026-11-21 12:34 UTC`.
    pub fn started(&self) -> String {
        let (days, seconds) = (self.started_unix_s / 86_400, self.started_unix_s % 86_400);
        let (year, month, day) = civil_date(days);
        format!("{year}-{month:02}-{day:02} {:02}:{:02} UTC", seconds / 3600, seconds / 60 % 60)
    }
}

/// Year, month and day of a number of days since 1970-01-01 in the Gregorian calendar.
fn civil_date(mut days: u64) -> (u64, u64, u64) {
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    (year, month as u64 + 1, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00 UTC"),
            (951_827_696, "2000-02-29 12:34 UTC"),
            (1_767_225_599, "2025-12-31 23:59 UTC"),
            (1_795_221_240, "2026-11-21 00:34 UTC"),
        ] {
            let environment = Environment { started_unix_s: seconds, ..Environment::default() };
            assert_eq!(environment.started(), text);
        }
    }
}
