//! Weights from a run, or from any file with timm's names, into a model.

use super::tensors::{self, Decoded};
use super::{CheckpointError, FORMAT, MODEL_FILE, last_folder, parse};
use crate::frontend::InputNorm;
use crate::nn::backbone::{BackboneKind, PREFIX};
use crate::nn::layers::Initial;
use crate::nn::network::{NetworkConfig, Stored};
use crate::nn::{NamedArray, ParamStore, Slab};
use crate::train::atomic::{WriteError, write_atomic};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::path::{Path, PathBuf};

/// What a `model.safetensors` of ours says about itself, besides the tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// Version of the layout of these files.
    pub format_version: u32,
    /// Version of the program that wrote it.
    pub cola_version: String,
    /// Name of the recipe it was trained by.
    pub recipe: String,
    /// How its input is scaled.
    pub input_norm: InputNorm,
    /// What it computes.
    pub model: NetworkConfig,
}

impl ModelInfo {
    /// What this version of the program says about weights.
    pub fn new(recipe: &str, input_norm: InputNorm, model: NetworkConfig) -> ModelInfo {
        let cola_version = env!("CARGO_PKG_VERSION").to_string();
        ModelInfo { format_version: FORMAT, cola_version, recipe: recipe.to_string(), input_norm, model }
    }
}

/// Which tensors are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Those of the encoder; what else the file holds is passed over.
    Encoder,
    /// All of them.
    Whole,
}

/// The weights of a model, on the host.
#[derive(Debug)]
pub struct Weights {
    path: PathBuf,
    info: Option<ModelInfo>,
    pub(super) arrays: Vec<NamedArray>,
}

impl Weights {
    /// Reads the last checkpoint of a run, the one in a checkpoint's folder, or a `.safetensors` file.
    ///
    /// A file from timm has no prefix before its names; a classifier and the batch counts in it are passed over.
    ///
    /// # Errors
    /// Nothing to read, another kind of file, one that is cut short, elements that are no floats or not finite.
    pub fn open(source: &Path) -> Result<Weights, CheckpointError> {
        let path = locate(source)?;
        let Decoded { mut arrays, note } = tensors::read(&path, is_weight)?;
        let info: Option<ModelInfo> = note.map(|note| parse(&path, note.as_bytes())).transpose()?;
        if info.is_none() && !arrays.iter().any(|array| array.name.starts_with(PREFIX)) {
            arrays.iter_mut().for_each(|array| array.name.insert_str(0, PREFIX));
        }
        Ok(Weights { path, info, arrays })
    }

    /// The file they are from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the file says about itself; `None` where it is not ours, as one from timm.
    pub fn info(&self) -> Option<&ModelInfo> {
        self.info.as_ref()
    }

    /// How many of the encoder's first stages were left at their random start while later ones were trained, which their
    /// batch norms tell: they have yet to see a batch.
    pub fn stages_at_start(&self) -> usize {
        let of_stage = |stage: usize| {
            let folders = ["blocks", "stages"].map(|folder| format!("{PREFIX}{folder}.{stage}."));
            self.arrays.iter().filter(move |array| folders.iter().any(|folder| array.name.starts_with(folder)))
        };
        let is_at_start = |array: &NamedArray| match array.name.rsplit('.').next() {
            Some("running_mean") => array.data.iter().all(|&mean| mean == 0.0),
            Some("running_var") => array.data.iter().all(|&variance| variance == 1.0),
            _ => true,
        };
        let exists = |stage| of_stage(stage).next().is_some();
        let stages = (0..).take_while(|&stage| exists(stage) && of_stage(stage).all(is_at_start)).count();
        if exists(stages) { stages } else { 0 }
    }

    /// The encoder's tensors by name, for what is done without a device.
    ///
    /// # Errors
    /// A tensor that is missing, unexpected, or of another shape.
    pub fn encoder(&self) -> Result<HashMap<&str, &NamedArray>, CheckpointError> {
        let kind = match self.info().map(|info| &info.model) {
            Some(NetworkConfig::Cola(config)) => config.encoder,
            _ => BackboneKind::default(),
        };
        let mut initial = Initial::default();
        kind.initial(&mut initial);
        let all = initial.params.into_iter().chain(initial.state);
        let wanted: Vec<_> = all.map(|array| (array.name, array.shape)).collect();
        let found: Vec<&NamedArray> = self.arrays.iter().filter(|array| array.name.starts_with(PREFIX)).collect();
        check(&self.path, &wanted, &found)?;
        Ok(found.into_iter().map(|array| (array.name.as_str(), array)).collect())
    }

