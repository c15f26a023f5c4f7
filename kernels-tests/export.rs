//! What leaves the program, read by other programs: ONNX files by onnxruntime.
//!
//! `examples/setup_python.sh` makes the Python with the packages for this; `make test` calls it.

mod program;

use program::{output, refuse, succeed, text};
use safetensors::SafeTensors;
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
        let options = "--batch 8 --steps 8 --warmup 2 --pooling maxmean";
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
    let options = "--batch 4 --steps 2 --warmup 0 --features stages";
    succeed(&format!("pretrain {} --out {stages} {options}", made.path("sounds/train")));
    for (source, options, features) in [
        (&run, "", 2560),
        (&stages, "", 6016),
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
