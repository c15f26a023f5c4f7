//! What leaves the program, read by other programs: ONNX files by onnxruntime, embeddings as HEAR's kit reads them. And
//! what comes from elsewhere: weights of timm.
//!
//! `examples/setup_python.sh` makes the Python with the packages for this; `make test` calls it.

mod program;

use program::{output, refuse, succeed, text};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use tempfile::TempDir;

/// Runs a script of `kernels-tests/fixtures` and returns what it printed.
#[track_caller]
fn python(script: &str, args: &[&str]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/python/bin/python");
    assert!(python.exists(), "{}: missing; make test sets it up, or examples/setup_python.sh alone", python.display());
    let script = root.join("kernels-tests/fixtures").join(script);
    let out = Command::new(python).arg(script).args(args).output().expect("Python starts");
    assert!(out.status.success(), "{}{}", text(&out.stdout), text(&out.stderr));
    text(&out.stdout)
}

/// Synthetic clips of 6 families, and a run of a few steps on them: max and mean pooling, standardised input.
struct Made {
    folder: TempDir,
}

impl Made {
    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

fn made() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    MADE.get_or_init(|| {
        let made = Made { folder: tempfile::tempdir().expect("a temporary folder") };
        succeed(&format!("synth {} --clips-per-family 4", made.path("sounds")));
        let options = "--recipe standard --batch 8 --steps 8 --warmup 2 --pooling maxmean";
        succeed(&format!("pretrain {} --out {} {options}", made.path("sounds/train"), made.path("run")));
        made
    })
}

/// The tensors of the run without what it says about itself, as a file from elsewhere has them.
fn bare() -> PathBuf {
    let run = PathBuf::from(made().path("run"));
    let last = std::fs::read_to_string(run.join("checkpoints/last")).expect("a pointer");
    let file = run.join("checkpoints").join(last.trim()).join("model.safetensors");
    let bytes = std::fs::read(file).expect("weights");
    let tensors = SafeTensors::deserialize(&bytes).expect("a file of ours");
    let encoder = tensors.iter().filter(|(name, _)| name.starts_with("encoder."));
    let path = PathBuf::from(made().path("bare.safetensors"));
    std::fs::write(&path, safetensors::serialize(encoder, None).expect("tensors")).expect("a file");
    path
}

#[test]
fn onnxruntime_agrees_with_the_program() {
    let made = made();
    let bare = bare().display().to_string();
    let (run, stages) = (made.path("run"), made.path("stages"));
    let options = "--recipe standard --batch 4 --steps 2 --warmup 0 --features stages";
    succeed(&format!("pretrain {} --out {stages} {options}", made.path("sounds/train")));
    let [vgg, vgg_stages] = ["vgg", "vgg_stages"].map(|name| made.path(name));
    for (vgg, features) in [(&vgg, "pooled"), (&vgg_stages, "stages")] {
        let options = format!("--encoder vgg --batch 4 --steps 2 --warmup 0 --features {features}");
        succeed(&format!("pretrain {} --out {vgg} {options}", made.path("sounds/train")));
    }
    for (source, options, features) in [
        (&run, "", 2560),
        (&vgg, "", 256),
        (&vgg_stages, "", 9408),
        (&stages, "", 6208),
        (&bare, "--input-norm paper", 1280),
        (&bare, "--input-norm none --pooling mean", 1280),
    ] {
        let [vectors, samples, log_mel] = ["x.npy", "samples.onnx", "log_mel.onnx"].map(|name| made.path(name));
        succeed(&format!("embed {source} {} --segments --out {vectors} {options}", made.path("sounds/test")));
        succeed(&format!("export onnx {source} --out {samples} {options}"));
        succeed(&format!("export onnx {source} --out {log_mel} --no-front-end {options}"));
        let said = python("check_onnx.py", &[&vectors, &samples, &log_mel]);
        let found: serde_json::Value = serde_json::from_str(&said).expect("JSON");
        assert_eq!(found["features"], features, "{said}");
        assert!(found["segments"].as_u64().is_some_and(|n| n > 6), "{said}");
        for input in ["samples", "log_mel"] {
            assert!(found[input].as_f64().is_some_and(|error| error < 1e-4), "{options}: {said}");
        }
    }
}

