//! The program as a person runs it: real processes on a few synthetic clips.
//!
//! Sizes are tiny so that all of it takes a few minutes on two cores without a GPU.

mod program;
mod sounds;

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use cola::train::metrics::{METRICS_FILE, StepMetrics, read_metrics};
use program::{cola, output, refuse, succeed, text};
use sounds::sounds;
use tempfile::TempDir;

#[path = "end_to_end/browser.rs"]
mod browser;
#[path = "end_to_end/embedding.rs"]
mod embedding;
#[path = "end_to_end/lab.rs"]
mod lab;
#[path = "end_to_end/next_code.rs"]
mod next_code;
#[path = "end_to_end/vgg.rs"]
mod vgg;

fn train_folder() -> String {
    sounds().join("train").display().to_string()
}

/// A run of a few dozen steps, made once.
fn trained() -> &'static Path {
    static RUN: OnceLock<TempDir> = OnceLock::new();
    let folder = RUN.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let run = folder.path().join("run");
        let options = "--batch 8 --steps 40 --similarity cosine --temperature 0.1 --warmup 5 --held-out 0.15";
        succeed(&format!("pretrain {} --out {} {options}", train_folder(), run.display()));
        folder
    });
    Box::leak(folder.path().join("run").into_boxed_path())
}

fn metrics(run: &Path) -> Vec<StepMetrics> {
    read_metrics(&run.join(METRICS_FILE)).expect("a run's log")
}

/// What must not depend on when the process was killed, bit for bit; times do.
fn numbers(run: &Path) -> Vec<[Option<u32>; 6]> {
    let of = |m: StepMetrics| {
        let measured = [m.grad_norm, m.effective_rank, m.held_out_loss];
        let [a, b, c] = measured.map(|x| x.map(f32::to_bits));
        [Some(m.step as u32), Some(m.loss.to_bits()), Some(m.accuracy.to_bits()), a, b, c]
    };
    metrics(run).into_iter().map(of).collect()
}

/// A process that is killed when the test fails.
struct Running(Child);

