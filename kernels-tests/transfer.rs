//! Transfer to labelled tasks, the comparison and the sweep: the library on one device, and the program as a person
//! runs it.

mod program;
mod sounds;

use cola::audio::{Clip, DiscoverOptions, Split, discover_task};
use cola::eval::embed::embed;
use cola::eval::encoder::Encoder;
use cola::eval::transfer::finetune::{self, Resources};
use cola::eval::transfer::record::TransferRecord;
use cola::eval::transfer::{FitConfig, Task, frozen};
use cola::frontend::InputNorm;
use cola::gpu::{AdapterChoice, Gpu, GpuOptions, catch};
use cola::nn::backbone::Features;
use cola::nn::model::{ColaModel, ModelConfig};
use cola::nn::{NamedArray, Slab};
use program::{cola, output, refuse, succeed, text};
use sounds::sounds;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;
use tempfile::TempDir;

/// A run of a few steps, made once; tests that write into its folder name the task differently.
fn trained() -> PathBuf {
    static RUN: OnceLock<TempDir> = OnceLock::new();
    let folder = RUN.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let train = sounds().join("train").display().to_string();
        succeed(&format!("pretrain {train} --out {}/run --batch 4 --steps 4", folder.path().display()));
        folder
    });
    folder.path().join("run")
}

/// A manifest of the synthetic clips with a column `labels`: pitched, with a sharp start, both or neither.
fn several_labels(folder: &Path) -> PathBuf {
    let found = discover_task(sounds(), 0.5, 0, DiscoverOptions { workers: 1, strict: true }).expect("a task");
    let line = |clip: &Clip| {
        let family = found.labels[clip.label().expect("a label") as usize].as_str();
        let labels = match family {
            "bell" | "pluck" => "pitched;sharp",
            "bird" | "voice" => "pitched",
            "drums" => "sharp",
            _ => "",
        };
        let split = if clip.split == Split::Test { "test" } else { "train" };
        format!("{},{labels},{split}\n", clip.path.display())
    };
    let path = folder.join("several.csv");
    let rows: String = found.clips.iter().map(line).collect();
    std::fs::write(&path, format!("path,labels,split\n{rows}")).expect("a manifest");
    path
}

fn gpu() -> Gpu {
    let adapter = match std::env::var("COLA_ADAPTER") {
        Ok(name) => name.parse().expect("any text names an adapter"),
        Err(_) => AdapterChoice::Best,
    };
    Gpu::open(&GpuOptions { adapter, ..GpuOptions::default() }).unwrap_or_else(|e| panic!("{e}"))
}

/// Frozen weights and running statistics stay as they are, and stochastic depth is off; fine-tuning moves both, drops
/// blocks, and is the same again for the same seed.
#[test]
fn only_fine_tuning_moves_the_encoder() {
    let run = || {
        let gpu = gpu();
        let found = discover_task(sounds(), 0.5, 0, DiscoverOptions { workers: 1, strict: true }).expect("a task");
        let task = Task::new("sounds".into(), &found);
        let config = ModelConfig { stochastic_depth: 0.5, bn_momentum: 0.1, ..ModelConfig::default() };
        let encoder = || Encoder::new(&gpu, Box::new(ColaModel::new(&gpu, &config, 3)), InputNorm::NONE);
        let numbers = |encoder: &Encoder| -> (Vec<NamedArray>, Vec<NamedArray>) {
            (encoder.network().params().read_all(Slab::Values), encoder.network().state().read_all())
        };
        let fit = FitConfig { epochs: 2, batch: 8, ..FitConfig::default() };

        let fixed = encoder();
        let before = numbers(&fixed);
        let vectors = embed(&fixed, task.clips.clone(), 1, |_| ());
        assert_eq!(vectors.values, embed(&fixed, task.clips.clone(), 1, |_| ()).values, "nothing is dropped");
        frozen::fit(&gpu, &vectors, &task, &fit, |_| ());
        assert_eq!(numbers(&fixed), before, "a frozen encoder stays as it is");

        let tuned = |fit: &FitConfig| {
            let encoder = encoder();
            let resources = Resources { workers: 2, cache_bytes: 1 << 24 };
            let mut steps = 0;
            let (fitted, skipped) =
                finetune::fit(&encoder, &task, fit, resources, None, |step| steps = step).expect("a fit");
            assert!(skipped.is_empty() && steps == 5 * fit.epochs as u64, "36 clips in batches of 8");
            (numbers(&encoder), fitted.test)
        };
        let (after, said) = tuned(&fit);
        assert!(after.0 != before.0 && after.1 != before.1, "weights and running statistics move");
        assert_eq!(said.clips.len(), 12);
        assert_eq!((after, said), tuned(&fit), "the same seed gives the same weights");

        let ((weights, running), _) = tuned(&FitConfig { epochs: 1, frozen_stages: 5, ..fit.clone() });
        let is_trained = |name: &str| {
            let last = ["encoder.blocks.5.", "encoder.blocks.6.", "encoder.conv_head.", "encoder.bn2."];
            last.iter().any(|prefix| name.starts_with(prefix))
        };
        for (before, after) in before.0.iter().chain(&before.1).zip(weights.iter().chain(&running)) {
            let is_head = !before.name.starts_with("encoder.");
            assert!(is_head || (before.data != after.data) == is_trained(&before.name), "{}", before.name);
        }
    };
    catch(run).unwrap_or_else(|e| panic!("{e}"));
}

