//! The labelled clips of the tests that run the program.

use super::program::succeed;
use std::path::Path;
use std::sync::OnceLock;
use tempfile::TempDir;

/// Labelled synthetic clips, made once: DIR/{train,test}/<family>/*.wav, 6 families of 6 and 2 clips.
pub fn sounds() -> &'static Path {
    static SOUNDS: OnceLock<TempDir> = OnceLock::new();
    let folder = SOUNDS.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        succeed(&format!("synth {} --clips-per-family 8", folder.path().display()));
        folder
    });
    folder.path()
}