impl Running {
    fn start(mut command: Command) -> Running {
        Running(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts"))
    }

    /// Waits for a line on standard error.
    fn wait_for(&mut self, part: &str) {
        let stderr = BufReader::new(self.0.stderr.as_mut().expect("piped"));
        for line in stderr.lines() {
            if line.expect("text").contains(part) {
                return;
            }
        }
        panic!("the process ended without saying '{part}'");
    }

    /// Sends what Ctrl-C sends.
    #[cfg(unix)]
    fn interrupt(&self) {
        let status = Command::new("kill").args(["-INT", &self.0.id().to_string()]).status();
        assert!(status.expect("kill runs").success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn learning_probing_embedding_reporting() {
    let run = trained();
    let steps = metrics(run);
    let mean = |m: &[StepMetrics]| m.iter().map(|m| m.loss).sum::<f32>() / m.len() as f32;
    let (first, last) = (mean(&steps[..8]), mean(&steps[32..]));
    assert!(last < 0.9 * first, "the loss fell from {first} to {last} only");
    let score = steps.last().expect("40 steps").held_out_accuracy;
    assert!(score.is_some_and(|s| (0.0..=1.0).contains(&s)), "{score:?}");

    let task = sounds().display().to_string();
    let probe = |options: &str| succeed(&format!("probe {} {task} --epochs 20 {options}", run.display()));
    let once = probe("");
    assert!(once.contains("pre-trained: accuracy") && once.contains("12 test clips"), "{once}");
    let ranks = once.lines().find(|line| line.starts_with("effective rank of ")).expect("a line of ranks");
    let (_, ranks) = ranks.split_once("stage by stage: ").expect("stages");
    let ranks: Vec<f64> = ranks.split(' ').map(|rank| rank.parse().expect("a number")).collect();
    assert!(ranks.len() == 8 && ranks.iter().all(|rank| (1.0..256.0).contains(rank)), "{ranks:?}");
    assert_eq!(once, probe(""), "the same seed gives the same accuracy");
    let statistics = probe("--features logmel-stats");
    assert!(statistics.contains("log-mel statistics"), "{statistics}");
    assert!(probe("--random").contains("untrained encoder"));

    let out = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str| out.path().join(name).display().to_string();
    let bell = sounds().join("test/bell/0003.wav").display().to_string();
    let npy = file("x.npy");
    let said = succeed(&format!("embed {} {task}/test --out {npy} --nearest {bell} --count 3", run.display()));
    assert!(said.contains("wrote 12 vectors of 6208") && said.lines().count() == 6, "{said}");
    assert_eq!(std::fs::read_to_string(file("x.csv")).expect("names").lines().count(), 13);
    assert_eq!(std::fs::metadata(&npy).expect("vectors").len(), 128 + 12 * 6208 * 4);
    let segments = succeed(&format!("embed {} {task}/test --out {npy} --segments", run.display()));
    assert!(!segments.contains("wrote 12 "), "{segments}");

    succeed(&format!("report {} --task {task}", run.display()));
    let page = std::fs::read_to_string(run.join("report.html")).expect("a page");
    for part in ["log-mel statistics", "untrained encoder", "<svg", "data:image/png", "similarity = &quot;cosine"] {
        assert!(page.contains(part), "'{part}' is missing from the report");
    }
    let picture = file("bell.png");
    succeed(&format!("mel {bell} --out {picture} --duration 1"));
    assert!(Path::new(&picture).exists() && Path::new(&file("bell.npy")).exists());
}

/// The second method: it learns to tell augmented segments apart, goes on where it was, and what it made is used as any
/// other run.
#[test]
fn augmented_views_are_learned() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = folder.path().join("run");
    let start = |rest: &str| format!("pretrain {} --out {} --method simclr {rest}", train_folder(), run.display());
    refuse(&output(&start("--similarity bilinear")), &["--method simclr", "--similarity cosine"]);
    refuse(&output(&start("--augment pitch,louder")), &["louder"]);
    refuse(&output(&start("--symmetric true")), &["--symmetric"]);
    succeed(&start("--batch 8 --steps 40 --warmup 5 --held-out 0.15 --augment noise,mask --checkpoint-every 20"));
    let steps = metrics(&run);
    let mean = |m: &[StepMetrics]| m.iter().map(|m| m.loss).sum::<f32>() / m.len() as f32;
    // Each of 16 segments picks one of 15: ln 15 is 2.7.
    let (first, last) = (mean(&steps[..8]), mean(&steps[32..]));
    assert!(first < 4.0 && last < 0.9 * first, "the loss fell from {first} to {last} only");
    assert!(steps.iter().all(|m| (0.0..=1.0).contains(&m.accuracy)));
    let config = std::fs::read_to_string(run.join("config.toml")).expect("a configuration");
    assert!(config.contains("method = \"simclr\"") && config.contains("\"mask\""), "{config}");
    succeed(&format!("pretrain --resume {} --steps 42", run.display()));
    assert_eq!(metrics(&run).len(), 42);
    assert!(succeed(&format!("probe {} {} --epochs 2", run.display(), sounds().display())).contains("pre-trained"));
    succeed(&format!("report {}", run.display()));
    let page = std::fs::read_to_string(run.join("report.html")).expect("a page");
    assert!(page.contains("chance, 1 in 15"), "each of 16 segments chooses among the 15 others");
}

#[test]
fn augmentations_can_be_heard_and_seen() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("out");
    let [bell, wind] =
        ["bell", "wind"].map(|name| sounds().join(format!("test/{name}/0003.wav")).display().to_string());
    let listed = succeed("augment --list");
    assert_eq!(listed.lines().count(), 13, "{listed}");
    succeed(&format!("augment {bell} {wind} --out {} --draws 2 --seconds 1.5", out.display()));
    let page = std::fs::read_to_string(out.join("index.html")).expect("a page");
    for line in listed.lines() {
        let name = line.split_whitespace().next().expect("a name");
        for draw in ["1", "2"] {
            let picture = std::fs::read(out.join(format!("{name}-{draw}.png"))).expect("a picture");
            assert!(picture.len() > 500 && page.contains(&format!("{name}-{draw}.png")), "{name}");
        }
    }
    let sound = |name: &str| {
        let mut reader = hound::WavReader::open(out.join(name)).expect("a sound");
        reader.samples::<i16>().map(|x| x.expect("a sample")).collect::<Vec<_>>()
    };
    assert_eq!(sound("original.wav").len(), 24_000);
    assert_eq!(sound("pitch-1.wav").len(), 24_000);
    assert_ne!(sound("pitch-1.wav"), sound("pitch-2.wav"));
    refuse(&output(&format!("augment {bell} --out {} --seconds 0", out.display())), &["--seconds"]);
    refuse(&output(&format!("augment {bell} --out {} --start 100", out.display())), &["0003.wav", "--start"]);
}

#[test]
fn a_killed_run_goes_on_bit_for_bit() {
    // The paper's recipe draws noise and stochastic depth as well as crops and order.
    kills_change_nothing("--recipe paper --batch 3 --lr 1e-3");
}

/// Kills a run of 24 steps at random moments, again and again, until it gets to the end.
fn kills_change_nothing(options: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [whole, killed] = ["whole", "killed"].map(|name| folder.path().join(name));
    let options = format!("{options} --steps 24 --checkpoint-every 5 --held-out 0.2 --seed 3");
    let start = |run: &Path| format!("pretrain {} --out {} {options}", train_folder(), run.display());
    succeed(&start(&whole));
    let mut seed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock").subsec_nanos();
    let mut kills = 0;
    loop {
        let last = killed.join("checkpoints/last");
        let command = if last.exists() { format!("pretrain --resume {}", killed.display()) } else { start(&killed) };
        let mut process = Running::start(cola(&command));
        if kills < 3 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            std::thread::sleep(Duration::from_millis(u64::from(800 + (seed >> 8) % 2500)));
            process.0.kill().expect("the process takes SIGKILL");
            process.0.wait().expect("it ends");
            kills += 1;
            continue;
        }
        let mut said = String::new();
        process.0.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
        assert!(process.0.wait().expect("it ends").success(), "{said}");
        break;
    }
    assert_eq!(numbers(&whole).len(), 24);
    assert_eq!(numbers(&whole), numbers(&killed));
}

#[cfg(unix)]
#[test]
fn ctrl_c_saves_and_says_how_to_go_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = folder.path().join("run");
    let line = format!("pretrain {} --out {} --batch 2 --steps 100000", train_folder(), run.display());
    let mut process = Running::start(cola(&line));
    process.wait_for("step 1/");
    process.interrupt();
    let mut said = String::new();
    process.0.stdout.take().expect("piped").read_to_string(&mut said).expect("text");
    assert_eq!(process.0.wait().expect("it ends").code(), Some(130));
    let resume = format!("cola pretrain --resume {}", run.display());
    assert!(said.contains(&resume), "{said}");

