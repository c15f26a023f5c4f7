//! The second encoder, through every command that takes a run.

use super::*;

const SMALL: &str = "--method simclr --encoder vgg --lr 1e-3 --warmup 5";

#[test]
fn a_vgg_is_trained_and_used() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (run, task) = (folder.path().join("run"), sounds().display().to_string());
    let start = |rest: &str| format!("pretrain {} --out {} {SMALL} --batch 4 {rest}", train_folder(), run.display());
    for (rest, parts) in [
        ("--steps 9 --stochastic-depth 0.2", ["--stochastic-depth", "VGG"]),
        ("--steps 9 --zero-init-residual true", ["--zero-init-residual", "VGG"]),
    ] {
        refuse(&output(&start(rest)), &parts);
    }
    refuse(&output(&start("--steps 9").replace("simclr", "nextcode")), &["--encoder", "nextcode"]);
    succeed(&start("--steps 25"));
    let steps = metrics(&run);
    let mean = |m: &[StepMetrics]| m.iter().map(|m| m.loss).sum::<f32>() / m.len() as f32;
    let (first, last) = (mean(&steps[..5]), mean(&steps[20..]));
    assert!(last < 0.9 * first, "the loss fell from {first} to {last} only");

    let run = run.display();
    assert!(succeed(&format!("probe {run} {task} --epochs 3")).contains("pre-trained: accuracy"));
    succeed(&format!("transfer {run} {task} --mode finetune --epochs 1 --batch 8"));
    let out = folder.path().join("x.npy");
    let said = succeed(&format!("embed {run} {task}/test --out {}", out.display()));
    assert!(said.contains("wrote 12 vectors of 9408"), "{said}");

    // one network's run gives the other a supervised row, in a folder of its own
    let with =
        |mode: &str, encoder: &str| format!("transfer {run} {task} --mode {mode} --encoder {encoder} --epochs 1");
    succeed(&with("scratch", "efficientnet-b0"));
    succeed(&with("random", "vgg"));
    let name = sounds().file_name().expect("a name").to_string_lossy().into_owned();
    let page = |folder: &str| std::fs::read_to_string(format!("{run}/transfer/{name}/{folder}/report.html"));
    assert!(page("scratch-efficientnet-b0").expect("a page").contains("EfficientNet-B0"));
    assert!(page("random-vgg").expect("a page").contains("VGG-11"));
    refuse(&output(&with("frozen", "vgg")), &["--encoder", "--mode scratch"]);
}

#[test]
fn a_killed_vgg_run_goes_on_bit_for_bit() {
    kills_change_nothing(&format!("{SMALL} --batch 4 --chunk 2"));
}
