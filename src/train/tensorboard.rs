//! TensorBoard event files, written natively.
//!
//! A file is a sequence of TFRecords; each holds one protobuf `Event`
//! (tensorflow/core/lib/io/record_writer.cc and tensorflow/core/util/event.proto):
//!
//! ```text
//! record  = length: u64 | masked crc of length: u32 | data | masked crc of data: u32      all little-endian
//! masked  = rotate_right(crc32c, 15) + 0xa282ead8
//! Event   { 1: wall_time f64 seconds, 2: step i64, 3: file_version string, 5: summary Summary, 7: session_log SessionLog }
//! Summary { 1: repeated Value { 1: tag string, 2: simple_value f32 } }
//! SessionLog { 1: status enum, START = 1 }
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::atomic::WriteError;

/// Writes scalars for TensorBoard into one new event file.
pub struct EventWriter {
    path: PathBuf,
    writer: BufWriter<File>,
}

impl EventWriter {
    /// Opens a new event file in the folder `dir`, which is made if it is missing.
    ///
    /// # Errors
    /// [`WriteError`] if the folder or the file cannot be written.
    pub fn create(dir: &Path) -> Result<Self, WriteError> {
        fs::create_dir_all(dir).map_err(|source| WriteError::new(dir, source))?;
        let (path, file) = new_event_file(dir)?;
        let mut events = EventWriter { path, writer: BufWriter::new(file) };
        events.record(&event(0, &bytes_field(3, b"brain.Event:2")))?;
        events.flush()?;
        Ok(events)
    }

    /// As [`EventWriter::create`], for a run that goes on after `step`: TensorBoard then hides what older files hold of
    /// later steps, which are about to be computed again.
    ///
    /// # Errors
    /// As [`EventWriter::create`].
    pub fn resume(dir: &Path, step: u64) -> Result<Self, WriteError> {
        let mut events = Self::create(dir)?;
        let start = varint_field(1, 1);
        events.record(&event(step + 1, &bytes_field(7, &start)))?;
        events.flush()?;
        Ok(events)
    }

    /// Adds the `value` of the curve `tag` (slashes make groups: `train/loss`) at `step`.
    ///
    /// # Errors
    /// [`WriteError`], for example of a full disk.
    pub fn scalar(&mut self, tag: &str, step: u64, value: f32) -> Result<(), WriteError> {
        let mut entry = bytes_field(1, tag.as_bytes());
        entry.extend(key(2, WIRE_32_BIT));
        entry.extend(value.to_le_bytes());
        let summary = bytes_field(1, &entry);
        self.record(&event(step, &bytes_field(5, &summary)))
    }

    /// Hands everything to the system, so that a TensorBoard that is open shows it.
    ///
    /// # Errors
    /// [`WriteError`], for example of a full disk.
    pub fn flush(&mut self) -> Result<(), WriteError> {
        self.writer.flush().map_err(|source| WriteError::new(&self.path, source))
    }

    /// The event file being written.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn record(&mut self, data: &[u8]) -> Result<(), WriteError> {
        let length = (data.len() as u64).to_le_bytes();
        let framed =
            [length.as_slice(), &masked_crc(&length).to_le_bytes(), data, &masked_crc(data).to_le_bytes()].concat();
        self.writer.write_all(&framed).map_err(|source| WriteError::new(&self.path, source))
    }
}

/// Two files of one second (a quick resume) get different names, as TensorBoard reads them in the order of their names.
fn new_event_file(dir: &Path) -> Result<(PathBuf, File), WriteError> {
    let seconds = since_epoch_s() as u64;
    let host = host_name();
    let mut count = 0;
    loop {
        let suffix = if count == 0 { String::new() } else { format!(".{count}") };
        let path = dir.join(format!("events.out.tfevents.{seconds:010}.{host}{suffix}"));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => count += 1,
            Err(source) => return Err(WriteError::new(&path, source)),
        }
    }
}

/// The machine's name, only to tell files of several machines apart.
fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .or_else(|| std::env::var("HOSTNAME").ok())
        .or_else(|| std::env::var("COMPUTERNAME").ok())
        .unwrap_or_default();
    let clean: String = name.trim().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    if clean.is_empty() { "localhost".into() } else { clean }
}

