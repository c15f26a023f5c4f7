//! Every way that a kill, a full disk or a wrong file can meet these files.

use super::weights::check;
use super::*;
use crate::nn::model::ModelConfig;
use crate::nn::network::NetworkConfig;
use std::collections::BTreeMap;
use tempfile::TempDir;

fn array(name: &str, shape: &[usize], first: f32) -> NamedArray {
    let len: usize = shape.iter().product();
    NamedArray { name: name.into(), shape: shape.to_vec(), data: (0..len).map(|i| first + i as f32).collect() }
}

fn contents(step: u64) -> Contents {
    let model = vec![array("encoder.a.weight", &[2, 3], step as f32), array("similarity.weight", &[2, 2], 0.5)];
    let moments = vec![array("first_moment.encoder.a.weight", &[2, 3], 7.0)];
    let run = RunState {
        step,
        ..RunState::new(InputNorm { mean: -4.1, std: 2.7 }, "standard", "abc".into(), "1 clip".into())
    };
    let info = ModelInfo {
        format_version: FORMAT,
        cola_version: "test".into(),
        recipe: run.recipe.clone(),
        input_norm: run.input_norm,
        model: NetworkConfig::Cola(ModelConfig::default()),
    };
    let (adapter, driver, cola_version) = Default::default();
    Contents { model, info, moments, state: StateFile { format_version: FORMAT, cola_version, adapter, driver, run } }
}

/// A run with a checkpoint at each of these steps; those marked are the best so far.
fn run(steps: &[(u64, bool)]) -> TempDir {
    let run = tempfile::tempdir().unwrap();
    for &(step, best) in steps {
        write(run.path(), &contents(step), best).unwrap();
    }
    run
}

/// The folder of checkpoints: each entry's name, and what a pointer says.
fn listing(run: &TempDir) -> BTreeMap<String, String> {
    let entries = fs::read_dir(run.path().join(FOLDER)).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|e| (e.file_name().into_string().unwrap(), fs::read_to_string(e.path()).unwrap_or_default().trim().into()))
        .collect()
}

fn names(run: &TempDir) -> Vec<String> {
    listing(run).into_keys().collect()
}

fn last_step(run: &TempDir) -> u64 {
    let step = find(run.path()).unwrap().unwrap().step;
    let arrays = tensors::read(Weights::open(run.path()).unwrap().path(), |_| true).unwrap().arrays;
    assert!(arrays.contains(&contents(step).model[0]), "weights of another step than {step}");
    step
}

#[track_caller]
fn fails<T: std::fmt::Debug>(result: Result<T, CheckpointError>, parts: &[&str]) {
    let text = result.unwrap_err().to_string();
    for part in parts {
        assert!(text.contains(part), "'{part}' is not in: {text}");
    }
    assert!(!text.contains('\n'), "{text}");
}

#[test]
fn what_was_written_comes_back() {
    let run = run(&[(3, true)]);
    assert_eq!(find(run.path()).unwrap().unwrap(), contents(3).state.run);
    let weights = Weights::open(run.path()).unwrap();
    assert_eq!(weights.info(), Some(&contents(3).info));
    let found = tensors::read(weights.path(), |_| true).unwrap().arrays;
    assert_eq!(found, contents(3).model);
    // the folder of one checkpoint, and the bare file, work too
    let folder = run.path().join(FOLDER).join("step-3");
    assert_eq!(Weights::open(&folder).unwrap().path(), weights.path());
    assert_eq!(Weights::open(&folder.join(MODEL_FILE)).unwrap().info(), weights.info());
    let moments = tensors::read(&folder.join(OPTIM_FILE), |_| true).unwrap();
    assert_eq!(moments.arrays, contents(3).moments);
}

#[test]
fn the_last_and_the_best_are_kept() {
    let run = run(&[(10, true), (20, true), (30, false), (40, false)]);
    assert_eq!(names(&run), ["best", "last", "step-20", "step-40"]);
    assert_eq!(listing(&run)["best"], "step-20");
    assert_eq!(last_step(&run), 40);
}

