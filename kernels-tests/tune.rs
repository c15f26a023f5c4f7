//! Knobs chosen by timing: whatever is chosen, no bit of a result changes.

use crate::harness::on_every_device;
use cola::bench::step::noise;
use cola::frontend::InputNorm;
use cola::gpu::{AdapterChoice, Gpu, GpuOptions, Tier, Tunable, catch};
use cola::ops::matmul::{TUNABLES, matmul_tn};
use cola::tape::{Ctx, Var};
use cola::tensor::Tensor;
use cola::train::config::{Recipe, TrainConfig};
use cola::train::prepare;
use cola::train::step::{State, train_step};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn open(tier: Tier, tune_in: Option<&Path>) -> Gpu {
    let adapter = match std::env::var("COLA_ADAPTER") {
        Ok(name) => name.parse().expect("any text names an adapter"),
        Err(_) => AdapterChoice::Best,
    };
    let tune_in = tune_in.map(Path::to_owned);
    let options = GpuOptions { adapter, tier: Some(tier), tune_in, ..Default::default() };
    Gpu::open(&options).unwrap_or_else(|e| panic!("the kernel tests need an adapter: {e}"))
}

/// On odd sizes, one past a block, and larger: the knobs of each kernel against its default's.
#[test]
fn every_choice_gives_the_bits_of_the_default() {
    on_every_device(|gpu| {
        for tunable in TUNABLES {
            if (tunable.name == "matmul/tile") != (gpu.caps().tier == Tier::Portable) {
                continue;
            }
            for shape in shapes(tunable) {
                let trial = (tunable.trial)(gpu, shape);
                let choices = (tunable.choices)(shape);
                let bits = |&knobs| {
                    trial.out.clear();
                    (trial.run)(knobs);
                    trial.out.read::<u32>()
                };
                let default = bits(&choices[0]);
                assert!(default.iter().any(|&word| word != 0));
                for knobs in &choices[1..] {
                    assert!(bits(knobs) == default, "{} {shape:?} with {knobs:?}", tunable.name);
                }
            }
        }
    });
}

/// Sizes, and each variant that the kernel has.
fn shapes(tunable: &Tunable) -> Vec<[usize; 4]> {
    let any: &[[usize; 3]] = &[[1, 1, 1], [65, 17, 66], [129, 40, 33], [7, 300, 130]];
    let by_four: &[[usize; 3]] = &[[4, 4, 4], [20, 12, 68], [44, 1028, 40], [100, 64, 132]];
    let (sizes, variants) = match tunable.name {
        "matmul/tile" => (any, &[0, 1, 2][..]),
        "matmul/lanes_nt" => (by_four, &[2][..]),
        _ => (by_four, &[0, 1][..]),
    };
    variants.iter().flat_map(|&variant| sizes.iter().map(move |&[m, k, n]| [m, k, n, variant])).collect()
}

fn config() -> TrainConfig {
    TrainConfig { batch: 2, ..TrainConfig::of(Recipe::Standard) }
}

/// Loss and gradient of a step, bit by bit, and how often each kernel ran for them.
fn step(gpu: &Gpu) -> (Vec<u32>, BTreeMap<String, usize>) {
    let run = || {
        let mut state = State::new(gpu, &config(), InputNorm::PAPER, 100);
        let samples = noise(2 * config().batch);
        gpu.profile_start();
        let loss = train_step(&mut state, &samples, false).wait().loss;
        let kernels =
            gpu.profile_stop().kernels.into_iter().map(|kernel| (kernel.name, kernel.dispatches.len())).collect();
        let mut bits = state.model.params.grads().read::<u32>();
        bits.push(loss.to_bits());
        (bits, kernels)
    };
    catch(run).unwrap_or_else(|e| panic!("{e}"))
}

fn only_file_in(folder: &Path) -> PathBuf {
    let mut files = std::fs::read_dir(folder).expect("a folder");
    let file = files.next().expect("a file").expect("readable").path();
    assert!(files.next().is_none());
    file
}

