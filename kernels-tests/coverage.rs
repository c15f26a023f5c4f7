//! Every shader is legal WGSL as it stands, carries its header, is used by an op and named by a test. Needs no GPU.

use cola::gpu::wgsl::compose;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// `(path under shaders/, text)` of every kernel; the snippets of `lib/` are pasted into them.
fn kernels() -> Vec<(String, String)> {
    let shaders = root().join("shaders");
    let name = |p: &PathBuf| p.strip_prefix(&shaders).expect("under shaders").to_string_lossy().replace('\\', "/");
    let text = |p: &PathBuf| fs::read_to_string(p).expect("a readable shader");
    files(&shaders, "wgsl").iter().map(|p| (name(p), text(p))).filter(|(n, _)| !n.starts_with("lib/")).collect()
}

fn all_text(folder: &str) -> String {
    files(&root().join(folder), "rs").iter().map(|p| fs::read_to_string(p).expect("a readable source")).collect()
}

#[test]
fn shaders_are_legal_wgsl_with_their_default_constants() {
    for (name, text) in kernels() {
        let composed = compose(&name, &text, &[]).unwrap_or_else(|e| panic!("{name}: {e}"));
        let module = naga::front::wgsl::parse_str(&composed.text)
            .unwrap_or_else(|e| panic!("{}", composed.explain(&e.emit_to_string(&composed.text))));
        naga::valid::Validator::new(naga::valid::ValidationFlags::all(), naga::valid::Capabilities::all())
            .validate(&module)
            .unwrap_or_else(|e| panic!("{name}: {}", composed.explain(&e.emit_to_string(&composed.text))));
    }
}

#[test]
fn shaders_carry_their_header() {
    for (name, text) in kernels() {
        let header: Vec<&str> = text.lines().take_while(|l| l.starts_with("//")).collect();
        let stem = name.trim_end_matches(".wgsl");
        let first = format!("// {stem} — ");
        assert!(header.first().is_some_and(|l| l.starts_with(&first)), "{name}: the first line begins '{first}'");
        for field in ["maths", "shapes", "grid", "reads", "backward", "knobs"] {
            let start = format!("// {field} ");
            assert!(header.iter().any(|l| l.starts_with(&start)), "{name}: the header lacks '{field}'");
        }
        for sparse in header.iter().filter_map(|l| l.strip_prefix("// sparse ")) {
            assert!(text.contains(&format!("> {}: array", sparse.trim())), "{name}: '{sparse}' is no binding");
        }
    }
}

#[test]
fn shaders_are_used_by_an_op_and_named_by_a_test() {
    let (sources, tests) = (all_text("src"), all_text("kernels-tests"));
    for (name, _) in kernels() {
        assert!(sources.contains(&format!("kernel!(\"{name}\")")), "{name} is used by no op");
        assert!(tests.contains(&name), "{name} is named by no test");
    }
}

/// The binding limit of the portable tier.
#[test]
fn shaders_bind_at_most_eight_buffers() {
    for (name, text) in kernels() {
        let bindings = compose(&name, &text, &[]).expect("composes").bindings.len();
        assert!(bindings <= 8, "{name}: {bindings} storage bindings");
    }
}