/// Where nothing is learned, what starts as a probe says what the probe says; where something is, another thing, and the
/// gradient reaches every block.
#[test]
fn fine_tuning_starts_where_the_probe_ended() {
    let run = || {
        let gpu = gpu();
        let found = discover_task(sounds(), 0.5, 0, DiscoverOptions { workers: 1, strict: true }).expect("a task");
        let task = Task::new("sounds".into(), &found);
        // running statistics stay
        let config = ModelConfig { bn_momentum: 0.0, features: Features::Stages, ..ModelConfig::default() };
        let tuned = |lr: f64| {
            let encoder = Encoder::new(&gpu, Box::new(ColaModel::new(&gpu, &config, 3)), InputNorm::NONE);
            let vectors = embed(&encoder, task.clips.clone(), 1, |_| ());
            let fit = FitConfig { epochs: 10, batch: 12, ..FitConfig::default() };
            let (probed, probe) = frozen::train(&gpu, &vectors, &task, &fit, |_| ());
            let fit = FitConfig { epochs: 1, lr: Some(lr), encoder_lr: lr, ..fit };
            let resources = Resources { workers: 2, cache_bytes: 1 << 24 };
            let (fitted, _) = finetune::fit(&encoder, &task, &fit, resources, Some(probe), |_| ()).expect("a fit");
            assert_eq!(fitted.classifier.0.len(), task.labels.len() * 6208);
            assert_eq!(fitted.test.clips, probed.test.clips);
            let pairs = fitted.test.logits.iter().zip(&probed.test.logits);
            let weights = fitted.classifier.0.iter().zip(&probed.classifier.0);
            let furthest = |pairs: &mut dyn Iterator<Item = (&f32, &f32)>| {
                pairs.map(|(a, b)| f64::from((a - b).abs() / (1.0 + b.abs()))).fold(0.0, f64::max)
            };
            let params = encoder.network().params().read_all(Slab::Values);
            (furthest(&mut pairs.into_iter()), furthest(&mut weights.into_iter()), params)
        };
        let (logits, weights, before) = tuned(1e-12);
        assert!(logits < 1e-3 && weights < 1e-5, "the logits part by {logits}, the weights by {weights}");
        let (logits, _, after) = tuned(1e-3);
        assert!(logits > 1e-2);
        for (before, after) in before.iter().zip(&after).filter(|(a, _)| a.name.starts_with("encoder.blocks.")) {
            let furthest = before.data.iter().zip(&after.data).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(furthest > 1e-5, "{} stays", before.name);
        }
    };
    catch(run).unwrap_or_else(|e| panic!("{e}"));
}

fn record(run: &Path, task: &str, mode: &str) -> TransferRecord {
    let folder = run.join("transfer").join(task).join(mode);
    TransferRecord::read(&folder).expect("a readable record").expect("a record")
}

