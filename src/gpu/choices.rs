//! The file of chosen knobs: one for each adapter, driver and version of this program, in the user's cache folder.

use super::Caps;
use super::tune::{Knobs, TuneShape};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Which kernel on which shape.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) kernel: Cow<'static, str>,
    pub(super) shape: TuneShape,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{} {:?}", self.kernel, self.shape)
    }
}

/// The knobs of each shape that was timed.
pub(super) type Choices = BTreeMap<Key, Knobs>;

/// What the file holds.
#[derive(Serialize, Deserialize)]
struct Text {
    adapter: String,
    driver: String,
    version: String,
    choices: Vec<Choice>,
}

#[derive(Serialize, Deserialize)]
struct Choice {
    kernel: String,
    shape: TuneShape,
    knobs: Knobs,
}

/// Where this user's programs keep what they can make anew, and this one in it; `None` where no home is known.
pub fn cache_folder() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    let home = || std::env::home_dir();
    let system = match std::env::consts::OS {
        "macos" => home().map(|home| home.join("Library/Caches")),
        "windows" => variable("LOCALAPPDATA"),
        _ => home().map(|home| home.join(".cache")),
    };
    variable("XDG_CACHE_HOME").or(system).map(|folder| folder.join("cola-wgpu"))
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The file of this adapter in a folder.
pub(super) fn file_of(folder: &Path, caps: &Caps) -> PathBuf {
    let whose = format!("{}\n{}\n{VERSION}", caps.adapter, caps.driver);
    folder.join(format!("knobs-{:08x}.json", crc32c::crc32c(whose.as_bytes())))
}

/// The choices in a file; none where there is no file, and, after a warning, where it cannot be read.
pub(super) fn read(file: &Path, caps: &Caps) -> Choices {
    let text = match std::fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Choices::new(),
        Err(error) => return unreadable(file, &error.to_string()),
    };
    match serde_json::from_slice::<Text>(&text) {
        Ok(text) if (&text.adapter, &text.driver, text.version.as_str()) == (&caps.adapter, &caps.driver, VERSION) => {
            text.choices.into_iter().map(|c| (Key { kernel: c.kernel.into(), shape: c.shape }, c.knobs)).collect()
        }
        Ok(_) => unreadable(file, "it is another adapter's"),
        Err(error) => unreadable(file, &error.to_string()),
    }
}

fn unreadable(file: &Path, why: &str) -> Choices {
    tracing::warn!("the chosen knobs in {} cannot be used ({why}); they are chosen anew", file.display());
    Choices::new()
}

/// Writes the choices beside the file and renames; a program that runs at the same time sees the old file or the new.
/// What fails is only told, because the next start can do it again.
pub(super) fn write(file: &Path, caps: &Caps, choices: &Choices) {
    let choices =
        choices.iter().map(|(key, &knobs)| Choice { kernel: key.kernel.to_string(), shape: key.shape, knobs });
    let (adapter, driver, version) = (caps.adapter.clone(), caps.driver.clone(), VERSION.to_string());
    let text = Text { adapter, driver, version, choices: choices.collect() };
    let written = || -> io::Result<()> {
        let folder = file.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        // a name of its own: two programs may write at once
        let mut partial = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer(&mut partial, &text)?;
        partial.flush()?;
        partial.as_file().sync_all()?;
        partial.persist(file)?;
        Ok(())
    };
    if let Err(error) = written() {
        tracing::warn!("cannot keep the chosen knobs in {} ({error}); the next start chooses again", file.display());
    }
}
