//! Measuring kernels, and seeing when they ran.

use super::*;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn json(path: &str) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON")
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let copy = to.join(path.file_name().expect("a name"));
        match path.is_dir() {
            true => copy_folder(&path, &copy),
            false => assert!(std::fs::copy(&path, copy).is_ok()),
        }
    }
}

#[test]
fn kernels_are_checked_timed_and_compared() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str| folder.path().join(name).display().to_string();
    let [old, page, table] = ["old.json", "page.html", "table.csv"].map(file);
    let options = "layer_norm --segments 2 --repeats 2";
    let said = succeed(&format!("bench kernels {options} --json {old} --html {page} --csv {table}"));
    assert!(said.contains("roof%") && said.contains("layer_norm 512"), "{said}");
    let report = json(&old);
    for case in report["cases"].as_array().expect("cases") {
        assert!(case["error"].as_f64().is_some_and(|error| error < 2e-5), "{case}");
        assert!(case["warm"]["median_ms"].as_f64().is_some_and(|ms| ms > 0.0), "{case}");
        assert!(case["kernels"].as_array().is_some_and(|kernels| kernels.len() >= 3), "{case}");
    }
    let page = std::fs::read_to_string(&page).expect("a page");
    assert!(page.contains("Roofline") && page.contains("<circle") && page.contains("layer_norm_dx"));
    let rows = std::fs::read_to_string(&table).expect("a table");
    assert!(rows.starts_with("case,kernel,calls,median_ms") && rows.contains("arithmetic") | rows.contains("memory"));

    let said = succeed(&format!("bench kernels {options} --compare {old}"));
    assert!(said.contains("before ms") && !said.contains("not alike"), "{said}");
    let said = succeed(&format!("bench kernels {options} --tiers"));
    let last = said.lines().rfind(|line| line.starts_with("layer_norm 512")).expect("times side by side");
    assert!(last.split_whitespace().filter_map(|word| word.parse::<f64>().ok()).count() >= 2, "{said}");
    // an edited shader that computes something else is told apart from what was compiled in
    let shaders = folder.path().join("shaders");
    copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders"), &shaders);
    let shader = shaders.join("unary.wgsl");
    let edited = std::fs::read_to_string(&shader).expect("a shader").replace("tanh(x[i])", "1.001 * tanh(x[i])");
    std::fs::write(&shader, edited).expect("a shader");
    let mut command = cola("bench kernels tanh --segments 2 --repeats 1");
    let out = command.env("SHADERS_DIR", &shaders).output().expect("the program starts");
    assert!(text(&out.stdout).contains("WRONG"), "{}", text(&out.stdout));
    refuse(&out, &["1 cases have wrong results"]);
    refuse(&output("bench kernels nothing_like_it"), &["nothing_like_it"]);
    refuse(&output(&format!("bench kernels --compare {table}")), &["table.csv", "--json"]);
    refuse(&output(&format!("bench kernels --compare {}", file("gone.json"))), &["gone.json", "cannot read"]);
}

/// A program that would go on for ever: it ends with the test, and after two minutes, so that who waits for a word that
/// never comes does not wait longer.
struct Watching(Arc<Mutex<Child>>);

impl Watching {
    fn new(child: Child) -> Watching {
        let child = Arc::new(Mutex::new(child));
        let late = child.clone();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_secs(120));
            end(&late);
        });
        Watching(child)
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        end(&self.0);
    }
}

fn end(child: &Mutex<Child>) {
    let mut child = child.lock().expect("nobody panics with it");
    let _ = child.kill(); // it may have ended
    child.wait().expect("it ends");
}

/// What a child says, a line at a time, up to one that contains a text.
fn wait_for(lines: &mut impl Iterator<Item = std::io::Result<String>>, text: &str) -> String {
    let mut said = String::new();
    for line in lines {
        let line = line.expect("a line of text");
        let found = line.contains(text);
        said.push_str(&line);
        said.push('\n');
        if found {
            return said;
        }
    }
    panic!("it ended before it said '{text}':\n{said}");
}

