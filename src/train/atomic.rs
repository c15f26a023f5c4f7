//! Files that are either the old one or the new one, never half of each.
//!
//! A checkpoint cut short by `kill -9`, a power cut or a full disk must not replace a good one. Everything that a
//! later run reads back is therefore written beside its place, forced to the disk, and renamed over the old file,
//! which the file system does in one step.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Why a file could not be written. Its text names the file, says whether an older one is still there, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}; {}; {}", .path.display(), fate(*.old_kept), advice(.source))]
pub struct WriteError {
    /// The file that was to be written, not the temporary beside it.
    pub path: PathBuf,
    /// Whether a file of that name was there before, and so still is, unchanged.
    pub old_kept: bool,
    /// What the system said.
    pub source: io::Error,
}

impl WriteError {
    /// An error about `path` from the system's `source`; looks whether a file of that name exists.
    pub fn new(path: &Path, source: io::Error) -> Self {
        WriteError { path: path.to_owned(), old_kept: path.exists(), source }
    }
}

fn fate(old_kept: bool) -> &'static str {
    if old_kept { "the file from before is kept as it was" } else { "no file was left behind" }
}

fn advice(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space on that disk or choose another folder"
        }
        io::ErrorKind::NotFound => "create its folder first",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => "choose a folder that you may write to",
        _ => "check the disk and try again",
    }
}

/// Writes the file `path` through `write`, which gets a buffered writer; the file appears whole or not at all.
///
/// The bytes go to `<path>.partial`, reach the disk (`fsync`), and are renamed to `path`; then the folder is synced,
/// so that the rename itself survives a power cut (unix). Two writers of the same path at the same time are not
/// supported: a run has one.
///
/// # Errors
/// [`WriteError`] if any step fails; the temporary is removed and a file already at `path` is untouched.
pub fn write_atomic(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<(), WriteError> {
    let partial = partial_path(path);
    write_and_rename(path, &partial, write).map_err(|source| {
        // Best effort: the first failure is the one worth telling. A left-over is overwritten by the next attempt.
        let _ = fs::remove_file(&partial);
        WriteError::new(path, source)
    })
}

fn write_and_rename(
    path: &Path,
    partial: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    let mut writer = BufWriter::with_capacity(1 << 18, File::create(partial)?);
    write(&mut writer)?;
    writer.flush()?;
    // `File::drop` swallows errors, and a rename may reach the disk before the bytes do: hence an explicit sync.
    writer.get_ref().sync_all()?;
    drop(writer);
    fs::rename(partial, path)?;
    sync_folder_of(path)
}

/// `model.safetensors` -> `model.safetensors.partial`: a fixed name, so that killed runs leave one such file, not many.
fn partial_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

#[cfg(unix)]
pub(super) fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    match File::open(folder)?.sync_all() {
        // Some network file systems cannot sync a folder; the rename has happened, so this is no failure.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}

#[cfg(not(unix))]
pub(super) fn sync_folder_of(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_and_replaces() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        write_atomic(&path, |file| file.write_all(b"one")).unwrap();
        write_atomic(&path, |file| file.write_all(b"two")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_full_disk_keeps_the_old_file_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        write_atomic(&path, |file| file.write_all(b"good")).unwrap();
        let error = write_atomic(&path, |file| {
            file.write_all(b"half of")?;
            Err(io::ErrorKind::StorageFull.into())
        })
        .unwrap_err()
        .to_string();
        assert_eq!(fs::read(&path).unwrap(), b"good");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        for part in ["model.safetensors", "kept as it was", "free some space"] {
            assert!(error.contains(part), "{error}");
        }
        assert!(!error.contains('\n') && !error.contains("partial"), "{error}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_device_that_is_full_fails_at_the_flush() {
        // /dev/full answers every write with ENOSPC; a link puts it where the temporary would be.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("optim.safetensors");
        std::os::unix::fs::symlink("/dev/full", partial_path(&path)).unwrap();
        let error = write_atomic(&path, |file| file.write_all(b"bytes")).unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::StorageFull);
        assert!(!error.old_kept && !path.exists());
    }

    #[test]
    fn a_missing_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nowhere").join("x.csv");
        let error = write_atomic(&path, |_| Ok(())).unwrap_err().to_string();
        assert!(error.contains("nowhere") && error.contains("create its folder"), "{error}");
    }
}
