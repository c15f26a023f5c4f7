//! Every container decodes to the signal it was made from, whole and in parts.

use super::super::{decode_file, decode_range, probe_file};
use super::*;

fn correlation(a: &[f32], b: &[f32]) -> f64 {
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(p, q)| f64::from(*p) * f64::from(*q)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// Decodes a fixture and compares with the chirp: length within `slack` samples, same phase.
fn check(name: &str, k: f64, seconds: f64, slack: usize, least: f64) {
    let path = fixture(name);
    let signal = decode_file(&path).unwrap();
    let info = probe_file(&path).unwrap();
    assert_eq!(info.samples, signal.len() as u64, "{name}: probed and decoded length");
    let expected = chirp_at((seconds * 16_000.0) as usize, 16_000, k);
    assert!(signal.len().abs_diff(expected.len()) <= slack, "{name}: {} samples", signal.len());
    let n = signal.len().min(expected.len());
    let c = correlation(&signal[..n], &expected[..n]);
    assert!(c > least, "{name}: correlation {c}");
}

#[test]
fn lossless_files_are_the_signal() {
    for name in ["chirp.flac", "chirp.aiff"] {
        check(name, 100.0, 0.3, 0, 0.9999);
    }
    check("long.flac", 100.0, 3.0, 0, 0.9999);
}

#[test]
fn compressed_files_are_the_signal_in_phase() {
    check("chirp.mp3", 100.0, 0.3, 0, 0.995);
    check("chirp.ogg", 100.0, 0.3, 0, 0.995);
    check("chirp.opus", 100.0, 0.3, 0, 0.99);
    check("chirp_mulaw.wav", 100.0, 0.3, 0, 0.998);
    // Blocks of ADPCM are not cut at the end.
    check("chirp_adpcm.wav", 100.0, 0.3, 1600, 0.99);
    check("long.mp3", 100.0, 3.0, 0, 0.99);
    check("long.ogg", 40.0, 14.0, 0, 0.99);
    // At 12 kbit/s Opus no longer keeps every phase.
    check("long.opus", 40.0, 14.0, 0, 0.95);
}

#[test]
fn an_mp3_without_a_header_is_counted_and_keeps_the_encoder_delay() {
    let path = fixture("chirp_no_header.mp3");
    let signal = decode_file(&path).unwrap();
    assert_eq!(probe_file(&path).unwrap().samples, signal.len() as u64);
    // The delay is 1105 samples at 44.1 kHz: nothing in the file says so.
    let delay = (1105.0f64 * 16_000.0 / 44_100.0).round() as usize;
    assert!(correlation(&signal[delay..delay + 4800], &chirp(0.3)) > 0.99);
}

#[test]
fn rates_and_channels_are_reported() {
    let info = probe_file(&fixture("chirp.flac")).unwrap();
    assert_eq!((info.sample_rate_hz, info.channels, info.samples), (44_100, 2, 4800));
    let info = probe_file(&fixture("chirp.opus")).unwrap();
    assert_eq!((info.sample_rate_hz, info.channels, info.samples), (48_000, 1, 4800));
}

/// Largest difference between `decode_range` and the slice of `decode_file`.
fn range_error(path: &std::path::Path) -> f32 {
    let whole = decode_file(path).unwrap();
    let n = whole.len();
    let ranges = [(0, 400), (1, 1000), (n / 3, 3000.min(n / 3)), (n / 2, n / 4), (n - 500, 500), (0, n)];
    let mut worst = 0.0f32;
    for (start, len) in ranges {
        let part = decode_range(path, start as u64, len).unwrap();
        assert_eq!(part.len(), len);
        let error = part.iter().zip(&whole[start..]).fold(0.0, |m: f32, (a, b)| m.max((a - b).abs()));
        worst = worst.max(error);
    }
    worst
}

#[test]
fn a_range_is_the_slice_of_the_file() {
    let exact = [
        "chirp.flac",
        "long.flac",
        "chirp.aiff",
        "chirp_mulaw.wav",
        "chirp_adpcm.wav",
        "chirp.mp3",
        "long.mp3",
        "chirp_no_header.mp3",
        "chirp.ogg",
        "long.ogg",
    ];
    for name in exact {
        assert_eq!(range_error(&fixture(name)), 0.0, "{name}");
    }
    for name in ["chirp.opus", "long.opus"] {
        let error = range_error(&fixture(name));
        assert!(error < 1e-3, "{name}: off by {error}");
    }
}

#[test]
fn a_range_of_a_wav_is_exact_at_every_rate() {
    let dir = tempfile::tempdir().unwrap();
    for rate in [8_000, 16_000, 44_100, 48_000] {
        let path = dir.path().join(format!("{rate}.wav"));
        write_wav(&path, &chirp_at(2 * rate as usize, rate, 100.0), rate);
        assert_eq!(range_error(&path), 0.0, "{rate} Hz");
    }
}

/// Writes the chirp in one WAV format and returns what is read back.
fn wav_round_trip(bits: u16, format: hound::SampleFormat, channels: u16) -> Vec<f32> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.wav");
    let spec = hound::WavSpec { channels, sample_rate: 16_000, bits_per_sample: bits, sample_format: format };
    let mut writer = hound::WavWriter::create(&path, spec).unwrap();
    for x in chirp(0.2) {
        for c in 0..channels {
            // Channels that differ but average to the signal.
            let v = x + if c % 2 == 0 { 0.25 } else { -0.25 };
            match format {
                hound::SampleFormat::Float => writer.write_sample(v).unwrap(),
                hound::SampleFormat::Int => {
                    let full = (1u64 << (bits - 1)) as f64;
                    writer.write_sample((f64::from(v) * (full - 1.0)).round() as i32).unwrap();
                }
            }
        }
    }
    writer.finalize().unwrap();
    decode_file(&path).unwrap()
}