#[test]
fn killed_while_writing_the_files() {
    let run = run(&[(10, true)]);
    let half = run.path().join(FOLDER).join("step-20.tmp");
    fs::create_dir(&half).unwrap();
    fs::write(half.join("model.safetensors.partial"), b"half").unwrap();
    assert_eq!(last_step(&run), 10);
    write(run.path(), &contents(20), false).unwrap();
    assert_eq!(names(&run), ["best", "last", "step-10", "step-20"]);
    assert_eq!(fs::read_dir(run.path().join(FOLDER).join("step-20")).unwrap().count(), 3);
}

#[test]
fn killed_before_the_pointers_moved() {
    let run = run(&[(10, true), (20, false)]);
    fs::write(run.path().join(FOLDER).join("last"), "step-10\n").unwrap();
    assert_eq!(last_step(&run), 10);
    // the resumed run comes to step 20 again, then to 30
    write(run.path(), &contents(20), false).unwrap();
    assert_eq!(last_step(&run), 20);
    write(run.path(), &contents(30), false).unwrap();
    assert_eq!(names(&run), ["best", "last", "step-10", "step-30"]);
}

#[test]
fn killed_between_best_and_last() {
    let run = run(&[(10, true), (20, true)]);
    let older = run.path().join(FOLDER).join("step-10");
    fs::create_dir(&older).unwrap();
    write_files(&older, &contents(10)).unwrap();
    fs::write(run.path().join(FOLDER).join("last"), "step-10\n").unwrap();
    assert_eq!(last_step(&run), 10);
    write(run.path(), &contents(20), true).unwrap();
    assert_eq!(names(&run), ["best", "last", "step-20.2"]);
    assert_eq!(last_step(&run), 20);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_the_checkpoint_before() {
    let run = run(&[(10, true)]);
    for file in [MODEL_FILE, OPTIM_FILE, STATE_FILE] {
        // /dev/full answers every write with "no space left"; a link puts it where the file would be.
        let half = run.path().join(FOLDER).join("step-20.tmp");
        fs::create_dir(&half).unwrap();
        std::os::unix::fs::symlink("/dev/full", half.join(format!("{file}.partial"))).unwrap();
        let error = write(run.path(), &contents(20), true).unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::StorageFull);
        assert_eq!(names(&run), ["best", "last", "step-10"]);
        assert_eq!(last_step(&run), 10);
    }
    // the disk is full when `last` is to be replaced
    std::os::unix::fs::symlink("/dev/full", run.path().join(FOLDER).join("last.partial")).unwrap();
    write(run.path(), &contents(20), false).unwrap_err();
    assert_eq!(names(&run), ["best", "last", "step-10"]);
}

#[test]
fn a_pointer_that_cannot_be_read_deletes_nothing() {
    let run = run(&[(10, true), (20, false)]);
    fs::write(run.path().join(FOLDER).join("best"), [0xff, 0xfe]).unwrap();
    write(run.path(), &contents(30), false).unwrap();
    assert_eq!(names(&run), ["best", "last", "step-10", "step-20", "step-30"]);
}

#[test]
fn places_without_a_checkpoint() {
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(find(empty.path()).unwrap(), None);
    fails(Weights::open(empty.path()), &["no checkpoint here", "cola pretrain"]);
    fails(Weights::open(&empty.path().join("x.safetensors")), &["x.safetensors", "cannot read"]);
    let run = run(&[(10, true)]);
    fs::write(run.path().join(FOLDER).join("last"), "step-11\n").unwrap();
    fails(find(run.path()), &["last", "'step-11'", "older checkpoint"]);
}

#[test]
fn files_that_are_damaged_or_of_another_kind() {
    let run = run(&[(10, true)]);
    let folder = run.path().join(FOLDER).join("step-10");
    let path = folder.join(MODEL_FILE);
    let good = fs::read(&path).unwrap();
    let header = 8 + u64::from_le_bytes(*good.first_chunk().unwrap()) as usize;
    for cut in [header / 2, header, header + 5, good.len() - 1] {
        fs::write(&path, &good[..cut]).unwrap();
        fails(Weights::open(run.path()), &["model.safetensors", "cut short", &format!("{cut} of ")]);
    }
    let longer = [good.as_slice(), b"more"].concat();
    for other in [b"".as_slice(), b"{}", b"RIFF\0\0\0\0WAVEfmt ", &longer] {
        fs::write(&path, other).unwrap();
        fails(Weights::open(run.path()), &["model.safetensors", "not a safetensors file"]);
    }
    fs::write(folder.join(STATE_FILE), b"{\"format_version\": 1, \"step\":").unwrap();
    fails(find(run.path()), &["state.json", "cannot be read", "damaged"]);
    fs::write(folder.join(STATE_FILE), b"{\"format_version\": 9}").unwrap();
    fails(find(run.path()), &["state.json", "format 9", "update cola"]);
}