    let done = metrics(&run).last().expect("some steps").step;
    succeed(&format!("{} --steps {}", resume.trim_start_matches("cola "), done + 2));
    let steps: Vec<u64> = metrics(&run).iter().map(|m| m.step).collect();
    assert_eq!(steps, (1..=done + 2).collect::<Vec<_>>());

    // other clips would make other batches: the run does not go on as if nothing had happened
    let config = std::fs::read_to_string(run.join("config.toml")).expect("a configuration");
    let moved = config.replace(&train_folder(), &sounds().join("test").display().to_string());
    std::fs::write(run.join("config.toml"), moved).expect("a file");
    let longer = format!("{} --steps {}", resume.trim_start_matches("cola "), done + 4);
    refuse(&output(&longer), &["was made from 36 clips", "12 clips"]);
}

/// The second one comes while a step is still being waited for.
#[cfg(unix)]
#[test]
fn a_second_ctrl_c_leaves_at_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = folder.path().join("run");
    let line = format!("pretrain {} --out {} --batch 16 --steps 100000", train_folder(), run.display());
    let mut process = Running::start(cola(&line));
    process.wait_for("step 1/");
    process.interrupt();
    process.wait_for("Ctrl-C again leaves at once");
    let second = Instant::now();
    process.interrupt();
    let mut said = String::new();
    process.0.stdout.take().expect("piped").read_to_string(&mut said).expect("text");
    assert_eq!(process.0.wait().expect("it ends").code(), Some(130));
    assert!(second.elapsed() < Duration::from_secs(2), "it took {:?} to leave", second.elapsed());
    assert!(!said.contains("saved"), "{said}");
    // The steps since the checkpoint at the start are lost, and nothing else is.
    let state = cola::train::checkpoint::find(&run).expect("a checkpoint that can be read");
    assert_eq!(state.map(|state| state.step), Some(0));
    succeed(&format!("pretrain --resume {} --steps 1", run.display()));
    assert_eq!(metrics(&run).iter().map(|m| m.step).collect::<Vec<_>>(), [1]);
}