#[test]
fn what_cannot_be_exported_is_refused_in_one_line() {
    let made = made();
    let (run, bare) = (made.path("run"), bare().display().to_string());
    let export = |line: &str| output(&format!("export onnx {line}"));
    refuse(&export(&made.path("gone")), &["gone", "cannot read"]);
    refuse(&export(&made.path("sounds")), &["sounds", "no checkpoint"]);
    refuse(&export(&format!("{run} --out x.bin")), &["x.bin", ".onnx"]);
    refuse(&export(&format!("{run} --pooling max")), &["--pooling maxmean", "leave it out"]);
    refuse(&export(&bare), &["bare.safetensors", "--input-norm"]);
    refuse(&export(&format!("{bare} --input-norm standard")), &["bare.safetensors", "measured on audio"]);
    refuse(&export(&format!("{run} --out {}/gone/x.onnx", made.path("run"))), &["x.onnx", "create its folder"]);
}

/// Tasks in the layout of HEAR: scenes with two splits and several labels, events with two folds.
fn hear_tasks() -> String {
    let made = made();
    let folder = PathBuf::from(made.path("tasks"));
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    };
    let sound = |name: &str, task: &str, split: &str, seconds: f64| {
        let to = folder.join(task).join("16000").join(split);
        std::fs::create_dir_all(&to).expect("a folder");
        let mut reader = hound::WavReader::open(made.path(&format!("sounds/train/{name}"))).expect("a clip");
        let samples: Vec<i16> = reader.samples().map(|s| s.expect("a sample")).collect();
        let to = to.join(format!("{}.wav", name.replace('/', "_").trim_end_matches(".wav")));
        let mut writer = hound::WavWriter::create(to, reader.spec()).expect("a file");
        let samples = samples.iter().cycle().take((seconds * 16_000.0) as usize);
        samples.for_each(|&s| writer.write_sample(s).expect("a sample"));
        writer.finalize().expect("a file");
    };
    let splits =
        [("scenes", "train", 1.7), ("scenes", "test", 0.4), ("events", "fold00", 1.07), ("events", "fold01", 2.0)];
    for (task, split, seconds) in splits {
        sound("bell/0000.wav", task, split, seconds);
        sound("wind/0000.wav", task, split, seconds);
    }
    write("scenes/labelvocabulary.csv", "idx,label\n0,bell\n1,wind\n");
    write("events/labelvocabulary.csv", "idx,label\n0,high\n1,low\n");
    let metadata = r#""task_name": "x", "version": "1", "prediction_type": "multilabel", "sample_duration": 2.0"#;
    write(
        "scenes/task_metadata.json",
        &format!(r#"{{{metadata}, "embedding_type": "scene", "splits": ["train", "test"]}}"#),
    );
    write(
        "events/task_metadata.json",
        &format!(r#"{{{metadata}, "embedding_type": "event", "splits": ["fold00", "fold01"]}}"#),
    );
    let scenes = r#"{"bell_0000.wav": ["bell"], "wind_0000.wav": ["wind", "bell"]}"#;
    let events = r#"{"bell_0000.wav": [{"label": "high", "start": 100.0, "end": 650.0},
        {"label": "low", "start": 620.5, "end": 800.0}], "wind_0000.wav": []}"#;
    for (split, text) in
        [("scenes/train", scenes), ("scenes/test", scenes), ("events/fold00", events), ("events/fold01", events)]
    {
        write(&format!("{split}.json"), text);
    }
    folder.display().to_string()
}