#[test]
fn the_four_modes_and_what_they_write() {
    let (run, folder) = (trained(), tempfile::tempdir().expect("a temporary folder"));
    let task = sounds().display().to_string();
    let name = sounds().file_name().expect("a name").to_string_lossy().into_owned();
    let saved = folder.path().join("saved");
    let transfer = |rest: &str| succeed(&format!("transfer {} {task} {rest}", run.display()));

    let said = transfer("--epochs 12 --seeds 2 --patience 4 --class-weights");
    assert!(said.contains("pre-trained, frozen: accuracy") && said.contains('±'), "{said}");
    let frozen = record(&run, &name, "frozen");
    assert_eq!((frozen.seeds.len(), frozen.clips), (2, [30, 6, 12]));
    assert!(frozen.seeds.iter().all(|s| s.validation.is_some() && s.best_epoch <= s.epochs && s.epochs <= 12));
    assert!(frozen.interval[0] <= frozen.mean && frozen.mean <= frozen.interval[1]);
    assert_eq!(frozen.confusion.expect("a confusion matrix").total(), 24);

    let said = transfer(&format!("--mode finetune --epochs 1 --batch 8 --encoder-lr 1e-4 --save {}", saved.display()));
    assert!(said.contains("fine-tuned"), "{said}");
    // the run left five stages as they start
    let frozen_stages = |mode| record(&run, &name, mode).protocol.fit.frozen_stages;
    assert_eq!(frozen_stages("finetune"), 5);
    assert!(record(&run, &name, "finetune").protocol.fit.from_probe, "the run gives out all stages");
    let scratch = output(&format!("transfer {} {task} --mode scratch --epochs 1 --batch 12", run.display()));
    assert!(scratch.status.success(), "{}", text(&scratch.stderr));
    // 0.9^3 after an epoch, 0.042 after ten
    let unsettled = "after 3 steps the running statistics of the batch norms are still 73% the start's";
    assert!(text(&scratch.stderr).contains(unsettled), "{}", text(&scratch.stderr));
    assert!(text(&scratch.stderr).contains("take --epochs 10 or more"));
    assert_eq!(frozen_stages("scratch"), 0);
    let random = transfer("--mode random --epochs 10");
    assert_eq!(random, transfer("--mode random --epochs 10"), "the same seed gives the same accuracy");
    for mode in ["frozen", "finetune", "scratch", "random"] {
        let folder = run.join("transfer").join(&name).join(mode);
        for file in ["result.json", "confusion.csv", "confusion.svg", "report.html"] {
            assert!(folder.join(file).exists(), "{mode}/{file}");
        }
    }
    let labels = std::fs::read_to_string(saved.join("labels.json")).expect("label names");
    assert_eq!(serde_json::from_str::<Vec<String>>(&labels).expect("a list").len(), 6);
    let embed = format!("embed {} {task}/test --out {}", saved.display(), folder.path().join("x.npy").display());
    let embedded = succeed(&embed);
    assert!(embedded.contains("12"), "what is saved is an encoder as any other");
    assert!(embedded.contains("wrote 12 vectors of 6208"), "{embedded}");

    let last_map = "--mode finetune --features pooled --epochs 1 --batch 8 --save";
    transfer(&format!("{last_map} {}", saved.display()));
    let embedded = succeed(&embed.replace("x.npy", "y.npy"));
    assert!(embedded.contains("wrote 12 vectors of 1280"), "the classifier stands behind the pooled map: {embedded}");

    // the frozen mode and the probe are the same
    transfer("--epochs 5");
    let probe = succeed(&format!("probe {} {task} --epochs 5", run.display()));
    let accuracy = format!("accuracy {:.1}%", 100.0 * record(&run, &name, "frozen").mean);
    assert!(probe.contains(&accuracy), "{accuracy} in {probe}");
}

#[test]
fn several_labels_a_clip_are_measured_by_mean_average_precision() {
    let (run, folder) = (trained(), tempfile::tempdir().expect("a temporary folder"));
    let manifest = several_labels(folder.path());
    for options in ["--epochs 20", "--mode finetune --epochs 1 --batch 8"] {
        let said = succeed(&format!("transfer {} {} {options}", run.display(), manifest.display()));
        assert!(said.contains("mAP") && said.contains("2 labels"), "{said}");
    }
    let record = record(&run, "several", "frozen");
    assert!(record.confusion.is_none() && record.mean > 0.5, "{}", record.mean);
    assert!(run.join("transfer/several/frozen/labels.csv").exists());
    let line = format!("transfer {} {}", run.display(), manifest.display());
    refuse(&output(&format!("{line} --class-weights")), &["several.csv", "--class-weights"]);
    refuse(&output(&format!("probe {} {}", run.display(), manifest.display())), &["several.csv", "cola transfer"]);
}

#[test]
fn a_comparison_reuses_what_is_stored() {
    let (run, folder) = (trained(), tempfile::tempdir().expect("a temporary folder"));
    let musan = folder.path().join("musan");
    for (from, to) in [("voice", "speech"), ("wind", "noise"), ("drums", "music")] {
        for (split, clips) in [("train", 3), ("test", 1)] {
            let target = musan.join(split).join(to);
            std::fs::create_dir_all(&target).expect("a folder");
            let mut files: Vec<_> = std::fs::read_dir(sounds().join(split).join(from))
                .expect("clips")
                .map(|e| e.expect("a file").path())
                .collect();
            files.sort();
            for file in &files[..clips] {
                std::fs::copy(file, target.join(file.file_name().expect("a name"))).expect("a copy");
            }
        }
    }
    let line = |epochs: usize| {
        let line = "--modes frozen,random --epochs";
        let (run, tasks, out) = (run.display(), musan.display(), folder.path().join("out"));
        output(&format!("compare {run} --tasks {tasks} {line} {epochs} --out {}", out.display()))
    };
    let first = line(5);
    assert!(first.status.success(), "{}", text(&first.stderr));
    assert_eq!(text(&first.stderr).matches("missing, training").count(), 2);
    let again = line(5);
    assert_eq!(text(&again.stderr).matches("taken from").count(), 2, "{}", text(&again.stderr));
    assert_eq!(text(&again.stdout), text(&first.stdout));
    assert!(text(&again.stdout).contains("musan (Music, Speech and Noise)|accuracy|33.3|"), "{}", text(&again.stdout));
    assert_eq!(text(&line(6).stderr).matches("stored under other settings").count(), 2);
    for file in ["compare.md", "compare.csv", "compare.html"] {
        assert!(folder.path().join("out").join(file).exists(), "{file}");
    }
}