/// Eight hours, of which decoding all would take 1.8 GB and longer than the whole test.
#[cfg(target_os = "linux")]
#[test]
fn a_file_of_many_hours_is_sought_not_loaded() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    std::fs::create_dir(&data).expect("a folder");
    std::fs::copy(sounds().join("train/bell/0000.wav"), data.join("short.wav")).expect("a copy");
    let bytes: u32 = 8 * 3600 * 8_000;
    let spec = [&b"fmt "[..], &16u32.to_le_bytes(), &[1, 0, 1, 0], &8_000u32.to_le_bytes(), &8_000u32.to_le_bytes()];
    let header = [&b"RIFF"[..], &(36 + bytes).to_le_bytes(), b"WAVE", &spec.concat(), &[1, 0, 8, 0], b"data"].concat();
    let long = data.join("long.wav");
    std::fs::write(&long, [&header[..], &bytes.to_le_bytes()].concat()).expect("a file");
    // A hole of zeros, which take no room on the disk and in unsigned 8-bit samples are a signal at full scale.
    let file = std::fs::File::options().write(true).open(&long).expect("the file");
    file.set_len(44 + u64::from(bytes)).expect("a sparse file");

    let began = Instant::now();
    let run = folder.path().join("run");
    let line = format!("pretrain {} --out {} --batch 2 --steps 8", data.display(), run.display());
    let mut process = Running::start(cola(&line));
    let mut peak_kb = 0;
    while process.0.try_wait().expect("a child").is_none() {
        let status = std::fs::read_to_string(format!("/proc/{}/status", process.0.id())).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        peak_kb = peak.map_or(peak_kb, |kb| kb.parse::<u64>().expect("a number"));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(metrics(&run).len(), 8);
    assert!((1..600_000).contains(&peak_kb), "{peak_kb} kB of RAM");
    assert!(began.elapsed() < Duration::from_secs(60), "{:?} for 8 steps", began.elapsed());
}

#[test]
fn bad_files_among_good_ones_are_left_out_and_listed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    std::fs::create_dir(&data).expect("a folder");
    for (i, family) in ["bell", "drums", "wind", "voice"].iter().enumerate() {
        let from = sounds().join(format!("train/{family}/0000.wav"));
        std::fs::copy(from, data.join(format!("good{i}.wav"))).expect("a copy");
    }
    let good = std::fs::read(data.join("good0.wav")).expect("a file");
    std::fs::write(data.join("empty.wav"), b"").expect("a file");
    std::fs::write(data.join("text.mp3"), "this is no audio at all").expect("a file");
    std::fs::write(data.join("one_sample.wav"), &good[..46]).expect("a file");
    std::fs::write(data.join("cut.wav"), &good[..good.len() / 2]).expect("a file");
    std::fs::write(data.join("silent.wav"), [&good[..44], &vec![0; good.len() - 44][..]].concat()).expect("a file");
    let run = folder.path().join("run");
    let line = format!("pretrain {} --batch 3 --steps 4 --out", data.display());
    let out = output(&format!("{line} {}", run.display()));
    let stderr = text(&out.stderr);
    assert!(out.status.success(), "{stderr}");
    let list = std::fs::read_to_string(run.join("skipped.csv")).expect("a list");
    for name in ["empty.wav", "text.mp3", "one_sample.wav"] {
        assert!(list.contains(name) && stderr.contains(name), "{name} is not told about:\n{list}{stderr}");
    }
    assert!(!list.contains("good"), "{list}");
    refuse(&output(&format!("{line} {} --strict", folder.path().join("strict").display())), &[".wav"]);
}

#[test]
fn what_cannot_work_is_refused_in_one_line() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name);
    let data = train_folder();
    let pretrain = |rest: &str| output(&format!("pretrain {data} --out {} {rest}", path("run").display()));

    std::fs::create_dir(path("nothing")).expect("a folder");
    let nothing = path("nothing").display().to_string();
    refuse(&output(&format!("pretrain {nothing} --out {}", path("run").display())), &[&nothing, "no audio"]);
    refuse(&output(&format!("pretrain {nothing}/gone --out {}", path("run").display())), &["gone"]);
    refuse(&pretrain("--batch 100"), &["--batch 36"]);
    refuse(&pretrain("--batch 1"), &["--batch"]);
    refuse(&pretrain("--steps 5 --epochs 5"), &["--steps"]);
    refuse(&pretrain("--adapter nonsense"), &["nonsense", "present"]);
    let small = format!("pretrain {data} --out {} --batch 8 --memory-budget 120MB", path("small").display());
    refuse(&output(&small), &["a batch of 8", "--memory-budget: --batch"]);
    assert!(!path("small").exists(), "refused before anything is written");
    std::fs::write(path("c.toml"), "lr = 0.1\nlearning_rate = 3\n").expect("a file");
    refuse(&pretrain(&format!("--config {}", path("c.toml").display())), &["c.toml", "line 2", "learning_rate"]);

    let out = cola(&format!("pretrain {data} --out {}", path("run").display()))
        .env("VK_ICD_FILENAMES", "/nowhere.json")
        .env("VK_DRIVER_FILES", "/nowhere.json")
        .output()
        .expect("the program starts");
    if cfg!(target_os = "linux") {
        refuse(&out, &["no GPU adapter", "cola doctor"]);
    }
    refuse(&output(&format!("probe {nothing} {}", sounds().display())), &[&nothing, "checkpoint"]);
    refuse(&output(&format!("pretrain --resume {nothing}")), &[&nothing, "checkpoint"]);
    refuse(&output(&format!("mel {nothing}/x.wav --out {nothing}/x.png")), &["x.wav"]);
}