#[test]
fn a_kernel_is_watched() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let shaders = folder.path().join("shaders");
    copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders"), &shaders);
    let file = shaders.join("unary.wgsl");
    let before = std::fs::read_to_string(&file).expect("a shader");
    let options = "tanh --segments 2 --repeats 2";
    let mut watch = cola(&format!("watch {} {options}", file.display()));
    let mut child = watch.stdout(Stdio::piped()).spawn().expect("the program starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let child = Watching::new(child);
    wait_for(&mut lines, "right, off by 0e0");
    for (from, to, answers) in [
        ("tanh(x[i])", "1.001 * tanh(x[i])", "WRONG, off by 1e-3"),
        ("tanh(x[i])", "tanh(z[i])", "unary.wgsl:"),
        ("@binding(1)", "@binding(1) var<storage, read> x2: array<f32>;\n@group(0) @binding(2)", "declares 3 bindings"),
        ("tanh(x[i])", "tanh(x[i]) ", "right, off by 0e0"),
    ] {
        assert!(before.contains(from), "{from}");
        std::fs::write(&file, before.replace(from, to)).expect("a shader");
        wait_for(&mut lines, answers);
    }
    drop(child);

    std::fs::write(&file, before.replace("tanh(x[i])", "1.001 * tanh(x[i])")).expect("a shader");
    let out = output(&format!("watch {} {options} --once", file.display()));
    assert!(!out.status.success() && text(&out.stdout).contains("WRONG"), "{}", text(&out.stdout));
    refuse(&output(&format!("watch {} nothing_like_it", file.display())), &["unary.wgsl", "nothing_like_it"]);
    refuse(&output("watch README.md"), &["README.md", "folder shaders"]);
    refuse(&output("watch gone.wgsl"), &["gone.wgsl", "cannot read"]);
}

#[test]
fn ladders_are_climbed() {
    let said = succeed("bench ladders sum");
    assert!(said.contains("sum_4_vec4") && said.contains("ops/reduce.rs") && !said.contains("WRONG"), "{said}");
    refuse(&output("bench ladders snakes"), &["snakes"]);
}

#[test]
fn adapters_are_compared_by_a_line_each() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("mine.json").display().to_string();
    let measured = succeed(&format!("bench adapters --json {file}"));
    assert!(measured.starts_with("| adapter |") && measured.lines().count() >= 3, "{measured}");
    assert_eq!(succeed(&format!("bench adapters --table {file}")), measured);
    let lines = json(&file);
    let lines = lines.as_array().expect("a list");
    assert!(lines.iter().all(|line| line["training_segments_per_second"].as_f64().is_some_and(|x| x > 0.0)));
    assert!(lines.iter().all(|line| line["failed_tests"] == 0), "{lines:?}");
    refuse(&output("bench adapters --table gone.json"), &["gone.json", "cannot read"]);
}

#[test]
fn equations_are_explained() {
    let all = succeed("explain");
    assert!(all.lines().count() > 20 && all.contains("similarity"), "{all}");
    let said = succeed("explain similarity attention");
    assert!(said.contains("zᵀ W z'") && said.contains("src/ops/attention.rs:") && !said.contains(":?"), "{said}");
    refuse(&output("explain phlogiston"), &["phlogiston", "cola explain"]);
}

#[test]
fn a_trace_has_kernels_threads_and_steps() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let trace = folder.path().join("trace.json").display().to_string();
    let run = folder.path().join("run");
    let mut command = cola(&format!("pretrain {} --out {} --batch 2 --steps 3", train_folder(), run.display()));
    let out = command.env("COLA_TRACE", format!("chrome:{trace}")).output().expect("the program starts");
    assert!(out.status.success(), "{}", text(&out.stderr));
    let events = json(&trace);
    let events = events.as_array().expect("events");
    let count = |name: &str| events.iter().filter(|event| event["ph"] == "X" && event["name"] == name).count();
    assert_eq!((count("record a step"), count("adam")), (3, 3));
    assert!(count("decode") >= 6 && count("submit") > 3);
    let kernels: Vec<&Value> = events.iter().filter(|event| event["ph"] == "X" && event["tid"] == 0).collect();
    assert!(kernels.len() > 500 && kernels.iter().all(|event| event["ts"].as_f64().is_some_and(|ts| ts >= 0.0)));
    for (value, parts) in [("3", ["COLA_TRACE=3", "chrome:FILE"]), ("chrome:/nowhere/x", ["/nowhere/x", "trace"])] {
        refuse(&cola("data").env("COLA_TRACE", value).output().expect("the program starts"), &parts);
    }
}
