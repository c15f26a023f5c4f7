//! WAV: hound reads and checks the header, the samples are read here in blocks.
//!
//! hound's own sample iterator cannot seek in padded containers (24 bits in 4 bytes) and reads one sample a call;
//! a block read does both, and knows before decoding whether the file holds what its header promises.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use super::SAMPLE_RATE_HZ;
use super::error::{AudioError, Result};

/// Data lengths from here on are what programs write that cannot know the length yet (sox, ffmpeg into a pipe).
const PIPE_BYTES: u64 = 0x7FFF_F000;

/// Bytes read at a time; a multiple of every frame size is taken from it.
const BLOCK_BYTES: usize = 1 << 16;

pub(super) struct WavSource {
    path: PathBuf,
    file: BufReader<File>,
    spec: hound::WavSpec,
    /// Bytes that one sample of one channel takes in the file (may exceed its valid bits).
    container_bytes: usize,
    data_start: u64,
    frames: u64,
    next_frame: u64,
}

impl WavSource {
    /// Opens `path`. `Ok(None)`: a WAV that hound does not know (ADPCM, mu-law, 64-bit float, no length in the
    /// header), so that the caller can hand it to symphonia.
    pub fn open(path: &Path) -> Result<Option<WavSource>> {
        let io = |e: std::io::Error| AudioError::io(path, &e);
        let file = File::open(path).map_err(io)?;
        let file_bytes = file.metadata().map_err(io)?.len();
        let Ok(reader) = hound::WavReader::new(BufReader::with_capacity(BLOCK_BYTES, file)) else {
            return Ok(None);
        };
        let spec = reader.spec();
        let promised = u64::from(reader.duration());
        let mut file = reader.into_inner();
        let data_start = file.stream_position().map_err(io)?;

        let mut header = vec![0; data_start as usize];
        file.rewind().and_then(|_| file.read_exact(&mut header)).map_err(io)?;
        let Some(block_align) = block_align(&header) else {
            return Ok(None);
        };
        let container_bytes = usize::from(block_align / spec.channels.max(1));
        if !(1..=4).contains(&container_bytes) {
            return Ok(None);
        }
        let found = (file_bytes - data_start) / u64::from(block_align);
        let frames = if promised * u64::from(block_align) >= PIPE_BYTES { found.min(promised) } else { promised };
        if found < frames {
            let rate = f64::from(spec.sample_rate.max(1));
            return Err(AudioError::Truncated {
                path: path.to_path_buf(),
                promised_s: promised as f64 / rate,
                found_s: found as f64 / rate,
            });
        }
        Ok(Some(WavSource { path: path.to_path_buf(), file, spec, container_bytes, data_start, frames, next_frame: 0 }))
    }

    pub fn rate(&self) -> u32 {
        self.spec.sample_rate
    }

    pub fn channels(&self) -> u16 {
        self.spec.channels
    }

    pub fn frames(&self) -> u64 {
        self.frames
    }

    fn frame_bytes(&self) -> usize {
        self.container_bytes * usize::from(self.spec.channels)
    }

    /// The next block starts at `frame`.
    pub fn seek(&mut self, frame: u64) {
        self.next_frame = frame.min(self.frames);
    }

    /// Appends a block of mono samples to `out`; `false` at the end.
    pub fn next_block(&mut self, out: &mut Vec<f32>) -> Result<bool> {
        let frame_bytes = self.frame_bytes();
        let left = self.frames - self.next_frame;
        let take = left.min((BLOCK_BYTES / frame_bytes).max(1) as u64) as usize;
        if take == 0 {
            return Ok(false);
        }
        let mut bytes = vec![0; take * frame_bytes];
        let at = self.data_start + self.next_frame * frame_bytes as u64;
        // `seek_relative` keeps the buffer when the position is already right.
        let read = self
            .file
            .stream_position()
            .and_then(|now| self.file.seek_relative(at as i64 - now as i64))
            .and_then(|()| self.file.read_exact(&mut bytes));
        read.map_err(|e| AudioError::io(&self.path, &e))?;
        self.next_frame += take as u64;

        let channels = usize::from(self.spec.channels);
        let is_float = self.spec.sample_format == hound::SampleFormat::Float;
        // Where a sample has fewer valid bits than its container, they are the upper ones.
        let unit = 1.0 / (1u64 << (8 * self.container_bytes - 1)) as f32;
        let sample = |b: &[u8]| -> f32 {
            if is_float {
                return f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
            }
            match *b {
                // 8-bit WAV is the only unsigned one: 128 is zero.
                [a] => (f32::from(a) - 128.0) / 128.0,
                [a, b] => i32::from(i16::from_le_bytes([a, b])) as f32 * unit,
                [a, b, c] => (i32::from_le_bytes([0, a, b, c]) >> 8) as f32 * unit,
                [a, b, c, d] => i32::from_le_bytes([a, b, c, d]) as f32 * unit,
                _ => 0.0,
            }
        };
        out.extend(bytes.chunks_exact(frame_bytes).map(|frame| {
            let sum: f32 = frame.chunks_exact(self.container_bytes).map(sample).sum();
            sum / channels as f32
        }));
        Ok(true)
    }
}

/// Bytes of one frame (all channels) as the "fmt " chunk states it.
fn block_align(header: &[u8]) -> Option<u16> {
    let mut at = 12;
    while let Some(chunk) = header.get(at..at + 8) {
        if &chunk[..4] == b"fmt " {
            let field = header.get(at + 20..at + 22)?;
            return Some(u16::from_le_bytes([field[0], field[1]])).filter(|&b| b > 0);
        }
        let len = u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]) as usize;
        at += 8 + len;
    }
    None
}

/// Writes samples in [-1, 1] at 16 kHz as 16-bit mono; what lies outside is cut.
///
/// # Errors
/// A file that cannot be written.
pub fn write_wav(path: &Path, samples: &[f32]) -> Result<()> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: SAMPLE_RATE_HZ,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let write = || {
        let mut writer = hound::WavWriter::create(path, spec)?;
        for x in samples {
            writer.write_sample((x * 32_767.0).round() as i16)?;
        }
        writer.finalize()
    };
    write().map_err(|error: hound::Error| AudioError::Write { path: path.to_path_buf(), detail: error.to_string() })
}
