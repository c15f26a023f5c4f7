//! What a file is by its first bytes. Extensions lie, so they decide nothing here.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::error::{AudioError, Result};

/// Containers that can be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    Wav,
    Aiff,
    Flac,
    Ogg,
    /// MPEG layer III. `counted`: the first frame is a Xing, Info or VBRI header that counts the frames.
    Mp3 {
        counted: bool,
    },
}

/// Files that people do have in audio folders and which cannot be read here: marker, offset, what to call it.
const REFUSED: &[(&[u8], usize, &str)] = &[
    (b"ftyp", 4, "an MP4/M4A file (AAC or ALAC)"),
    (b"RF64", 0, "an RF64 WAV (over 4 GB)"),
    (b"riff", 0, "a Wave64 file"),
    (b"\x1A\x45\xDF\xA3", 0, "a Matroska/WebM file"),
    (b"\x30\x26\xB2\x75", 0, "a Windows Media (WMA/ASF) file"),
    (b"caff", 0, "an Apple CAF file"),
    (b".snd", 0, "a Sun AU file"),
    (b"wvpk", 0, "a WavPack file"),
    (b"MAC ", 0, "a Monkey's Audio file"),
    (b"#!AMR", 0, "an AMR speech file"),
    (b"MThd", 0, "a MIDI file (notes, no sound)"),
    (b"\x0B\x77", 0, "an AC-3 file"),
    (b"NIST_1A", 0, "a NIST SPHERE file"),
    (b"\x89PNG", 0, "a PNG picture"),
    (b"\xFF\xD8\xFF", 0, "a JPEG picture"),
    (b"GIF8", 0, "a GIF picture"),
    (b"%PDF", 0, "a PDF document"),
    (b"PK\x03\x04", 0, "a ZIP archive"),
    (b"\x1F\x8B", 0, "a gzip archive"),
    (b"version https://git-lfs", 0, "a Git LFS pointer, not the file itself"),
];

/// Reads the first bytes of `path` and says which decoder it needs.
pub(super) fn sniff(path: &Path) -> Result<Container> {
    let mut file = File::open(path).map_err(|e| AudioError::io(path, &e))?;
    let mut head = read_head(&mut file, 0, path)?;
    if head.is_empty() {
        return Err(AudioError::Empty { path: path.to_path_buf() });
    }
    // ID3v2 tags may stand before MP3 and FLAC alike, several of them and padded: look behind them.
    let mut start = 0;
    while let Some(end) = id3v2_end(&head) {
        start += end;
        head = read_head(&mut file, start, path)?;
    }
    container_of(&head).ok_or_else(|| AudioError::NotAudio { path: path.to_path_buf(), looks_like: describe(&head) })
}

fn read_head(file: &mut File, at: u64, path: &Path) -> Result<Vec<u8>> {
    let mut head = Vec::with_capacity(4096);
    file.seek(SeekFrom::Start(at))
        .and_then(|_| file.take(4096).read_to_end(&mut head))
        .map_err(|e| AudioError::io(path, &e))?;
    Ok(head)
}

/// Where an ID3v2 tag that follows nothing but zero bytes ends (lengths are 4 times 7 bits).
fn id3v2_end(head: &[u8]) -> Option<u64> {
    let at = head.iter().position(|&b| b != 0)?;
    let tag = head.get(at..at + 10).filter(|t| &t[..3] == b"ID3")?;
    let size = tag[6..].iter().fold(0u64, |n, b| (n << 7) | u64::from(b & 0x7F));
    Some(at as u64 + 10 + size)
}

fn container_of(head: &[u8]) -> Option<Container> {
    let at = |i: usize, mark: &[u8]| head.get(i..i + mark.len()) == Some(mark);
    if at(0, b"RIFF") && at(8, b"WAVE") {
        Some(Container::Wav)
    } else if at(0, b"FORM") && (at(8, b"AIFF") || at(8, b"AIFC")) {
        Some(Container::Aiff)
    } else if at(0, b"fLaC") {
        Some(Container::Flac)
    } else if at(0, b"OggS") {
        Some(Container::Ogg)
    } else {
        // Encoders and editors leave zero bytes before the first MPEG frame: look a little further on.
        let sync = (0..head.len().saturating_sub(4)).find(|&i| is_mp3_frame(&head[i..]))?;
        let only_padding = head[..sync].iter().all(|&b| b == 0);
        let tag = &head[sync..head.len().min(sync + 200)];
        let counted = [b"Xing", b"Info", b"VBRI"].iter().any(|m| tag.windows(4).any(|w| w == *m));
        only_padding.then_some(Container::Mp3 { counted })
    }
}

/// An MPEG audio header of layer III with neither a reserved version, bit rate nor sample rate.
fn is_mp3_frame(b: &[u8]) -> bool {
    b[0] == 0xFF
        && b[1] & 0xE6 == 0xE2
        && (b[1] >> 3) & 3 != 1
        && b[2] >> 4 != 0xF
        && b[2] >> 4 != 0
        && (b[2] >> 2) & 3 != 3
}

/// What a refused file looks like, in words.
fn describe(head: &[u8]) -> String {
    let known = REFUSED.iter().find(|(mark, at, _)| head.get(*at..at + mark.len()) == Some(mark));
    if let Some((_, _, name)) = known {
        return (*name).to_string();
    }
    let first = &head[..head.len().min(512)];
    if first.is_empty() {
        return "tags without audio".to_string();
    }
    if first.iter().all(|&b| b == 0) {
        return "a file of zero bytes".to_string();
    }
    let printable = |b: &u8| matches!(b, 9 | 10 | 13 | 32..=126) || *b >= 0x80;
    if std::str::from_utf8(first).is_ok() && first.iter().all(printable) {
        let text = String::from_utf8_lossy(first).to_lowercase();
        let html = text.contains("<html") || text.contains("<!doctype");
        return if html { "a web page" } else { "plain text" }.to_string();
    }
    "a file of unknown kind".to_string()
}
