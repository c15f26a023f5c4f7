//! `cola embed` as a person runs it.

use super::*;

/// Numbers in a vector of the default recipe.
const FEATURES: u64 = 6208;

/// Most memory that the process held, in kB, when it had come to a good end.
#[cfg(target_os = "linux")]
fn peak_kb(args: &str) -> u64 {
    let mut process = Running::start(cola(args));
    let mut peak_kb = 0;
    let ended = loop {
        if let Some(status) = process.0.try_wait().expect("a child") {
            break status;
        }
        let status = std::fs::read_to_string(format!("/proc/{}/status", process.0.id())).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        peak_kb = peak.map_or(peak_kb, |kb| kb.parse::<u64>().expect("a number"));
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(ended.success(), "cola {args}");
    peak_kb
}

/// Two hours of a tone in 8 bits at 8 kHz, most of it a hole in the file: as samples they would be 460 MB.
#[cfg(target_os = "linux")]
#[test]
fn hours_of_audio_take_no_more_memory_than_seconds() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let wav = |name: &str, seconds: u32| {
        let bytes = seconds * 8_000;
        let format = [&16u32.to_le_bytes()[..], &[1, 0, 1, 0], &8_000u32.to_le_bytes(), &8_000u32.to_le_bytes()];
        let header = [&b"RIFF"[..], &(36 + bytes).to_le_bytes(), b"WAVEfmt ", &format.concat(), &[1, 0, 8, 0], b"data"];
        let path = folder.path().join(name);
        std::fs::write(&path, [&header.concat()[..], &bytes.to_le_bytes()].concat()).expect("a file");
        let file = std::fs::File::options().write(true).open(&path).expect("the file");
        file.set_len(44 + u64::from(bytes)).expect("a sparse file");
        path.display().to_string()
    };
    let (short, long) = (wav("short.wav", 100), wav("long.wav", 2 * 3600));
    let out = folder.path().join("x.npy").display().to_string();
    let embed = |file: &str| peak_kb(&format!("embed {} {file} --out {out} --hop 20", trained().display()));
    let (few, many) = (embed(&short), embed(&long));
    assert_eq!(std::fs::metadata(&out).expect("vectors").len(), 128 + 360 * FEATURES * 4);
    assert!(few > 0 && many < few + 100_000, "{few} kB for 100 s, {many} kB for 2 h");
}

