//! Embedding into a file: interrupted after every batch it gives the bytes of an uninterrupted job.

use cola::audio::{Clip, Cutting, DiscoverOptions, discover};
use cola::eval::embed::{Vectors, embed};
use cola::eval::embed_job::{EmbedError, EmbedJob, Outcome};
use cola::eval::encoder::Encoder;
use cola::eval::vector_file::{Format, read_vectors};
use cola::frontend::InputNorm;
use cola::gpu::{Gpu, GpuOptions, catch};
use cola::nn::model::{ColaModel, ModelConfig};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

fn write_wav(path: &Path, samples: impl Iterator<Item = i16>) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(path, spec).expect("a file");
    samples.for_each(|x| wav.write_sample(x).expect("room on the disk"));
    wav.finalize().expect("a file");
}

/// Four clips: short, 70 s that end in silence, 70 s of silence, 8 s; batches of 32 begin and end in the midst of them.
/// After they were found, the last but one of another five lost its audio.
fn clips(folder: &Path) -> Arc<Vec<Clip>> {
    let tone = |seconds: usize, f: usize| (0..seconds * 16_000).map(move |i| ((i * f % 16_000) as i32 - 8_000) as i16);
    let silence = |seconds: usize| std::iter::repeat_n(0, seconds * 16_000);
    write_wav(&folder.join("a.wav"), tone(1, 300).take(9_000));
    write_wav(&folder.join("b.wav"), tone(40, 440).chain(silence(30)));
    write_wav(&folder.join("c.wav"), silence(70));
    write_wav(&folder.join("d.wav"), tone(3, 100));
    write_wav(&folder.join("e.wav"), tone(8, 200));
    let found = discover(folder, DiscoverOptions { workers: 2, strict: true }).expect("five files");
    std::fs::write(folder.join("d.wav"), "not audio any more").expect("a file");
    Arc::new(found.clips)
}

fn encoder() -> Encoder {
    let adapter = std::env::var("COLA_ADAPTER").unwrap_or_default();
    let mut options = GpuOptions::default();
    if !adapter.is_empty() {
        options.adapter = adapter.parse().expect("any text names an adapter");
    }
    let gpu = Gpu::open(&options).unwrap_or_else(|e| panic!("embedding needs an adapter: {e}"));
    let model = ColaModel::new(&gpu, &ModelConfig::default(), 3);
    Encoder::new(&gpu, Box::new(model), InputNorm::PAPER)
}

fn job<'a>(
    encoder: &'a Encoder,
    clips: &Arc<Vec<Clip>>,
    cutting: Cutting,
    by_segment: bool,
    out: &'a Path,
) -> EmbedJob<'a> {
    EmbedJob {
        encoder,
        clips: clips.clone(),
        workers: 2,
        cutting,
        by_segment,
        out,
        format: Format::of(out).expect("a known extension"),
        depends_on: BTreeMap::from([("weights".into(), "3".into())]),
        strict: false,
    }
}

fn rows(path: &Path) -> Vec<f32> {
    let mut all = Vec::new();
    read_vectors(path, Format::of(path).expect("a known extension"), |row| all.extend_from_slice(row)).expect("a file");
    all
}

fn left_over(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a file").path());
    files
        .filter(|path| path.to_string_lossy().contains(".npy.") || path.to_string_lossy().contains("partial"))
        .collect()
}

/// Runs it again and again, stopped after every full batch. Returns how often.
fn piecemeal(job: &EmbedJob) -> usize {
    for n in 1..100 {
        // What a killed process wrote after its last save is dropped.
        for file in left_over(job.out.parent().expect("a folder")) {
            if file.extension().is_some_and(|e| e == "partial") {
                let mut bytes = std::fs::read(&file).expect("a file");
                bytes.extend(b"torn");
                std::fs::write(&file, bytes).expect("a file");
            }
        }
        let mut last = 0;
        match job.run(false, &AtomicBool::new(true), |done| last = done).expect("it runs") {
            Outcome::Stopped => assert!(last > 0 && last <= job.segments(), "{last}"),
            Outcome::Done { failed, .. } => {
                assert_eq!(failed.keys().collect::<Vec<_>>(), [&2, &3], "{failed:?}");
                return n;
            }
        }
    }
    panic!("it never ends");
}

#[test]
fn an_interrupted_file_is_the_same_byte_for_byte() {
    let run = || {
        let (audio, out) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let (clips, encoder) = (clips(audio.path()), encoder());
        let at = |name: &str| out.path().join(name);
        let whole = |name: &str, cutting, by_segment| {
            let path = at(name);
            let never = AtomicBool::new(false);
            job(&encoder, &clips, cutting, by_segment, &path).run(false, &never, |_| ()).expect("it runs");
            std::fs::read(&path).expect("a file")
        };
        let again = |name: &str, cutting, by_segment| {
            let path = at(name);
            let times = piecemeal(&job(&encoder, &clips, cutting, by_segment, &path));
            assert!(times >= 3, "interrupted {times} times only");
            assert_eq!(left_over(out.path()), Vec::<PathBuf>::new());
            std::fs::read(&path).expect("a file")
        };
        let back_to_back = Cutting::BackToBack;
        let means = whole("means.npy", back_to_back, false);
        assert!(means == again("means2.npy", back_to_back, false));
        let all: Vectors = embed(&encoder, clips.clone(), 2, |_| ());
        assert_eq!(rows(&at("means.npy")), all.mean_by_clip().values);
        assert_eq!(all.failed.keys().collect::<Vec<_>>(), [&2, &3]);

        let every = Cutting::Every { hop_samples: 1.5 * 16_000.0 };
        let segments = whole("segments.jsonl", every, true);
        assert!(segments == again("segments2.jsonl", every, true));
        let lines = String::from_utf8(segments).expect("text");
        // 1 of the short clip, (70 - 0.98) / 1.5 and (8 - 0.98) / 1.5 rounded down, plus 1
        assert_eq!(lines.lines().count(), 1 + 47 + 5);
        assert!(lines.lines().last().expect("a line").contains(r#"e.wav","start_s":6.0,"#));
    };
    catch(run).unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn what_was_begun_otherwise_is_not_gone_on_with() {
    let run = || {
        let (audio, out) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let (clips, encoder) = (clips(audio.path()), encoder());
        let path = out.path().join("x.npy");
        let stop = AtomicBool::new(true);
        let begun = job(&encoder, &clips, Cutting::BackToBack, true, &path);
        assert!(matches!(begun.run(false, &stop, |_| ()), Ok(Outcome::Stopped)));
        let fewer = Arc::new(clips[..2].to_vec());
        let other = job(&encoder, &fewer, Cutting::BackToBack, false, &path);
        match other.run(false, &stop, |_| ()) {
            Err(EmbedError::Other { what, .. }) => assert_eq!(what, "files and segments"),
            _ => panic!("it went on"),
        }
        assert!(matches!(other.run(true, &AtomicBool::new(false), |_| ()), Ok(Outcome::Done { rows: 2, .. })));
        assert_eq!(left_over(out.path()), Vec::<PathBuf>::new());
        let strict = EmbedJob { strict: true, ..job(&encoder, &clips, Cutting::BackToBack, true, &path) };
        assert!(matches!(strict.run(false, &AtomicBool::new(false), |_| ()), Err(EmbedError::Clip(_))));
        assert_eq!(rows(&path).len(), 2 * encoder.features(), "the file from before is kept");
    };
    catch(run).unwrap_or_else(|e| panic!("{e}"));
}