fn since_epoch_s() -> f64 {
    // A clock before 1970 is not worth failing for.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

// The corner of protobuf that an event needs: a field is a key (number and wire type), then the value.

const WIRE_VARINT: u64 = 0;
const WIRE_64_BIT: u64 = 1;
const WIRE_BYTES: u64 = 2;
const WIRE_32_BIT: u64 = 5;

fn event(step: u64, what: &[u8]) -> Vec<u8> {
    let mut data = key(1, WIRE_64_BIT);
    data.extend(since_epoch_s().to_le_bytes());
    data.extend(varint_field(2, step));
    data.extend(what);
    data
}

fn key(field: u64, wire_type: u64) -> Vec<u8> {
    varint(field << 3 | wire_type)
}

fn varint_field(field: u64, value: u64) -> Vec<u8> {
    [key(field, WIRE_VARINT), varint(value)].concat()
}

fn bytes_field(field: u64, bytes: &[u8]) -> Vec<u8> {
    [key(field, WIRE_BYTES), varint(bytes.len() as u64), bytes.to_vec()].concat()
}

/// Seven bits a byte, lowest first; the top bit says that more follow.
fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn masked_crc(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CRC-32C bit by bit, from its definition, so that the reader shares nothing with the writer.
    fn crc_reference(data: &[u8]) -> u32 {
        let mut crc = u32::MAX;
        for &byte in data {
            crc ^= u32::from(byte);
            for _ in 0..8 {
                crc = (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg());
            }
        }
        let crc = !crc;
        crc.rotate_right(15).wrapping_add(0xa282_ead8)
    }

    fn records(mut bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut records = Vec::new();
        while !bytes.is_empty() {
            let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
            let crc = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
            assert_eq!(crc(8), crc_reference(&bytes[..8]));
            let data = &bytes[12..12 + length];
            assert_eq!(crc(12 + length), crc_reference(data));
            records.push(data.to_vec());
            bytes = &bytes[16 + length..];
        }
        records
    }

    fn read_varint(data: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let byte = data[0];
            *data = &data[1..];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }

    /// (field number, value bytes) of a message; varints come back as 8 bytes.
    fn fields(mut data: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let mut fields = Vec::new();
        while !data.is_empty() {
            let key = read_varint(&mut data);
            let length = match key & 7 {
                0 => {
                    let value = read_varint(&mut data);
                    fields.push((key >> 3, value.to_le_bytes().to_vec()));
                    continue;
                }
                1 => 8,
                2 => read_varint(&mut data) as usize,
                5 => 4,
                other => panic!("wire type {other}"),
            };
            fields.push((key >> 3, data[..length].to_vec()));
            data = &data[length..];
        }
        fields
    }

    fn only(message: &[u8], field: u64) -> Vec<u8> {
        let found: Vec<_> = fields(message).into_iter().filter(|(number, _)| *number == field).collect();
        assert_eq!(found.len(), 1, "field {field}");
        found[0].1.clone()
    }

    #[test]
    fn an_independent_reader_gets_the_scalars_back() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("tb");
        let mut events = EventWriter::create(&dir).unwrap();
        let written = [("train/loss", 1, 4.25_f32), ("train/accuracy", 1, 0.5), ("train/loss", 300_000, -0.1)];
        for (tag, step, value) in written {
            events.scalar(tag, step, value).unwrap();
        }
        events.flush().unwrap();

        let read = records(&fs::read(events.path()).unwrap());
        assert_eq!(only(&read[0], 3), b"brain.Event:2");
        assert_eq!(read.len(), 1 + written.len());
        for (data, (tag, step, value)) in read[1..].iter().zip(written) {
            let wall_time = f64::from_le_bytes(only(data, 1).try_into().unwrap());
            assert!((wall_time - since_epoch_s()).abs() < 60.0);
            assert_eq!(only(data, 2), u64::to_le_bytes(step));
            let entry = only(&only(data, 5), 1);
            assert_eq!(only(&entry, 1), tag.as_bytes());
            assert_eq!(only(&entry, 2), value.to_le_bytes());
        }
    }

    #[test]
    fn a_resumed_run_opens_a_second_file_that_hides_later_steps() {
        let dir = tempfile::tempdir().unwrap();
        let first = EventWriter::create(dir.path()).unwrap();
        let second = EventWriter::resume(dir.path(), 40).unwrap();
        assert!(first.path() < second.path());
        let name = first.path().file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("events.out.tfevents."), "{name}");
        let read = records(&fs::read(second.path()).unwrap());
        assert_eq!(only(&read[1], 2), 41_u64.to_le_bytes());
        assert_eq!(only(&only(&read[1], 7), 1), 1_u64.to_le_bytes());
    }
}
