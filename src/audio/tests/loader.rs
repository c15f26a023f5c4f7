//! The loaders: the same batches whatever the threads, the cache and the point of resumption; bad clips replaced.

use std::collections::HashSet;
use std::sync::Arc;

use super::super::crop::{pad_centred, squared_norm};
use super::super::dataset::{Clip, DiscoverOptions, Split, discover};
use super::super::loader::{CropRule, Loader, LoaderConfig, PairBatch};
use super::super::{
    AudioError, CropBatch, CropLoader, Cutting, EvalItem, EvalLoader, Place, SEGMENT_SAMPLES, decode_file,
};
use super::*;

const CONFIG: LoaderConfig = LoaderConfig {
    batch: 4,
    samples: SEGMENT_SAMPLES,
    seed: 7,
    workers: 2,
    queue: 2,
    cache_bytes: 1 << 20,
    crop: CropRule::CropThenNormalise,
    same_segment: false,
    noise: 0.0,
    strict: false,
};

/// Eleven noises of 0.5 to 2 s in a folder; the clip number decides the sound.
fn noises(dir: &Path) -> Arc<Vec<Clip>> {
    for i in 0..11u64 {
        let mut state = i + 1;
        let n = 8_000 + 2_400 * i as usize;
        let signal: Vec<f32> = (0..n)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 40) as f32 / 16_777_216.0 - 0.5
            })
            .collect();
        write_wav(&dir.join(format!("{i:02}.wav")), &signal, 16_000);
    }
    Arc::new(discover(dir, DiscoverOptions { workers: 2, strict: true }).unwrap().clips)
}

fn clip(path: PathBuf, samples: u64) -> Clip {
    Clip { path, start: 0, samples, labels: Vec::new(), split: Split::Train }
}

fn batches(clips: &Arc<Vec<Clip>>, config: &LoaderConfig, first: u64, count: usize) -> Vec<PairBatch> {
    let mut loader = Loader::start(clips.clone(), config.clone(), first).unwrap();
    (0..count).map(|_| loader.next().unwrap()).collect()
}

fn assert_same(a: &[PairBatch], b: &[PairBatch]) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert_eq!((a.step, a.epoch, &a.clips), (b.step, b.epoch, &b.clips));
        assert!(a.samples == b.samples, "samples of step {} differ", a.step);
    }
}

#[test]
fn batches_depend_on_seed_and_step_alone() {
    let dir = tempfile::tempdir().unwrap();
    let clips = noises(dir.path());
    let config = LoaderConfig { noise: 0.01, ..CONFIG };
    let all = batches(&clips, &config, 0, 6);
    assert_eq!(all.iter().map(|b| (b.step, b.epoch)).collect::<Vec<_>>()[..3], [(0, 0), (1, 0), (2, 1)]);
    for (workers, queue, cache_bytes) in [(1, 1, 0), (5, 3, 100_000), (3, 2, 1 << 30)] {
        let other = LoaderConfig { workers, queue, cache_bytes, ..config.clone() };
        assert_same(&all, &batches(&clips, &other, 0, 6));
    }
    for first in [1, 3, 5] {
        assert_same(&all[first..], &batches(&clips, &config, first as u64, 6 - first));
    }
    let reseeded = batches(&clips, &LoaderConfig { seed: 8, ..config }, 0, 1);
    assert_ne!(reseeded[0].samples, all[0].samples);
}

#[test]
fn pairs_are_normalised_crops_of_their_clip() {
    let dir = tempfile::tempdir().unwrap();
    let clips = noises(dir.path());
    for batch in batches(&clips, &CONFIG, 0, 3) {
        assert_eq!(batch.samples.len(), 8 * SEGMENT_SAMPLES);
        for (row, segment) in batch.samples.chunks_exact(SEGMENT_SAMPLES).enumerate() {
            assert!((squared_norm(segment) - 1.0).abs() < 1e-4);
            let clip = decode_file(&clips[batch.clips[row % 4] as usize].path).unwrap();
            let whole = if clip.len() < SEGMENT_SAMPLES { pad_centred(&clip, SEGMENT_SAMPLES) } else { clip };
            // A noise correlates with itself at one place only: the crop must be found there at full strength.
            let window = &segment[SEGMENT_SAMPLES / 2..][..64];
            let best = whole.windows(64).map(|w| {
                let dot: f64 = w.iter().zip(window).map(|(a, b)| f64::from(a * b)).sum();
                dot / (squared_norm(w) * squared_norm(window)).sqrt().max(1e-12)
            });
            assert!(best.fold(0.0, f64::max) > 0.999);
        }
    }
}