#[test]
fn hear_is_written_as_its_kit_reads_it_and_python_agrees() {
    let (made, tasks) = (made(), hear_tasks());
    let (run, out, onnx) = (made.path("run"), made.path("embeddings"), made.path("hear.onnx"));
    let said = succeed(&format!("hear {run} {tasks} --out {out}"));
    assert!(said.contains("events: 4 files") && said.contains("scenes: 4 files, vectors of 2560"), "{said}");
    succeed(&format!("export onnx {run} --out {onnx}"));
    let said = python("check_hear.py", &[env!("CARGO_BIN_EXE_cola"), &run, &tasks, &out, &onnx]);
    let worst: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    let below = |what: &str, limit: f64| worst[what].as_f64().is_some_and(|x| x < limit);
    assert!(below("disk_onnx", 1e-4) && below("disk_python", 1e-6), "{said}");

    // what is done is passed over, what was cut short begins anew
    std::fs::remove_file(format!("{out}/cola_hear/scenes/.done.embeddings")).expect("a file");
    let said = succeed(&format!("hear {run} {tasks}/events {tasks}/scenes --out {out}"));
    assert!(said.contains("events: already done") && said.contains("scenes: 4 files"), "{said}");

    let hear = |task: &str| output(&format!("hear {run} {task} --out {}", made.path("refused")));
    refuse(&hear(&made.path("sounds")), &["sounds", "task_metadata.json"]);
    std::fs::write(format!("{tasks}/scenes/test.json"), r#"{"bell_0000.wav": "bell"}"#).expect("a file");
    refuse(&hear(&format!("{tasks}/scenes")), &["test.json", "bell_0000.wav", "list of labels"]);
    std::fs::write(format!("{tasks}/scenes/test.json"), r#"{"gone.wav": ["bell"]}"#).expect("a file");
    refuse(&hear(&format!("{tasks}/scenes")), &["gone.wav"]);
}

#[test]
fn weights_of_timm_are_imported_and_trained_on() {
    let made = made();
    let audio = made.path("sounds/train");
    // A network for pictures: our own with its stem three times over, and a classifier.
    let bytes = std::fs::read(bare()).expect("weights");
    let tensors = SafeTensors::deserialize(&bytes).expect("a file of ours");
    let (_, stem) = tensors.iter().find(|(name, _)| *name == "encoder.conv_stem.weight").expect("a stem");
    let colours: Vec<u8> = stem.data().chunks(9 * 4).flat_map(|filter| filter.repeat(3)).collect();
    let class = vec![0; 10 * 4];
    let view = |shape: Vec<usize>, data| TensorView::new(Dtype::F32, shape, data).expect("as long as its shape");
    let timm = tensors.iter().map(|(name, tensor)| match name.trim_start_matches("encoder.") {
        "conv_stem.weight" => ("conv_stem.weight", view(vec![32, 3, 3, 3], &colours)),
        name => (name, view(tensor.shape().to_vec(), tensor.data())),
    });
    let timm = timm.chain([("classifier.bias", view(vec![10], &class))]);
    let file = made.path("timm.safetensors");
    std::fs::write(&file, safetensors::serialize(timm, None).expect("tensors")).expect("a file");

    let embed = format!("embed {file} {audio}/bell --out {} --input-norm none", made.path("from_timm.npy"));
    refuse(&output(&embed), &["3 channels", "cola import"]);
    let [imported, measured] = ["imported", "measured"].map(|name| made.path(name));
    let said = succeed(&format!("import {file} --out {imported}"));
    assert!(said.contains("--init"), "{said}");
    refuse(&output(&format!("import {file} --out {imported}")), &["already there"]);
    refuse(&output(&format!("import {audio} --out {}", made.path("nothing"))), &["no checkpoint"]);
    // Three equal colours: the sum is three times ours.
    let stem_of = |path: &str| {
        let bytes = std::fs::read(path).expect("weights");
        let tensors = SafeTensors::deserialize(&bytes).expect("a file of ours");
        let stem = tensors.tensor("encoder.conv_stem.weight").expect("a stem");
        assert_eq!(stem.shape(), [32, 1, 3, 3]);
        stem.data().as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect::<Vec<_>>()
    };
    let stem: Vec<f32> =
        stem.data().as_chunks().0.iter().map(|&b| (3.0 * f64::from(f32::from_le_bytes(b))) as f32).collect();
    assert_eq!(stem_of(&format!("{imported}/model.safetensors")), stem);

    // every other command takes it, with a scaling that is given or was measured
    refuse(&output(&format!("embed {imported} {audio}/bell --out {}", made.path("from_timm.npy"))), &["--input-norm"]);
    succeed(&format!("embed {imported} {audio}/bell --out {} --input-norm standard", made.path("from_timm.npy")));
    let said = succeed(&format!("import {file} --out {measured} --audio {audio}"));
    assert!(said.contains("standard deviation"), "{said}");
    succeed(&format!("embed {measured} {audio}/bell --out {}", made.path("from_timm.npy")));
    succeed(&format!("export onnx {measured}"));
    assert!(Path::new(&format!("{measured}/encoder.onnx")).exists());

    // a run that starts from it has its weights before the first step
    let run = made.path("from_timm");
    succeed(&format!("pretrain {audio} --out {run} --init {imported} --batch 4 --steps 1 --lr 1e-30 --warmup 0"));
    let last = std::fs::read_to_string(format!("{run}/checkpoints/last")).expect("a pointer");
    assert_eq!(stem_of(&format!("{run}/checkpoints/{}/model.safetensors", last.trim())), stem);
    let config = std::fs::read_to_string(format!("{run}/config.toml")).expect("a configuration");
    assert!(config.contains(&format!("init = \"{imported}\"")), "{config}");
    let gone = format!("pretrain {audio} --out {} --init {imported}/gone --batch 4 --steps 1", made.path("y"));
    refuse(&output(&gone), &["gone"]);
}