/// A file as another program writes it.
fn foreign(folder: &TempDir, tensors: &[(&str, safetensors::Dtype, &[usize], Vec<u8>)]) -> PathBuf {
    let path = folder.path().join("timm.safetensors");
    let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
        (name, safetensors::tensor::TensorView::new(*dtype, shape.to_vec(), bytes).unwrap())
    });
    fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    path
}

#[test]
fn files_from_timm() {
    use safetensors::Dtype::{BF16, F16, F64, I64};
    let folder = tempfile::tempdir().unwrap();
    let halves = |bits: [u16; 2]| bits.iter().flat_map(|b| b.to_le_bytes()).collect::<Vec<u8>>();
    let path = foreign(
        &folder,
        &[
            ("bn1.bias", F16, &[2], halves([0x3c00, 0xc000])),
            ("bn1.weight", BF16, &[2], halves([0x3f80, 0xc040])),
            ("bn1.num_batches_tracked", I64, &[], vec![0; 8]),
            ("bn1.running_var", F64, &[1], 2.5f64.to_le_bytes().to_vec()),
            ("classifier.bias", I64, &[1], vec![0; 8]),
        ],
    );
    let weights = Weights::open(&path).unwrap();
    assert_eq!(weights.info(), None);
    let wanted = [("bias", &[2][..]), ("running_var", &[1]), ("weight", &[2])]
        .map(|(suffix, shape)| (format!("encoder.bn1.{suffix}"), shape.to_vec()));
    let found = &weights.arrays;
    check(&path, &wanted, &found.iter().collect::<Vec<_>>()).unwrap();
    let data = |suffix: &str| found.iter().find(|a| a.name.ends_with(suffix)).unwrap().data.clone();
    assert_eq!((data("bias"), data("weight"), data("running_var")), (vec![1.0, -2.0], vec![1.0, -3.0], vec![2.5]));
}

#[test]
fn elements_that_cannot_be_weights() {
    let folder = tempfile::tempdir().unwrap();
    let path = foreign(&folder, &[("bn1.bias", safetensors::Dtype::I64, &[1], vec![0; 8])]);
    fails(Weights::open(&path), &["timm.safetensors", "'bn1.bias' is I64"]);
    let path = foreign(&folder, &[("bn1.bias", safetensors::Dtype::F32, &[1], f32::NAN.to_le_bytes().to_vec())]);
    fails(Weights::open(&path), &["timm.safetensors", "'bn1.bias' holds NaN"]);
}

#[test]
fn tensors_of_another_model() {
    let path = Path::new("x.safetensors");
    let wanted = |names: &[&str]| names.iter().map(|n| (n.to_string(), vec![2, 3])).collect::<Vec<_>>();
    let found = [array("a", &[2, 3], 0.0), array("b", &[2, 3], 0.0)];
    let found: Vec<_> = found.iter().collect();
    check(path, &wanted(&["a", "b"]), &found).unwrap();
    fails(
        check(path, &wanted(&["a", "p", "q", "r", "s"]), &found),
        &["x.safetensors", "4 missing (p, q, r, ...)", "1 unexpected (b)"],
    );
    let other = [("a".to_string(), vec![3, 2]), ("b".to_string(), vec![6])];
    fails(check(path, &other, &found), &["'a' is [2, 3], [3, 2] is wanted, and 1 more differ"]);
    let stem = array("encoder.conv_stem.weight", &[32, 3, 3, 3], 0.0);
    let one = [("encoder.conv_stem.weight".to_string(), vec![32, 1, 3, 3])];
    fails(check(path, &one, &[&stem]), &["3 channels", "cola import"]);
}
