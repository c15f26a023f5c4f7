//! The WGSL composer: files stay legal WGSL, and only three things happen to them.
//!
//! * `//!use lib/reduce.wgsl` pastes that file once, at that place;
//! * a [`Spec`](super::Spec) replaces the right-hand side of an existing `const NAME: u32 = 16u;` or `alias NAME = f32;`
//!   (anything else is an error), or pastes another snippet with the same interface where it names one, so a kernel is
//!   specialised without a template engine;
//! * the binding lines are scanned, so that the host never states a layout twice.
//!
//! A line map turns the compiler's line numbers back into `file:line`.

use super::kernel::Value;
use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;

macro_rules! library {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $path)))),*]
    };
}

/// The snippets that `//!use` can paste.
const LIBRARY: &[(&str, &str)] = library! {
    "lib/activation.wgsl",
    "lib/attention.wgsl",
    "lib/eight_rows.wgsl",
    "lib/eight_rows_lanes.wgsl",
    "lib/fft.wgsl",
    "lib/finite.wgsl",
    "lib/halo.wgsl",
    "lib/halo_shuffle.wgsl",
    "lib/index.wgsl",
    "lib/noise.wgsl",
    "lib/on_load.wgsl",
    "lib/out.wgsl",
    "lib/out_f16x4.wgsl",
    "lib/random.wgsl",
    "lib/own_positions.wgsl",
    "lib/own_positions_x4.wgsl",
    "lib/raw_strip.wgsl",
    "lib/reduce.wgsl",
    "lib/reduce_columns.wgsl",
    "lib/stored.wgsl",
    "lib/stored_f16x2.wgsl",
    "lib/stored_f16x4.wgsl",
    "lib/strip.wgsl",
    "lib/total.wgsl",
    "lib/total_of_vector.wgsl",
    "lib/wide.wgsl",
    "lib/wide_u64.wgsl",
    "lib/words.wgsl",
    "lib/words_f16.wgsl",
    "lib/words_f32x2.wgsl",
};

/// How a binding may be used, as the shader declares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The number in `@binding(N)`.
    pub index: u32,
    /// True for `var<storage, read_write>`.
    pub writable: bool,
}

/// A composed shader.
#[derive(Debug)]
pub struct Composed {
    /// WGSL text for the driver.
    pub text: String,
    /// Storage bindings of group 0, by index.
    pub bindings: Vec<Binding>,
    /// Whether the text declares a `var<immediate>`.
    pub has_immediates: bool,
    lines: Vec<(String, u32)>,
}

impl Composed {
    /// `file:line` of a line (1-based) of the composed text.
    pub fn locate(&self, line: u32) -> String {
        match self.lines.get((line as usize).saturating_sub(1)) {
            Some((file, line)) => format!("{file}:{line}"),
            None => format!("line {line}"),
        }
    }

    /// The files whose lines it is made of, under `shaders/`.
    pub fn files(&self) -> BTreeSet<String> {
        self.lines.iter().map(|(file, _)| file.clone()).collect()
    }

    /// Rewrites `wgsl:12:5` in a compiler message to the source file's own line, and the numbers beside quoted lines.
    pub fn explain(&self, message: &str) -> String {
        let mut out = String::new();
        for part in message.split_inclusive('\n') {
            let quoted =
                part.split_once(" │").and_then(|(number, rest)| Some((number.trim().parse().ok()?, number, rest)));
            if let Some((line, number, rest)) = quoted {
                let own = self.lines.get(usize::wrapping_sub(line, 1)).map_or(line, |(_, own)| *own as usize);
                out.push_str(&format!("{own:>width$} │{rest}", width = number.chars().count()));
                continue;
            }
            match part.find("wgsl:") {
                Some(at) => {
                    let rest = &part[at + 5..];
                    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
                    match digits.parse() {
                        Ok(line) => {
                            out.push_str(&part[..at]);
                            out.push_str(&self.locate(line));
                            out.push_str(&rest[digits.len()..]);
                        }
                        Err(_) => out.push_str(part),
                    }
                }
                None => out.push_str(part),
            }
        }
        out
    }
}

/// Which text of a shader counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Sources {
    /// What lies in `SHADERS_DIR` when that is set (for editing while running), else what is compiled in.
    #[default]
    Edited,
    /// What is compiled in: the reference that an edited one is checked against.
    Embedded,
    /// What lies in this folder.
    Folder(PathBuf),
}

/// Reads a shader.
///
/// # Errors
/// A file that is not in the folder that counts, or cannot be read.
pub fn source(path: &str, embedded: &'static str, sources: &Sources) -> Result<String, String> {
    let (folder, why) = match sources {
        Sources::Embedded => (None, ""),
        Sources::Folder(folder) => (Some(folder.clone()), ""),
        Sources::Edited => (std::env::var_os("SHADERS_DIR").map(PathBuf::from), " (SHADERS_DIR is set)"),
    };
    let Some(folder) = folder else { return Ok(embedded.to_string()) };
    let file = folder.join(path);
    std::fs::read_to_string(&file).map_err(|e| format!("{}: {e}{why}", file.display()))
}

/// Composes `text` (from `path`) with the given constants.
///
/// ```
/// use cola::gpu::wgsl::compose;
///
/// let text = "//!use lib/index.wgsl\nconst WG: u32 = 64u;\n";
/// let composed = compose("mine.wgsl", text, &[("WG", 8u32.into())])?;
/// assert!(composed.text.contains("fn flat_group") && composed.text.contains("const WG: u32 = 8u;"));
/// assert_eq!(composed.locate(1), "lib/index.wgsl:1");
/// # Ok::<(), String>(())
/// ```
///
/// # Errors
/// A snippet that does not exist, a constant that the file does not declare, a binding line that cannot be read.
pub fn compose(path: &str, text: &str, spec: &[(&str, Value)]) -> Result<Composed, String> {
    compose_from(&Sources::default(), path, text, spec)
}