#[test]
fn the_paper_rule_takes_the_level_of_the_whole_clip() {
    let dir = tempfile::tempdir().unwrap();
    let clips = noises(dir.path());
    let config = LoaderConfig { crop: CropRule::ClipThenCrop, noise: 0.001, ..CONFIG };
    let batch = &batches(&clips, &config, 0, 1)[0];
    for slot in 0..4 {
        let samples = clips[batch.clips[slot] as usize].samples as f64;
        let share = (SEGMENT_SAMPLES as f64 / samples).min(1.0);
        let anchor = squared_norm(&batch.samples[slot * SEGMENT_SAMPLES..][..SEGMENT_SAMPLES]);
        assert!((anchor / share - 1.0).abs() < 0.05, "{anchor} of {share}");
        // The noise stands on the positive only: 15,680 samples of variance 1e-6.
        let positive = squared_norm(&batch.samples[(4 + slot) * SEGMENT_SAMPLES..][..SEGMENT_SAMPLES]);
        assert!((positive - share - 0.01568).abs() < 0.05 * share, "{positive} of {share}");
    }
}

#[test]
fn short_clips_give_two_equal_views_up_to_noise() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.wav");
    write_wav(&path, &chirp(0.5), 16_000);
    let clips = Arc::new(vec![clip(path, 8000)]);
    let batch = &batches(&clips, &LoaderConfig { batch: 1, ..CONFIG }, 0, 1)[0];
    let (a, p) = batch.samples.split_at(SEGMENT_SAMPLES);
    assert_eq!(a, p);
}

#[test]
fn longer_segments_are_as_loud_as_short_ones() {
    let dir = tempfile::tempdir().unwrap();
    let (path, samples) = (dir.path().join("x.wav"), 3 * SEGMENT_SAMPLES + 160);
    write_wav(&path, &chirp(6.0), 16_000);
    let clips = Arc::new(vec![clip(path, 96_000)]);
    let batch = &batches(&clips, &LoaderConfig { batch: 1, samples, ..CONFIG }, 0, 1)[0];
    assert_eq!(batch.samples.len(), 2 * samples);
    for view in batch.samples.chunks_exact(samples) {
        let middle = squared_norm(&view[SEGMENT_SAMPLES..][..SEGMENT_SAMPLES]);
        assert!((middle - 1.0).abs() < 0.05, "{middle}");
    }
    // shorter than that: in the middle of zeros
    let clips = Arc::new(vec![clip(clips[0].path.clone(), 20_000)]);
    let batch = &batches(&clips, &LoaderConfig { batch: 1, samples, ..CONFIG }, 0, 1)[0];
    let sounding = batch.samples[..samples].iter().filter(|x| **x != 0.0).count();
    assert!(batch.samples[0] == 0.0 && (19_000..=20_000).contains(&sounding), "{sounding}");
}

#[test]
fn unusable_clips_are_replaced_the_same_way_every_time() {
    let dir = tempfile::tempdir().unwrap();
    let mut clips = noises(dir.path()).to_vec();
    // A file that changed after it was probed, and one that is silent.
    std::fs::write(&clips[3].path, "gone").unwrap();
    write_wav(&clips[5].path, &vec![0.0; clips[5].samples as usize], 16_000);
    clips.truncate(9);
    let clips = Arc::new(clips);
    let run = |workers, cache_bytes| {
        let config = LoaderConfig { workers, cache_bytes, ..CONFIG };
        let mut loader = Loader::start(clips.clone(), config, 0).unwrap();
        let all: Vec<PairBatch> = (0..8).map(|_| loader.next().unwrap()).collect();
        (all, loader.skipped())
    };
    let (all, skipped) = run(1, 0);
    for batch in &all {
        let distinct: HashSet<u32> = batch.clips.iter().copied().collect();
        assert!(distinct.len() == 4 && !distinct.contains(&3) && !distinct.contains(&5), "{:?}", batch.clips);
        let rows = batch.samples.chunks_exact(SEGMENT_SAMPLES);
        assert!(rows.into_iter().all(|r| (squared_norm(r) - 1.0).abs() < 1e-4));
    }
    assert!(matches!(skipped[0].1, AudioError::NotAudio { .. }));
    assert!(matches!(skipped[1].1, AudioError::Silent { .. }));
    assert_same(&all, &run(4, 1 << 30).0);

    let mut strict = Loader::start(clips.clone(), LoaderConfig { strict: true, ..CONFIG }, 0).unwrap();
    let err = (0..8).find_map(|_| strict.next().err()).expect("a bad clip comes within two epochs");
    assert!(matches!(err, AudioError::NotAudio { .. } | AudioError::Silent { .. }));
    assert!(matches!(strict.next(), Err(AudioError::Stopped)));

    let mut tight = Loader::start(clips, LoaderConfig { batch: 9, ..CONFIG }, 0).unwrap();
    assert!(matches!(tight.next(), Err(AudioError::TooFewUsable { batch: 9, usable: 7, .. })));
}