#[test]
fn wav_round_trips_at_every_bit_depth() {
    for (bits, format) in [
        (8, hound::SampleFormat::Int),
        (16, hound::SampleFormat::Int),
        (24, hound::SampleFormat::Int),
        (32, hound::SampleFormat::Int),
        (32, hound::SampleFormat::Float),
    ] {
        for channels in [2, 4] {
            let signal = wav_round_trip(bits, format, channels);
            let step = 2.0f32.powi(1 - i32::from(bits.min(20)));
            let worst = signal.iter().zip(chirp(0.2)).fold(0.0f32, |m, (a, b)| m.max((a - b).abs()));
            assert!(worst < 1.5 * step, "{bits} bits, {channels} channels: off by {worst}");
        }
    }
}

/// Bytes of a WAV file with a hand-made "fmt " chunk.
fn raw_wav(fmt: &[u8], data: &[u8], data_len: u32) -> Vec<u8> {
    let mut b = b"RIFF\xFF\xFF\xFF\xFFWAVEfmt ".to_vec();
    b.extend((fmt.len() as u32).to_le_bytes());
    b.extend(fmt);
    b.extend(b"data");
    b.extend(data_len.to_le_bytes());
    b.extend(data);
    b
}

fn fmt_chunk(tag: u16, channels: u16, rate: u32, block_align: u16, bits: u16) -> Vec<u8> {
    let mut f = Vec::new();
    f.extend(tag.to_le_bytes());
    f.extend(channels.to_le_bytes());
    f.extend(rate.to_le_bytes());
    f.extend((rate * u32::from(block_align)).to_le_bytes());
    f.extend(block_align.to_le_bytes());
    f.extend(bits.to_le_bytes());
    f
}

#[test]
fn twenty_four_bits_in_four_bytes_are_read_and_seeked() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.wav");
    let mut fmt = fmt_chunk(0xFFFE, 1, 16_000, 4, 32);
    fmt.extend(22u16.to_le_bytes());
    fmt.extend(24u16.to_le_bytes());
    fmt.extend(4u32.to_le_bytes());
    fmt.extend([1, 0, 0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71]);
    // Valid bits are the upper ones of the container (WAVEFORMATEXTENSIBLE).
    let data: Vec<u8> = chirp(0.2).iter().flat_map(|x| (((x * 8_388_607.0) as i32) << 8).to_le_bytes()).collect();
    std::fs::write(&path, raw_wav(&fmt, &data, data.len() as u32)).unwrap();
    let signal = decode_file(&path).unwrap();
    let worst = signal.iter().zip(chirp(0.2)).fold(0.0f32, |m, (a, b)| m.max((a - b).abs()));
    assert!(worst < 1e-5, "off by {worst}");
    assert_eq!(range_error(&path), 0.0);
}

#[test]
fn a_wav_written_to_a_pipe_has_no_length_and_is_read_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.wav");
    let data: Vec<u8> = chirp(0.3).iter().flat_map(|x| ((x * 32767.0) as i16).to_le_bytes()).collect();
    std::fs::write(&path, raw_wav(&fmt_chunk(1, 1, 16_000, 2, 16), &data, u32::MAX)).unwrap();
    assert_eq!(probe_file(&path).unwrap().samples, 4800);
    assert_eq!(decode_file(&path).unwrap().len(), 4800);
}

#[test]
fn tags_in_front_do_not_matter() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.mp3");
    // Two ID3v2 tags of 5,000 and 200 bytes, padding between and behind them.
    let mut bytes = b"ID3\x03\0\0\0\0\x27\x08".to_vec();
    bytes.resize(10 + 5000 + 30, 0);
    bytes.extend(b"ID3\x04\0\0\0\0\x01\x48");
    bytes.resize(bytes.len() + 200, 0);
    bytes.extend(std::fs::read(fixture("chirp_no_header.mp3")).unwrap());
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(decode_file(&path).unwrap(), decode_file(&fixture("chirp_no_header.mp3")).unwrap());
}

#[test]
fn a_wrong_extension_does_not_matter() {
    let dir = tempfile::tempdir().unwrap();
    for (from, to) in [("chirp.flac", "a.wav"), ("chirp.ogg", "b.mp3"), ("chirp.mp3", "c.ogg")] {
        let path = dir.path().join(to);
        std::fs::copy(fixture(from), &path).unwrap();
        assert_eq!(decode_file(&path).unwrap(), decode_file(&fixture(from)).unwrap());
    }
}