    /// Puts them into a model, all or none.
    ///
    /// # Errors
    /// A tensor that is missing, unexpected, or of another shape.
    pub fn load_into(&self, model: &dyn Stored, part: Part) -> Result<(), CheckpointError> {
        let of_part = |name: &str| part == Part::Whole || model.is_encoder(name);
        let kept = model.state().names().map(|name| (name.to_string(), model.state().get(name).shape().to_vec()));
        let all = param_shapes(model.params()).into_iter().chain(kept);
        let wanted: Vec<_> = all.filter(|(name, _)| of_part(name)).collect();
        let found: Vec<&NamedArray> = self.arrays.iter().filter(|array| of_part(&array.name)).collect();
        check(&self.path, &wanted, &found)?;
        let is_state: HashSet<&str> = model.state().names().collect();
        for array in found {
            let written = match is_state.contains(array.name.as_str()) {
                true => model.state().write(&array.name, &array.data),
                false => model.params().write(Slab::Values, &array.name, &array.data),
            };
            written.expect("names and shapes were checked above");
        }
        Ok(())
    }
}

/// Writes a file that [`Weights::open`] reads, of these arrays, with `info` where something is known about them.
///
/// # Errors
/// A file that cannot be written.
pub fn write_weights(path: &Path, arrays: &[NamedArray], info: Option<&ModelInfo>) -> Result<(), WriteError> {
    let note = info.map(|info| serde_json::to_string(info).expect("plain values make valid JSON"));
    write_atomic(path, |file| file.write_all(&tensors::encode(arrays, note)))
}

/// Names and shapes of the trained tensors.
pub(super) fn param_shapes(params: &ParamStore) -> Vec<(String, Vec<usize>)> {
    params.names().map(|name| (name.to_string(), params.get(name).value.shape().to_vec())).collect()
}

/// Torch counts the batches that a batch norm saw, and timm may bring a classifier: neither is a weight here.
fn is_weight(name: &str) -> bool {
    let is_classifier = name.trim_start_matches(PREFIX).starts_with("classifier.");
    !is_classifier && !name.ends_with(".num_batches_tracked")
}

fn locate(source: &Path) -> Result<PathBuf, CheckpointError> {
    if !source.is_dir() {
        return Ok(source.to_owned());
    }
    if let Some(folder) = last_folder(source)? {
        return Ok(folder.join(MODEL_FILE));
    }
    let file = source.join(MODEL_FILE);
    if file.exists() { Ok(file) } else { Err(CheckpointError::Nothing { path: source.to_owned() }) }
}

/// Whether the arrays of a file are those of a model.
pub(super) fn check(
    path: &Path,
    wanted: &[(String, Vec<usize>)],
    found: &[&NamedArray],
) -> Result<(), CheckpointError> {
    let path = path.to_owned();
    let by_name: HashMap<&str, &[usize]> = found.iter().map(|a| (a.name.as_str(), a.shape.as_slice())).collect();
    let stem = by_name.get("encoder.conv_stem.weight");
    if stem.is_some_and(|shape| shape.len() == 4 && shape[1] == 3) {
        return Err(CheckpointError::ThreeChannels { path });
    }
    let names: HashSet<&str> = wanted.iter().map(|(name, _)| name.as_str()).collect();
    let missing: Vec<&str> = wanted.iter().map(|(n, _)| n.as_str()).filter(|n| !by_name.contains_key(n)).collect();
    let unexpected: Vec<&str> = found.iter().map(|a| a.name.as_str()).filter(|n| !names.contains(n)).collect();
    let parts: Vec<String> = [("missing", missing), ("unexpected", unexpected)]
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| format!("{} {what} ({})", names.len(), first_few(&names)))
        .collect();
    if !parts.is_empty() {
        return Err(CheckpointError::Names { path, detail: parts.join(", ") });
    }
    let mut differing = wanted.iter().filter(|(name, shape)| by_name[name.as_str()] != shape);
    let Some((tensor, shape)) = differing.next() else { return Ok(()) };
    let others = match differing.count() {
        0 => String::new(),
        n => format!(", and {n} more differ"),
    };
    let found = by_name[tensor.as_str()].to_vec();
    Err(CheckpointError::Shape { path, tensor: tensor.clone(), found, wanted: shape.clone(), others })
}

fn first_few(names: &[&str]) -> String {
    const SHOWN: usize = 3;
    let more = if names.len() > SHOWN { ", ..." } else { "" };
    format!("{}{more}", names[..names.len().min(SHOWN)].join(", "))
}
