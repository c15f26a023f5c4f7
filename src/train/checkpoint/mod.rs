//! Checkpoints that survive `kill -9` at any moment.
//!
//! ```text
//! RUN/checkpoints/step-200/model.safetensors   weights and running statistics: timm's names, torch's layouts
//!                          optim.safetensors   the two moments of Adam
//!                          state.json          step, schedule, scaling of the input, best loss, versions
//! RUN/checkpoints/last                         the name of a folder, as is `best`
//! ```
//!
//! A checkpoint is written into `step-N.tmp`, forced to the disk, and renamed as a whole; then `best` and `last` are
//! replaced, each in one step; only then are the folders that neither names deleted. Whoever reads follows `last`, and
//! so sees the old checkpoint or the new one, never half of each.

mod error;
mod tensors;
#[cfg(test)]
mod tests;
mod timm;
mod weights;

pub use error::CheckpointError;
pub use weights::{ModelInfo, Part, Weights, write_weights};

use super::atomic::{WriteError, sync_folder_of, write_atomic};
use crate::frontend::InputNorm;
use crate::nn::network::Stored;
use crate::nn::{NamedArray, Slab};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Version of the layout that is written here, and the latest that is read.
const FORMAT: u32 = 1;
const FOLDER: &str = "checkpoints";
const LAST: &str = "last";
const BEST: &str = "best";
const MODEL_FILE: &str = "model.safetensors";
const OPTIM_FILE: &str = "optim.safetensors";
const STATE_FILE: &str = "state.json";
/// What the moments of Adam are called, in front of the parameter's name.
const MOMENTS: [(&str, Slab); 2] = [("first_moment.", Slab::FirstMoments), ("second_moment.", Slab::SecondMoments)];

/// Where a run stands, besides what is on the device. Data order, crops, noise, learning rate and stochastic depth
/// follow from the configuration and the step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunState {
    /// Steps done.
    pub step: u64,
    /// Length of the run in steps, which the learning rate follows.
    pub total_steps: u64,
    /// Wall time spent on it, in seconds.
    pub seconds: f64,
    /// The lowest loss at a checkpoint; `f32::MAX` before the first.
    pub best_loss: f32,
    /// How the encoder's input is scaled.
    pub input_norm: InputNorm,
    /// Name of the recipe.
    pub recipe: String,
    /// Hash of everything in the configuration that decides what is computed.
    pub config_hash: String,
    /// How many clips the run is made from, and a checksum of them.
    pub data: String,
}

impl RunState {
    /// Before the first step.
    pub fn new(input_norm: InputNorm, recipe: &str, config_hash: String, data: String) -> RunState {
        let (step, total_steps, seconds, best_loss) = (0, 0, 0.0, f32::MAX);
        RunState { step, total_steps, seconds, best_loss, input_norm, recipe: recipe.to_string(), config_hash, data }
    }
}

/// `state.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct StateFile {
    format_version: u32,
    cola_version: String,
    /// For people: results are bit-equal on the same adapter and driver only.
    adapter: String,
    driver: String,
    #[serde(flatten)]
    run: RunState,
}

/// A checkpoint on the host.
struct Contents {
    model: Vec<NamedArray>,
    info: ModelInfo,
    moments: Vec<NamedArray>,
    state: StateFile,
}

/// Where the run in this folder stands at its last checkpoint; `None` where there is none yet.
///
/// # Errors
/// A checkpoint that is there but cannot be read.
pub fn find(run: &Path) -> Result<Option<RunState>, CheckpointError> {
    last_folder(run)?.map(|folder| read_state(&folder)).transpose()
}

/// Puts the last checkpoint of a run into the model: weights, running statistics, moments.
///
/// # Errors
/// No checkpoint, one of another configuration than `config_hash` stands for or of another model, damaged files.
pub fn load(run: &Path, model: &dyn Stored, config_hash: &str) -> Result<RunState, CheckpointError> {
    let folder = last_folder(run)?.ok_or_else(|| CheckpointError::Nothing { path: run.to_owned() })?;
    let state = read_state(&folder)?;
    if state.config_hash != config_hash {
        return Err(CheckpointError::ConfigChanged { path: folder.join(STATE_FILE) });
    }
    let weights = Weights::open(&folder)?;
    let moments_path = folder.join(OPTIM_FILE);
    let moments = tensors::read(&moments_path, |_| true)?.arrays;
    let shapes = weights::param_shapes(model.params());
    let wanted: Vec<_> = MOMENTS
        .iter()
        .flat_map(|(prefix, _)| shapes.iter().map(move |(name, shape)| (format!("{prefix}{name}"), shape.clone())))
        .collect();
    weights::check(&moments_path, &wanted, &moments.iter().collect::<Vec<_>>())?;
    weights.load_into(model, Part::Whole)?;
    for array in &moments {
        for (prefix, slab) in MOMENTS {
            if let Some(name) = array.name.strip_prefix(prefix) {
                model.params().write(slab, name, &array.data).expect("names and shapes were checked above");
            }
        }
    }
    Ok(state)
}