/// Replaces every choice in the file by the last that its kernel offers.
fn choose_the_last(file: &Path) -> usize {
    let mut text: Value = serde_json::from_slice(&std::fs::read(file).expect("the file")).expect("JSON");
    let choices = text["choices"].as_array_mut().expect("a list");
    for choice in choices.iter_mut() {
        let tunable = TUNABLES.iter().find(|t| choice["kernel"] == t.name).expect("a kernel with knobs");
        let shape = serde_json::from_value(choice["shape"].clone()).expect("four sizes");
        let offered = (tunable.choices)(shape);
        let chosen = serde_json::from_value(choice["knobs"].clone()).expect("three knobs");
        assert!(offered.contains(&chosen));
        choice["knobs"] = serde_json::json!(offered.last().expect("a default at least"));
    }
    let count = choices.len();
    std::fs::write(file, text.to_string()).expect("a writable file");
    count
}

/// Through the file, as in a second start: with the least likely knobs a step has other kernels, and the same bits.
#[test]
fn a_tuned_step_has_the_bits_of_one_that_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = open(Tier::Portable, None);
    let tiers = if first.caps().subgroup.0 >= 8 { &[Tier::Portable, Tier::Cpu][..] } else { &[Tier::Portable] };
    for &tier in tiers {
        let folder = folder.path().join(format!("{tier:?}"));
        let gpu = open(tier, Some(&folder));
        let prepared = catch(|| prepare::for_training(&gpu, &config())).unwrap_or_else(|e| panic!("{e}"));
        assert!(prepared.tuned.timed > 0 && prepared.compiled > 0, "{prepared:?}");
        let memory = gpu.memory();
        assert_eq!((memory.in_use_bytes, memory.peak_bytes, memory.reserved_bytes), (0, 0, 0));
        let file = only_file_in(&folder);
        let count = choose_the_last(&file);
        assert_eq!(count, prepared.tuned.timed);

        let tuned = step(&open(tier, Some(&folder)));
        let untuned = open(tier, None);
        let prepared = catch(|| prepare::for_training(&untuned, &config())).unwrap_or_else(|e| panic!("{e}"));
        let default = step(&untuned);
        assert_eq!((prepared.tuned.timed, prepared.compiled), (0, default.1.len()), "{tier:?}");
        assert!(tuned.1 != default.1, "{tier:?}: the same kernels in spite of {count} choices");
        assert!(tuned.0 == default.0, "{tier:?}: {} words differ", differing(&tuned.0, &default.0));
    }
}

fn differing(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).filter(|(a, b)| a != b).count()
}

#[test]
fn a_file_that_cannot_be_read_is_made_anew_and_without_a_folder_nothing_is_tuned() {
    let folder = tempfile::tempdir().expect("a folder");
    let tune = |gpu: &Gpu| {
        let small = |dry: &Gpu| {
            let a = Var::constant(Tensor::zeros(dry, "a", &[64, 64]));
            drop(matmul_tn(&Ctx::inference(dry), &a, &a));
        };
        catch(|| gpu.tune(&small, &mut |_, _| ())).unwrap_or_else(|e| panic!("{e}"))
    };
    assert_eq!(tune(&open(Tier::Portable, None)).timed, 0);
    assert_eq!(tune(&open(Tier::Portable, Some(folder.path()))).timed, 1);
    let file = only_file_in(folder.path());
    assert_eq!(tune(&open(Tier::Portable, Some(folder.path()))).timed, 0, "what the file holds is not timed again");
    let good: Value = serde_json::from_slice(&std::fs::read(&file).expect("the file")).expect("JSON");
    let mut other = good.clone();
    other["driver"] = "another".into();
    for bad in ["", "{\"adapter\": 3", "[]", &other.to_string()] {
        std::fs::write(&file, bad).expect("a writable file");
        assert_eq!(tune(&open(Tier::Portable, Some(folder.path()))).timed, 1, "{bad}");
        let anew: Value = serde_json::from_slice(&std::fs::read(&file).expect("the file")).expect("JSON");
        assert_eq!((&anew["driver"], &anew["choices"][0]["shape"]), (&good["driver"], &good["choices"][0]["shape"]));
    }
}