/// The same with snippets from there.
///
/// # Errors
/// As [`compose`].
pub fn compose_from(sources: &Sources, path: &str, text: &str, spec: &[(&str, Value)]) -> Result<Composed, String> {
    let mut out = Composed { text: String::new(), bindings: Vec::new(), has_immediates: false, lines: Vec::new() };
    let mut used = HashSet::new();
    let mut replaced = HashSet::new();
    paste(sources, path, text, spec, (&mut out, &mut used, &mut replaced))?;
    if let Some((name, _)) = spec.iter().find(|(name, _)| !replaced.contains(*name)) {
        return Err(format!(
            "{path} declares no module-level `const {name}` or `alias {name}`, and uses no such snippet"
        ));
    }
    out.bindings.sort_by_key(|b| b.index);
    Ok(out)
}

fn paste(
    sources: &Sources,
    path: &str,
    text: &str,
    spec: &[(&str, Value)],
    (out, used, replaced): (&mut Composed, &mut HashSet<String>, &mut HashSet<String>),
) -> Result<(), String> {
    for (number, line) in text.lines().enumerate() {
        let here = || format!("{path}:{}", number + 1);
        // ANCHOR: snippet
        if let Some(snippet) = line.strip_prefix("//!use ") {
            let mut snippet = snippet.trim();
            if let Some((name, Value::Name(other))) = spec.iter().find(|(name, _)| *name == snippet) {
                replaced.insert((*name).to_string());
                snippet = other;
            }
            if used.insert(snippet.to_string()) {
                let embedded = LIBRARY
                    .iter()
                    .find(|(name, _)| *name == snippet)
                    .ok_or_else(|| format!("{}: no snippet '{snippet}' in the library", here()))?
                    .1;
                let text = source(snippet, embedded, sources)?;
                paste(sources, snippet, &text, spec, (out, used, replaced))?;
            }
            continue;
        }
        // ANCHOR_END: snippet
        if line.contains("var<storage") {
            out.bindings.push(binding(line).ok_or_else(|| format!("{}: unreadable binding", here()))?);
        }
        out.has_immediates |= line.contains("var<immediate>");
        // ANCHOR: constant
        let line = match declared(line).and_then(|name| spec.iter().find(|(n, _)| *n == name)) {
            Some((name, value)) => {
                replaced.insert((*name).to_string());
                let head = line.split('=').next().unwrap_or(line);
                format!("{head}= {};", value.wgsl())
            }
            None => line.to_string(),
        };
        // ANCHOR_END: constant
        out.text.push_str(&line);
        out.text.push('\n');
        out.lines.push((path.to_string(), number as u32 + 1));
    }
    Ok(())
}

/// The name that a module-level `const` or `alias` line declares.
fn declared(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("const ").or_else(|| line.strip_prefix("alias "))?;
    rest.split([':', '=', ' ']).next()
}

/// `@group(0) @binding(1) var<storage, read_write> y: array<f32>;`
fn binding(line: &str) -> Option<Binding> {
    let at = line.find("@binding(")? + "@binding(".len();
    let index = line[at..].split(')').next()?.trim().parse().ok()?;
    Some(Binding { index, writable: line.contains("read_write") })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
//!use lib/index.wgsl
const K: u32 = 3u;
const ACT: bool = false;
alias Elem = f32;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(0) var<storage, read> x: array<f32>;
";

    #[test]
    fn constants_are_rewritten_and_bindings_found() {
        let spec = [("K", Value::U32(5)), ("ACT", Value::Bool(true)), ("Elem", Value::Name("u32"))];
        let out = compose("t.wgsl", TEXT, &spec).expect("composes");
        assert!(out.text.contains("const K: u32 = 5u;"));
        assert!(out.text.contains("const ACT: bool = true;"));
        assert!(out.text.contains("alias Elem = u32;"));
        assert_eq!(out.bindings[0], Binding { index: 0, writable: false });
        assert_eq!(out.bindings[1], Binding { index: 1, writable: true });
    }

    #[test]
    fn unknown_constants_and_snippets_are_errors() {
        let error = compose("t.wgsl", TEXT, &[("M", Value::U32(1))]).expect_err("no such constant");
        assert!(error.contains("const M"), "{error}");
        let error = compose("t.wgsl", "//!use lib/none.wgsl\n", &[]).expect_err("no such snippet");
        assert!(error.contains("t.wgsl:1"), "{error}");
    }

    #[test]
    fn a_snippet_is_pasted_once_and_lines_map_back() {
        let text = "//!use lib/index.wgsl\n//!use lib/index.wgsl\nfn a() {}\n";
        let out = compose("t.wgsl", text, &[]).expect("composes");
        assert_eq!(out.text.matches("fn flat_group").count(), 1);
        let last = out.text.lines().count() as u32;
        assert_eq!(out.locate(last), "t.wgsl:3");
        assert_eq!(out.explain(&format!("error at wgsl:{last}:4")), "error at t.wgsl:3:4");
        let quoted = format!("{last} │ fn a() {{}}\n   │    ^ here\n");
        let width = last.to_string().len();
        assert_eq!(out.explain(&quoted), format!("{:>width$} │ fn a() {{}}\n   │    ^ here\n", 3));
    }
}