#[test]
fn a_loss_that_is_not_finite_keeps_the_last_good_checkpoint() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = folder.path().join("run");
    let line = "--batch 3 --steps 30 --lr 1e30 --warmup 0 --checkpoint-every 1000";
    let out = output(&format!("pretrain {} --out {} {line}", train_folder(), run.display()));
    refuse(&out, &["NaN or infinite", "--lr", "was kept"]);
    succeed(&format!("probe {} {} --epochs 1", run.display(), sounds().display()));
}

#[test]
fn damaged_weights_are_told_apart() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let weights = |run: &Path| -> PathBuf {
        let last = std::fs::read_to_string(run.join("checkpoints/last")).expect("a pointer");
        run.join("checkpoints").join(last.trim()).join("model.safetensors")
    };
    let bytes = std::fs::read(weights(trained())).expect("weights");
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("a file");
        path.display().to_string()
    };
    let (audio, out) = (sounds().join("test/bell"), folder.path().join("x.npy"));
    let embed = |file: &str| output(&format!("embed {file} {} --out {}", audio.display(), out.display()));

    let good = file("good.safetensors", &bytes);
    assert!(embed(&good).status.success(), "{}", text(&embed(&good).stderr));
    let cut = file("cut.safetensors", &bytes[..bytes.len() * 2 / 3]);
    refuse(&embed(&cut), &["cut.safetensors", "cut short"]);
    let other = file("other.safetensors", b"not weights");
    refuse(&embed(&other), &["other.safetensors"]);
}

#[test]
fn scaling_measures_what_there_is_time_for_and_marks_the_rest() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let table = succeed(&format!("bench scaling --batches 4096,2 --minutes 0.2 --out {}", folder.path().display()));
    assert!(table.contains("forecast; not run"), "{table}");
    let json = std::fs::read_to_string(folder.path().join("scaling.json")).expect("scaling.json");
    let report: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let [small, large] = report["points"].as_array().expect("points").as_slice() else { panic!("two points: {json}") };
    assert!(
        small["batch"] == 2 && small["measured"]["segments_per_second"].as_f64().is_some_and(|x| x > 0.0),
        "{json}"
    );
    assert!(large["batch"] == 4096 && large["measured"].is_null() && large["not_measured_because"].is_string());
    assert!(large["peak_bytes"].as_u64() > small["peak_bytes"].as_u64());
    assert!(folder.path().join("scaling.svg").exists());
}

#[test]
fn the_bench_prints_one_json_object() {
    let began = Instant::now();
    let forward = succeed("bench step --batch 2 --steps 1 --forward --json");
    let forward: serde_json::Value = serde_json::from_str(&forward).expect("JSON");
    assert!(forward["forward"] == true && forward["segments_per_second"].as_f64().is_some_and(|x| x > 0.0));
    let out = succeed("bench step --batch 2 --steps 1 --json");
    let object: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    let positive = |object: &serde_json::Value, keys: &[&str]| {
        for key in keys {
            assert!(object[key].as_f64().is_some_and(|x| x > 0.0), "{key}: {out}");
        }
    };
    positive(&object, &["segments_per_second", "step_ms", "peak_bytes", "encode_ms", "dispatches", "floor_share"]);
    positive(&object, &["bandwidth_gb_per_s", "fma_gflop_per_s"]);
    let kernels = object["kernels"].as_array().expect("an array of kernels");
    kernels.iter().for_each(|kernel| positive(kernel, &["ms", "calls", "floor_share"]));
    assert!(object["adapter"].is_string());
    assert!(object["first_step_ms"].as_f64().is_some_and(|ms| ms < 60_000.0), "a cold first step within a minute");
    assert!(began.elapsed() < Duration::from_secs(120));
}