#[test]
fn a_killed_sweep_goes_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("s.toml");
    let grid = "[base]\nbatch = 4\nsteps = 12\ncheckpoint_every = 2\n[grid]\nsimilarity = [\"cosine\", \"bilinear\"]\n";
    std::fs::write(&file, grid).expect("a file");
    let out = folder.path().join("out");
    let line = format!(
        "sweep {} --out {} --data {}/train --tasks {} --epochs 3",
        file.display(),
        out.display(),
        sounds().display(),
        sounds().display()
    );
    let mut process = cola(&line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts");
    let second = out.join("cells/similarity=bilinear/checkpoints/last");
    // ten minutes, for a machine that is busy with other things
    for _ in 0..12_000 {
        let saved = std::fs::read_to_string(&second).unwrap_or_default();
        if saved.starts_with("step-") && saved.trim() != "step-0" || process.try_wait().expect("a child").is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    process.kill().expect("the process takes SIGKILL or is gone");
    process.wait().expect("it ends");
    let first = out.join("cells/similarity=cosine");
    let trained =
        std::fs::metadata(first.join("finished")).expect("the first cell is done").modified().expect("a time");

    let done = output(&line);
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert!(text(&done.stderr).contains("pre-trained already"), "{}", text(&done.stderr));
    assert_eq!(std::fs::metadata(first.join("finished")).expect("a file").modified().expect("a time"), trained);
    let table = std::fs::read_to_string(out.join("sweep.csv")).expect("a table");
    assert!(table.starts_with("similarity,runs,") && table.lines().count() == 3, "{table}");
    assert!(text(&done.stdout).contains("2 of 2 cells") && out.join("sweep.html").exists());

    // other settings are not mixed with what is there
    std::fs::write(&file, grid.replace("batch = 4", "batch = 3")).expect("a file");
    refuse(&output(&line), &["similarity=cosine", "other settings"]);
}

#[test]
fn wrong_arguments_are_told_in_one_line() {
    let (run, task) = (trained(), sounds());
    let transfer = |rest: &str| output(&format!("transfer {} {} {rest}", run.display(), task.display()));
    refuse(&transfer("--epochs 0"), &["--epochs"]);
    refuse(&transfer("--patience 0"), &["--patience"]);
    refuse(&transfer("--valid-fraction 1"), &["--valid-fraction"]);
    refuse(&transfer("--mode finetune --frozen-stages 7"), &["--frozen-stages", "at most 6"]);
    refuse(&output(&format!("transfer {} {}", task.display(), task.display())), &["checkpoint"]);
    refuse(&output(&format!("transfer {} {}/nowhere", run.display(), task.display())), &["nowhere"]);
    refuse(&transfer("--mode finetune --batch 4 --epochs 2 --encoder-lr 1e30"), &["NaN", "--encoder-lr"]);
    refuse(&output(&format!("compare {0} --tasks {1} {1}", run.display(), task.display())), &["another task"]);
    let nowhere = task.join("nowhere.toml");
    refuse(&output(&format!("sweep {} --out {}", nowhere.display(), task.join("x").display())), &["nowhere.toml"]);
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/table3_similarity.toml");
    refuse(&output(&format!("sweep {} --out x", table.display())), &["--tasks"]);
    refuse(&output(&format!("sweep {} --out x --tasks {}", table.display(), task.display())), &["--data"]);
}

#[test]
fn the_ready_made_grids_are_those_of_the_paper() {
    let cells = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
        let sweep = cola::train::sweep::Sweep::read(&path).unwrap_or_else(|e| panic!("{e}"));
        sweep.cells(&toml::Table::new()).unwrap_or_else(|e| panic!("{e}"))
    };
    assert_eq!(cells("table3_similarity.toml").len(), 2);
    let batches: Vec<usize> = cells("table4_batch.toml").iter().map(|cell| cell.config.batch).collect();
    assert_eq!(batches, [256, 512, 1024, 2048]);
}