/// Killed as soon as there is something to go on from, then interrupted, then left to end.
#[cfg(unix)]
#[test]
fn an_embedding_that_was_killed_goes_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name);
    let embed = |name: &str| {
        format!("embed {} {} --hop 0.25 --out {}", trained().display(), sounds().display(), path(name).display())
    };
    let mut process = Running::start(cola(&embed("x.npy")));
    while !path("x.npy.resume.json").exists() && process.0.try_wait().expect("a child").is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(process);
    // On a fast GPU all of it may be done by now, here and below.
    if path("x.npy.resume.json").exists() {
        let otherwise = format!("{} --features pooled", embed("x.npy"));
        refuse(&output(&otherwise), &["how they are read", "length of a vector"]);
    }

    let mut process = Running::start(cola(&embed("x.npy")));
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) && process.0.try_wait().expect("a child").is_none() {
        std::thread::sleep(Duration::from_millis(20));
    }
    if process.0.try_wait().expect("a child").is_none() {
        process.interrupt();
        let mut said = String::new();
        process.0.stdout.take().expect("piped").read_to_string(&mut said).expect("text");
        if process.0.wait().expect("it ends").code() == Some(130) {
            assert!(said.contains("the same command goes on"), "{said}");
        }
    }
    succeed(&embed("x.npy"));
    succeed(&embed("whole.npy"));
    for (a, b) in [("x.npy", "whole.npy"), ("x.csv", "whole.csv")] {
        assert!(std::fs::read(path(a)).expect("a file") == std::fs::read(path(b)).expect("a file"), "{a}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 4, "nothing is left over");
}

#[test]
fn every_hop_is_a_row_with_its_time() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str| folder.path().join(name).display().to_string();
    let bell = sounds().join("test/bell/0003.wav").display().to_string();
    let embed = |options: &str| succeed(&format!("embed {} {bell} {options}", trained().display()));
    let said = embed(&format!("--hop 0.1 --out {}", file("x.csv")));
    assert!(said.contains(&format!("vectors of {FEATURES} to")) && !said.contains("names to"), "{said}");
    embed(&format!("--segments --out {}", file("x.jsonl")));

    let table = std::fs::read_to_string(file("x.csv")).expect("a table");
    let rows: Vec<Vec<&str>> = table.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let seconds = hound::WavReader::open(&bell).expect("a sound").duration() as f64 / 16_000.0;
    assert_eq!(rows.len(), ((seconds - 0.98) / 0.1 + 1e-9) as usize + 1);
    for (i, row) in rows.iter().enumerate() {
        assert_eq!((row.len(), row[0]), (2 + FEATURES as usize, &bell[..]));
        assert_eq!(row[1], (i as f64 / 10.0).to_string());
    }
    // The first segment is the same whatever the hop.
    let lines = std::fs::read_to_string(file("x.jsonl")).expect("lines");
    let first: serde_json::Value = serde_json::from_str(lines.lines().next().expect("a line")).expect("JSON");
    let numbers = first["vector"].as_array().expect("numbers").iter().map(|x| x.as_f64().expect("a number") as f32);
    assert_eq!(first["file"], bell);
    assert_eq!(
        numbers.collect::<Vec<_>>(),
        rows[0][2..].iter().map(|x| x.parse().unwrap_or(f32::NAN)).collect::<Vec<_>>()
    );
}

/// The same encoder read in other ways.
#[test]
fn features_are_those_that_were_asked_for() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let audio = sounds().join("test").display().to_string();
    let embed = |options: &str| format!("embed {} {audio} {options} --out {}", trained().display(), path("x.npy"));
    let said = succeed(&embed("--features pooled"));
    assert!(said.contains("wrote 12 vectors of 1280"), "{said}");
    refuse(&output(&embed("--features pooled --pooling maxmean")), &["trained with --pooling max"]);
    refuse(&output(&embed("--features logmel-stats")), &["logmel-stats", "cola probe", "pooled or stages"]);

    let probe = |options: &str| format!("probe {} {} --epochs 1 {options}", trained().display(), sounds().display());
    let said = succeed(&probe("--features pooled"));
    assert!(said.contains("pre-trained, pooled: accuracy") && said.contains("-pre-trained-pooled.csv"), "{said}");
    refuse(&output(&probe("--features logmel-stats --random")), &["logmel-stats", "--random"]);
}

#[test]
fn embeddings_that_cannot_be_made_are_refused_in_one_line() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let audio = sounds().join("test").display().to_string();
    let embed = |audio: &str, rest: &str| output(&format!("embed {} {audio} {rest}", trained().display()));
    refuse(&embed(&audio, &format!("--out {}", path("x.txt"))), &["x.txt", ".npy, .csv or .jsonl"]);
    refuse(&embed(&audio, &format!("--out {}", path("none/x.npy"))), &["none/x.npy", "create it first"]);
    refuse(&embed(&audio, &format!("--out {} --hop 0", path("x.npy"))), &["--hop 0", "seconds"]);
    refuse(&embed(&audio, &format!("--out {} --nearest gone.wav", path("x.npy"))), &["--nearest gone.wav"]);
    std::fs::write(path("x.csv"), "path\n").expect("a file");
    refuse(&embed(&path("x.csv"), &format!("--out {}", path("x.npy"))), &["x.csv would be written over"]);
    let empty = path("empty");
    std::fs::create_dir(&empty).expect("a folder");
    refuse(&embed(&empty, &format!("--out {}", path("x.npy"))), &[&empty, "no audio"]);
}