/// Saves a checkpoint, which becomes the last one and, if `best`, the best one; older ones go, but for the best.
/// Waits for the device.
///
/// # Errors
/// A full disk, mostly. The checkpoint before is then intact.
pub fn save(run: &Path, model: &dyn Stored, state: &RunState, best: bool) -> Result<(), CheckpointError> {
    let named = |prefix: &str, slab| {
        let rename = |array: NamedArray| NamedArray { name: format!("{prefix}{}", array.name), ..array };
        model.params().read_all(slab).into_iter().map(rename).collect::<Vec<_>>()
    };
    let cola_version = env!("CARGO_PKG_VERSION").to_string();
    let caps = model.params().grads().gpu().caps();
    let contents = Contents {
        model: [named("", Slab::Values), model.state().read_all()].concat(),
        info: ModelInfo::new(&state.recipe, state.input_norm, model.network()),
        moments: MOMENTS.iter().flat_map(|&(prefix, slab)| named(prefix, slab)).collect(),
        state: StateFile {
            format_version: FORMAT,
            cola_version,
            adapter: caps.adapter.clone(),
            driver: caps.driver.clone(),
            run: state.clone(),
        },
    };
    write(run, &contents, best).map_err(|source| {
        let kept = match find(run) {
            Ok(Some(earlier)) => format!("; the checkpoint of step {} is intact", earlier.step),
            Ok(None) | Err(_) => String::new(),
        };
        CheckpointError::Save { step: state.step, source, kept }
    })
}

fn write(run: &Path, contents: &Contents, best: bool) -> Result<(), WriteError> {
    let folder = run.join(FOLDER);
    let step = contents.state.run.step;
    let temporary = folder.join(format!("step-{step}.tmp"));
    create_folder(&temporary)?;
    let result = write_files(&temporary, contents).and_then(|()| {
        let name = free_name(&folder, step);
        let path = folder.join(&name);
        fs::rename(&temporary, &path).and_then(|()| sync_folder_of(&path)).map_err(|e| WriteError::new(&path, e))?;
        let point = |pointer: &str| write_atomic(&folder.join(pointer), |file| writeln!(file, "{name}"));
        // In this order: killed between the two, the run goes on from the checkpoint before and comes here again.
        if best {
            point(BEST)?;
        }
        point(LAST)
    });
    remove_others(&folder);
    result
}

fn create_folder(path: &Path) -> Result<(), WriteError> {
    fs::create_dir_all(path).map_err(|source| WriteError::new(path, source))
}

fn write_files(folder: &Path, contents: &Contents) -> Result<(), WriteError> {
    let write = |name: &str, bytes: Vec<u8>| write_atomic(&folder.join(name), |file| file.write_all(&bytes));
    let note = serde_json::to_string(&contents.info).expect("plain values make valid JSON");
    write(MODEL_FILE, tensors::encode(&contents.model, Some(note)))?;
    write(OPTIM_FILE, tensors::encode(&contents.moments, None))?;
    write(STATE_FILE, serde_json::to_vec_pretty(&contents.state).expect("plain values make valid JSON"))
}

/// `step-N`; where a run comes to a step again whose checkpoint `best` or `last` still names, `step-N.2` and so on.
fn free_name(folder: &Path, step: u64) -> String {
    let mut name = format!("step-{step}");
    let mut copy = 2;
    while folder.join(&name).exists() {
        name = format!("step-{step}.{copy}");
        copy += 1;
    }
    name
}

/// Deletes the folders that neither pointer names, those of an attempt that failed among them.
fn remove_others(folder: &Path) {
    let mut named = Vec::new();
    for pointer in [LAST, BEST] {
        match fs::read_to_string(folder.join(pointer)) {
            Ok(name) => named.push(name.trim().to_string()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // What cannot be read may name any of them.
            Err(_) => return,
        }
    }
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("step-") && !named.contains(&name) {
            // Best effort: a folder that stays is tried again after the next checkpoint.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The folder of a run's last checkpoint.
fn last_folder(run: &Path) -> Result<Option<PathBuf>, CheckpointError> {
    let pointer = run.join(FOLDER).join(LAST);
    let damaged = |detail: String| CheckpointError::Damaged { path: pointer.clone(), detail };
    let name = match fs::read_to_string(&pointer) {
        Ok(text) => text.trim().to_string(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(damaged("not a text".into())),
        Err(source) => return Err(CheckpointError::Read { path: pointer, source }),
    };
    let folder = run.join(FOLDER).join(&name);
    if name.is_empty() || !folder.is_dir() {
        return Err(damaged(format!("names '{name}', which is no folder beside it")));
    }
    Ok(Some(folder))
}

fn read_state(folder: &Path) -> Result<RunState, CheckpointError> {
    let path = folder.join(STATE_FILE);
    let text = fs::read(&path).map_err(|source| CheckpointError::Read { path: path.clone(), source })?;
    parse::<StateFile>(&path, &text).map(|state| state.run)
}

/// Our JSON from a file, which a later version of this program may have written in another way.
fn parse<T: DeserializeOwned>(path: &Path, text: &[u8]) -> Result<T, CheckpointError> {
    #[derive(Deserialize)]
    struct Version {
        format_version: u32,
    }
    let damaged = |error: serde_json::Error| CheckpointError::Damaged {
        path: path.to_owned(),
        detail: format!("its JSON cannot be read ({error})"),
    };
    let found = serde_json::from_slice::<Version>(text).map_err(damaged)?.format_version;
    if found > FORMAT {
        return Err(CheckpointError::Newer { path: path.to_owned(), found, known: FORMAT });
    }
    serde_json::from_slice(text).map_err(damaged)
}
