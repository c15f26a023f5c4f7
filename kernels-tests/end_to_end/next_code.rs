//! The third method, from a folder of sounds to sounds that it makes up.

use super::*;

/// Small enough for a test: 12 codes a segment.
const SMALL: &str = "--method nextcode --batch 8 --patch-frames 16 --patch-bands 32 --bottleneck 16 --codes 16 \
                     --codes-steps 30 --layers 2 --width 32 --heads 2 --dropout 0 --lr 3e-3 --warmup 5";

#[test]
fn next_codes_are_learned_and_heard() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = folder.path().join("run");
    let start = |rest: &str| format!("pretrain {} --out {} {SMALL} {rest}", train_folder(), run.display());
    for (from, to, parts) in [
        ("--dropout 0", "--augment pitch", ["--method nextcode", "--augment"]),
        ("--dropout 0", "--precision mixed", ["--method nextcode", "--precision"]),
        ("--dropout 0", "--codes-batch 4", ["--codes-batch", "--codes"]),
        ("--dropout 0", "--memory-budget 1MB", ["--memory-budget", "batch"]),
        ("--patch-frames 16", "--patch-frames 7", ["--patch-frames", "96"]),
        ("--dropout 0", "--context 8", ["--context 8", "multiple of 2"]),
        ("--dropout 0", "--context 33", ["--context 33", "multiple of 2"]),
        ("--heads 2", "--heads 3", ["width 32 in 3 heads", "wide"]),
    ] {
        refuse(&output(&start("").replace(from, to)), &parts);
    }
    let said = output(&start("--steps 60 --held-out 0.15"));
    let (out, err) = (text(&said.stdout), text(&said.stderr));
    assert!(said.status.success() && out.contains("of codes are foretold, of 16"), "{out}{err}");
    assert!(err.contains("codes are in use") && out.contains("cola sample"), "{out}{err}");
    let steps = metrics(&run);
    let mean = |m: &[StepMetrics]| m.iter().map(|m| m.loss).sum::<f32>() / m.len() as f32;
    // ln 16 is 2.8
    let (first, last) = (mean(&steps[..5]), mean(&steps[50..]));
    assert!((1.5..3.5).contains(&first) && last < 0.9 * first, "the loss fell from {first} to {last} only");
    let codes = cola::train::codes::CodesReport::read(&run).expect("a report of the codes");
    assert!(codes.explained_by_vectors > codes.explained_by_codes && codes.explained_by_codes > 0.1, "{codes:?}");
    assert!(codes.used > 8 && codes.perplexity <= codes.used as f64 + 1e-6, "{codes:?}");
    assert!(codes.inertia.windows(2).all(|w| w[1] <= w[0] * 1.001), "{:?}", codes.inertia);
    let table = std::fs::read_to_string(run.join("codes/codes.csv")).expect("a table");
    assert_eq!(table.lines().count(), 17, "{table}");

    // every command that takes a run takes this one
    let (run, task) = (run.display(), sounds().display().to_string());
    assert!(succeed(&format!("probe {run} {task} --epochs 3")).contains("pre-trained: accuracy"));
    for mode in ["random", "finetune", "scratch"] {
        let said = succeed(&format!("transfer {run} {task} --mode {mode} --epochs 1 --batch 8"));
        assert!(said.contains("accuracy"), "{said}");
    }
    let file = |name: &str| folder.path().join(name).display().to_string();
    let said = succeed(&format!("embed {run} {task}/test --out {}", file("x.npy")));
    assert!(said.contains("wrote 12 vectors of 32"), "{said}");
    succeed(&format!("map {run} {task}/test --out {}", file("map.html")));
    let table = succeed(&format!(
        "compare {run} {} --framework --tasks {task} --epochs 2 --encoder-epochs 1 --batch 8 --out {}",
        trained().display(),
        file("framework")
    ));
    assert!(table.starts_with("|Task|Measure|Chance|supervised (") && table.contains("nextcode ("), "{table}");
    assert!(table.contains("|71.3|71.3|60.1|-|"), "{table}");
    succeed(&format!("report {run} --out {}", file("report.html")));
    let page = std::fs::read_to_string(file("report.html")).expect("a page");
    assert!(page.contains("Use of the codes") && page.contains("Loss of the next code"));
    refuse(&output(&format!("export onnx {run} --out {}", file("x.onnx"))), &["--method nextcode"]);
    refuse(&output(&format!("probe {run} {task} --features stages")), &["--features"]);
    refuse(&output(&format!("probe {run}/codes {task}")), &["codes alone"]);

    // and it can be heard
    let bell = sounds().join("test/bell/0003.wav").display().to_string();
    let length = |name: &str| hound::WavReader::open(file(name)).expect("a sound").duration();
    let [new, other, kept] = ["new.wav", "other.wav", "kept.wav"];
    succeed(&format!("sample {run} --out {} --seconds 2", file(new)));
    // 13 columns of 16 frames, each 160 samples after the one before it, and the rest of the last window
    assert_eq!(length(new), 12 * 16 * 160 + 15 * 160 + 400);
    succeed(&format!("sample {run} --out {} --seconds 2 --seed 1 --temperature 0.8 --top 5", file(other)));
    succeed(&format!("sample {run} --out {} --seconds 0 --prompt {bell}", file(kept)));
    let bytes = |name: &str| std::fs::read(file(name)).expect("a file");
    assert_ne!(bytes(new), bytes(other), "another seed");
    assert!(bytes("new.png").len() > 200);
    succeed(&format!("sample {run} --out {} --seconds 2", file("again.wav")));
    assert_eq!(bytes(new), bytes("again.wav"), "the same seed");
    for (options, parts) in [
        ("--seconds 0", ["--seconds 0", "--prompt"]),
        ("--seconds 100", ["--seconds", "60"]),
        ("--temperature 0", ["--temperature", "above 0"]),
    ] {
        refuse(&output(&format!("sample {run} --out {} {options}", file("no.wav"))), &parts);
    }
    refuse(&output(&format!("sample {run} --out {}", file("no.mp3"))), &["no.mp3", ".wav"]);
    refuse(&output(&format!("sample {} --out {}", trained().display(), file("no.wav"))), &["--method nextcode"]);
}

/// While the codes are learned, too, and with sequences of two segments.
#[test]
fn a_killed_next_code_run_goes_on_bit_for_bit() {
    kills_change_nothing(&format!("{} --chunk 4 --context 24", SMALL.replace("--dropout 0", "--dropout 0.1")));
}