#[test]
fn a_silent_stretch_is_not_cropped() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.wav");
    let mut signal = vec![0.0; 30_000];
    signal.extend(chirp(1.0));
    write_wav(&path, &signal, 16_000);
    let clips = Arc::new(vec![clip(path, signal.len() as u64)]);
    for batch in batches(&clips, &LoaderConfig { batch: 1, ..CONFIG }, 0, 20) {
        let rows = batch.samples.chunks_exact(SEGMENT_SAMPLES);
        assert!(rows.into_iter().all(|r| (squared_norm(r) - 1.0).abs() < 1e-4));
    }
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let clips = noises(dir.path());
    let start = |config| Loader::start(clips.clone(), config, 0).err().unwrap().to_string();
    assert!(start(LoaderConfig { batch: 12, ..CONFIG }).contains("--batch 11"));
    assert!(start(LoaderConfig { batch: 0, ..CONFIG }).contains("--batch"));
}

#[test]
fn dropping_the_loader_is_quick() {
    let dir = tempfile::tempdir().unwrap();
    let clips = noises(dir.path());
    let begin = std::time::Instant::now();
    for _ in 0..5 {
        let mut loader = Loader::start(clips.clone(), CONFIG, 0).unwrap();
        loader.next().unwrap();
    }
    drop(Loader::start(clips, CONFIG, 0).unwrap());
    assert!(begin.elapsed().as_secs_f64() < 2.0);
}

#[test]
fn a_long_file_is_read_in_parts() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("long.wav");
    let signal = chirp_at(8_000 * 150, 8_000, 2.0);
    write_wav(&path, &signal, 8_000);
    let clips = Arc::new(vec![clip(path.clone(), 16_000 * 150)]);
    for crop in [CropRule::CropThenNormalise, CropRule::ClipThenCrop] {
        let config = LoaderConfig { batch: 1, cache_bytes: 1 << 30, crop, ..CONFIG };
        let mut loader = Loader::start(clips.clone(), config, 0).unwrap();
        let batch = loader.next().unwrap();
        assert_eq!(loader.cached_bytes(), 0);
        let norm = squared_norm(&batch.samples[..SEGMENT_SAMPLES]);
        let expected = if crop == CropRule::ClipThenCrop { SEGMENT_SAMPLES as f64 / 2.4e6 } else { 1.0 };
        assert!((norm / expected - 1.0).abs() < 0.02, "{norm}");
    }
    // 2,400,000 samples are 153 segments and a remainder of 960, which is dropped: 3 items of at most 64.
    let items: Vec<_> = EvalLoader::start(clips, 2, 2).map(|r| r.unwrap()).collect();
    assert_eq!(items.iter().map(|i| i.starts_s.len()).collect::<Vec<_>>(), [64, 64, 25]);
    assert_eq!(items.iter().map(|i| i.last).collect::<Vec<_>>(), [false, false, true]);
    assert_eq!(items[2].starts_s[24], 152.0 * 0.98);
}

