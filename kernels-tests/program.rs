//! The program `cola` as a process, for the tests that run it.

use std::process::{Command, Output, Stdio};

/// The program with these arguments, on the adapter that the tests are to use.
pub fn cola(args: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cola"));
    command.args(args.split_whitespace()).stdin(Stdio::null());
    if [
        "augment", "pretrain", "probe", "transfer", "compare", "sweep", "embed", "map", "mel", "report", "bench",
        "hear", "import", "sample", "watch",
    ]
    .iter()
    .any(|c| args.starts_with(c))
        // which takes every adapter there is
        && !args.starts_with("bench adapters")
    {
        // the user's own choices are neither needed nor added to
        command.arg("--no-tune");
        if let Ok(adapter) = std::env::var("COLA_ADAPTER") {
            command.args(["--adapter", &adapter]);
        }
    }
    command
}

/// Runs it to its end, good or bad.
pub fn output(args: &str) -> Output {
    cola(args).output().expect("the program starts")
}

/// What it said.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs to a good end and returns standard output.
#[track_caller]
pub fn succeed(args: &str) -> String {
    let out = output(args);
    assert!(out.status.success(), "cola {args}\n{}{}", text(&out.stdout), text(&out.stderr));
    text(&out.stdout)
}

/// Fails with exit code 1 and one line of error that holds all of `parts`.
#[track_caller]
pub fn refuse(out: &Output, parts: &[&str]) {
    let stderr = text(&out.stderr);
    assert_eq!(out.status.code(), Some(1), "{stderr}");
    let errors: Vec<&str> = stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{stderr}");
    assert_eq!(stderr.lines().last(), Some(errors[0]), "the error comes last: {stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    for part in parts {
        assert!(errors[0].contains(part), "'{part}' is missing from: {}", errors[0]);
    }
}
