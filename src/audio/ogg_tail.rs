//! The last page of an Ogg file: how long the stream is, and whether the file was cut.
//!
//! Many encoders of the early years never set the end-of-stream flag, so its absence proves nothing; a page that
//! reaches beyond the end of the file does.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::error::{AudioError, Result};

/// The longest page: a header of 27 bytes, 255 lacing values, 255 segments of 255 bytes.
const MAX_PAGE_BYTES: u64 = 27 + 255 + 255 * 255;

pub(super) struct OggTail {
    /// Serial number of the stream that the last page belongs to.
    pub serial: u32,
    /// Position of the last sample that ends in a page: the length, still with the start offset of the stream.
    pub granule: i64,
}

/// Reads the last pages of `path`; a cut one is [`AudioError::NoEndMarker`].
pub(super) fn read_tail(path: &Path) -> Result<OggTail> {
    let io = |e: std::io::Error| AudioError::io(path, &e);
    let cut = || AudioError::NoEndMarker { path: path.to_path_buf() };
    let mut file = File::open(path).map_err(io)?;
    let len = file.metadata().map_err(io)?.len();
    let mut tail = Vec::new();
    // Two pages, because a page in which no packet ends has no position.
    file.seek(SeekFrom::Start(len.saturating_sub(2 * MAX_PAGE_BYTES)))
        .and_then(|_| file.read_to_end(&mut tail))
        .map_err(io)?;

    let mut found = None;
    let mut at = 0;
    while let Some(skip) = tail[at..].windows(4).position(|w| w == b"OggS") {
        at += skip;
        let header = tail.get(at..at + 27).ok_or_else(cut)?;
        let lacing = tail.get(at + 27..at + 27 + usize::from(header[26])).ok_or_else(cut)?;
        let size = 27 + lacing.len() + lacing.iter().map(|&b| usize::from(b)).sum::<usize>();
        let granule = i64::from_le_bytes(header[6..14].try_into().expect("eight bytes"));
        let serial = u32::from_le_bytes(header[14..18].try_into().expect("four bytes"));
        if at + size > tail.len() {
            return Err(cut());
        }
        if granule >= 0 {
            found = Some(OggTail { serial, granule });
        }
        at += size;
    }
    found.ok_or_else(cut)
}