#[test]
fn the_eval_loader_gives_every_segment_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut clips = noises(dir.path()).to_vec();
    std::fs::write(&clips[2].path, "gone").unwrap();
    write_wav(&clips[4].path, &vec![0.0; clips[4].samples as usize], 16_000);
    clips.truncate(6);
    let results: Vec<_> = EvalLoader::start(Arc::new(clips.clone()), 3, 2).collect();
    assert_eq!(results.len(), 6);
    for (i, result) in results.iter().enumerate() {
        match (i, result) {
            (2, Err((2, AudioError::NotAudio { .. }))) | (4, Err((4, AudioError::Silent { .. }))) => (),
            (_, Ok(item)) => {
                assert_eq!(item.clip as usize, i);
                assert!(item.last);
                let segments = item.segments();
                assert_eq!(segments.len(), item.starts_s.len() * SEGMENT_SAMPLES);
                for segment in segments.chunks_exact(SEGMENT_SAMPLES) {
                    assert!((squared_norm(segment) - 1.0).abs() < 1e-4);
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_eval_loader_begins_anywhere_with_the_same_samples() {
    let dir = tempfile::tempdir().unwrap();
    let mut clips = noises(dir.path())[..3].to_vec();
    let long = dir.path().join("long.wav");
    write_wav(&long, &chirp_at(11_025 * 150, 11_025, 2.0), 11_025);
    clips.insert(1, clip(long, 16_000 * 150));
    let clips = Arc::new(clips);
    let hop = Cutting::Every { hop_samples: 4_000.0 };
    for cutting in [Cutting::BackToBack, hop] {
        let all = |from: Place| -> Vec<(Place, f64, Vec<f32>)> {
            let items = EvalLoader::start_at(clips.clone(), cutting, from, true, 2, 2).map(|r| r.unwrap());
            let of_item = |item: EvalItem| {
                let place = |i| Place { clip: item.clip, segment: item.first + i };
                (0..item.starts_s.len()).map(|i| (place(i), item.starts_s[i], item.segment(i))).collect::<Vec<_>>()
            };
            items.flat_map(of_item).collect()
        };
        let whole = all(Place::default());
        let counts: usize = clips.iter().map(|c| cutting.count(c.samples)).sum();
        assert_eq!(whole.len(), counts);
        for from in [1, 3, whole.len() / 2, whole.len() - 1] {
            assert!(all(whole[from].0) == whole[from..], "from {:?}", whole[from].0);
        }
    }
}

#[test]
fn sound_before_the_place_of_beginning_counts() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("quiet.wav");
    write_wav(&path, &vec![0.0; 16_000 * 90], 16_000);
    let clips = Arc::new(vec![clip(path, 16_000 * 90)]);
    let from = Place { clip: 0, segment: 70 };
    let load = |heard| EvalLoader::start_at(clips.clone(), Cutting::BackToBack, from, heard, 1, 1).next();
    assert!(matches!(load(false), Some(Err((0, AudioError::Silent { .. })))));
    assert!(matches!(load(true), Some(Ok(item)) if item.first == 70));
}

#[test]
fn single_segments_depend_on_the_seed_alone() {
    let dir = tempfile::tempdir().unwrap();
    let mut clips: Vec<Clip> = (0..7)
        .map(|i| {
            let path = dir.path().join(format!("{i}.wav"));
            write_wav(&path, &chirp(1.5), 16_000);
            clip(path, 24_000)
        })
        .collect();
    clips.push(clip(dir.path().join("gone.wav"), 24_000));
    let clips = Arc::new(clips);
    let batches = |seed, workers| {
        let mut loader = CropLoader::start(clips.clone(), (0..8).collect(), 4, seed, workers, 1 << 20);
        let batches: Vec<CropBatch> = (0..4).map(|_| loader.next().unwrap()).collect();
        assert_eq!(loader.skipped().len(), 1);
        batches
    };
    let (once, again) = (batches(3, 1), batches(3, 4));
    for (a, b) in once.iter().zip(&again) {
        assert_eq!((&a.clips, &a.samples), (&b.clips, &b.samples));
        assert!(a.samples.chunks(SEGMENT_SAMPLES).all(|s| (squared_norm(s) - 1.0).abs() < 1e-3));
    }
    assert_ne!(once[0].clips, batches(4, 1)[0].clips);
    // the first epoch holds every clip that can be used once
    let mut first: Vec<u32> = once.iter().flat_map(|b| b.clips.clone()).take(7).collect();
    first.sort_unstable();
    assert_eq!(first, (0..7).collect::<Vec<_>>());
}
