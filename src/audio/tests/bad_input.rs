//! Every kind of bad file gives its own one-line error with the file's name, and never samples.

use super::super::{AudioError, decode_file, decode_range, probe_file};
use super::*;

/// Writes `bytes` to a file called `name`; decoding and probing must both refuse it. Returns both errors.
fn refused(name: &str, bytes: &[u8]) -> AudioError {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let err = decode_file(&path).unwrap_err();
    let text = err.to_string();
    assert!(text.contains(name) && !text.contains('\n'), "{text}");
    err
}

fn wav_bytes(signal: &[f32], rate: u32) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.wav");
    write_wav(&path, signal, rate);
    std::fs::read(path).unwrap()
}

fn float_wav(signal: &[f32]) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
    for x in signal {
        writer.write_sample(*x).unwrap();
    }
    writer.finalize().unwrap();
    bytes.into_inner()
}

#[test]
fn missing_and_empty_files() {
    let missing = Path::new("/nowhere/x.wav");
    assert!(matches!(probe_file(missing), Err(AudioError::Io { .. })));
    assert!(matches!(refused("empty.wav", b""), AudioError::Empty { .. }));
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(decode_file(dir.path()), Err(AudioError::Io { .. })));
}

#[test]
fn zero_and_one_sample() {
    for n in [0, 1, 399] {
        let err = refused("short.wav", &wav_bytes(&vec![0.1; n], 16_000));
        assert!(matches!(err, AudioError::TooShort { samples, .. } if samples == n as u64), "{err}");
    }
}

#[test]
fn truncated_files() {
    let bytes = wav_bytes(&chirp(1.0), 16_000);
    let err = refused("cut.wav", &bytes[..bytes.len() / 2]);
    assert!(matches!(err, AudioError::Truncated { promised_s, found_s, .. } if promised_s == 1.0 && found_s < 0.5));
    refused("cut_in_header.wav", &bytes[..30]);
    for name in ["long.flac", "long.mp3", "long.ogg", "long.opus", "chirp.aiff", "chirp_mulaw.wav"] {
        let bytes = std::fs::read(fixture(name)).unwrap();
        let err = refused(name, &bytes[..bytes.len() * 6 / 10]);
        assert!(matches!(err, AudioError::Truncated { .. } | AudioError::NoEndMarker { .. }), "{name}: {err:?}");
    }
}

#[test]
fn an_ogg_without_the_end_flag_is_no_cut_file() {
    let mut bytes = std::fs::read(fixture("long.ogg")).unwrap();
    let last = bytes.windows(4).rposition(|w| w == b"OggS").unwrap();
    bytes[last + 5] &= !4;
    let len = bytes.len();
    // The page's checksum, over the page with the checksum field at zero.
    bytes[last + 22..last + 26].fill(0);
    let crc = bytes[last..len].iter().fold(0u32, |crc, &b| {
        (0..8).fold(crc ^ (u32::from(b) << 24), |c, _| if c >> 31 == 1 { (c << 1) ^ 0x04C1_1DB7 } else { c << 1 })
    });
    bytes[last + 22..last + 26].copy_from_slice(&crc.to_le_bytes());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.ogg");
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(probe_file(&path).unwrap(), probe_file(&fixture("long.ogg")).unwrap());
    assert_eq!(decode_file(&path).unwrap(), decode_file(&fixture("long.ogg")).unwrap());
    assert!(decode_range(&path, 150_000, 20_000).is_ok());
}

#[test]
fn chained_streams_are_found_when_probing() {
    let mut bytes = std::fs::read(fixture("chirp.ogg")).unwrap();
    let mut second = std::fs::read(fixture("chirp.opus")).unwrap();
    let pages: Vec<usize> = (0..second.len() - 4).filter(|&i| &second[i..i + 4] == b"OggS").collect();
    for page in pages {
        second[page + 14] = 99; // Its serial number.
    }
    bytes.extend(second);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.ogg");
    std::fs::write(&path, &bytes).unwrap();
    assert!(matches!(probe_file(&path), Err(AudioError::Unsupported { .. })));
}

#[test]
fn probing_finds_a_cut_before_training_does() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["long.mp3", "long.ogg", "long.opus"] {
        let bytes = std::fs::read(fixture(name)).unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, &bytes[..bytes.len() * 6 / 10]).unwrap();
        assert!(probe_file(&path).is_err(), "{name}");
    }
}

#[test]
fn not_audio_is_named() {
    for (name, bytes, says) in [
        ("a.wav", &b"\0\0\0\x20ftypM4A "[..], "MP4"),
        ("b.mp3", b"<!DOCTYPE html><html><body>404", "web page"),
        ("c.flac", b"hello, this is text", "plain text"),
        ("d.ogg", b"\x89PNG\r\n\x1a\n0000000000", "PNG"),
        ("e.wav", &[0u8; 600], "zero bytes"),
        ("f.wav", b"version https://git-lfs.github.com/spec/v1", "Git LFS"),
        ("g.wav", b"\x01\x02\x03\x04\x05", "unknown"),
    ] {
        let err = refused(name, bytes);
        assert!(matches!(err, AudioError::NotAudio { .. }) && err.to_string().contains(says), "{err}");
    }
}

#[test]
fn nan_infinity_and_wild_floats() {
    let mut signal = chirp(0.2);
    signal[800] = f32::NAN;
    assert!(matches!(refused("nan.wav", &float_wav(&signal)), AudioError::NonFinite { at_s, .. } if at_s == 0.05));
    signal[800] = f32::INFINITY;
    assert!(matches!(refused("inf.wav", &float_wav(&signal)), AudioError::NonFinite { .. }));
    signal[800] = 20_000.0;
    assert!(matches!(refused("loud.wav", &float_wav(&signal)), AudioError::OutOfRange { .. }));
}

#[test]
fn a_little_overshoot_is_clipped() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.wav");
    let loud: Vec<f32> = chirp(0.2).iter().map(|x| x * 2.5).collect();
    std::fs::write(&path, float_wav(&loud)).unwrap();
    let peak = decode_file(&path).unwrap().iter().fold(0.0f32, |m, x| m.max(x.abs()));
    assert_eq!(peak, 1.0);
}

#[test]
fn damage_in_the_middle_is_not_silence() {
    let mut bytes = std::fs::read(fixture("long.flac")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4000].fill(0x55);
    refused("damaged.flac", &bytes);
}

#[test]
fn a_range_behind_the_end_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.wav");
    write_wav(&path, &chirp(1.0), 16_000);
    assert!(matches!(decode_range(&path, 15_000, 2000), Err(AudioError::Truncated { .. })));
    assert!(matches!(decode_range(&fixture("long.mp3"), 47_000, 2000), Err(AudioError::Truncated { .. })));
}

#[test]
fn a_nonsense_rate_is_refused() {
    let err = refused("rate.wav", &wav_bytes(&[0.1; 1000], 7));
    assert!(err.to_string().contains("7 Hz"), "{err}");
}
