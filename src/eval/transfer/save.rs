//! A classifier for other people: encoder and linear layer as safetensors, with the names of the labels.

use super::{Fitted, Task};
use crate::eval::encoder::Encoder;
use crate::nn::backbone::Features;
use crate::nn::network::NetworkConfig;
use crate::nn::{NamedArray, Slab};
use crate::train::atomic::{WriteError, write_atomic};
use crate::train::checkpoint::{ModelInfo, write_weights};
use std::io::Write;
use std::path::Path;

/// Writes `model.safetensors` (the encoder, an EfficientNet under timm's names, `classifier.weight` `[labels, features]` and
/// `classifier.bias`, which stand behind the encoder's vectors: the pooled map where it was trained through that) and
/// `labels.json`, their names in order, into a folder.
///
/// The file is also weights of an encoder as any other: what reads those passes over the classifier.
///
/// # Errors
/// [`WriteError`].
pub fn save(folder: &Path, encoder: &Encoder, task: &Task, fitted: &Fitted) -> Result<(), WriteError> {
    std::fs::create_dir_all(folder).map_err(|source| WriteError::new(folder, source))?;
    let (weight, bias) = fitted.classifier.clone();
    let labels = task.labels.len();
    let network = encoder.network();
    let mut arrays = network.params().read_all(Slab::Values);
    arrays.extend(network.state().read_all());
    arrays.retain(|array| network.is_encoder(&array.name));
    let features = weight.len() / labels;
    arrays.push(NamedArray { name: "classifier.weight".into(), shape: vec![labels, features], data: weight });
    arrays.push(NamedArray { name: "classifier.bias".into(), shape: vec![labels], data: bias });
    let mut config = network.network();
    if let NetworkConfig::Cola(config) = &mut config
        && features == network.trained_len()
    {
        config.features = Features::Pooled;
    }
    let info = ModelInfo::new("transfer", encoder.front_end().norm, config);
    write_weights(&folder.join("model.safetensors"), &arrays, Some(&info))?;
    write_atomic(&folder.join("labels.json"), |file| {
        serde_json::to_writer_pretty(&mut *file, &task.labels)?;
        file.write_all(b"\n")
    })
}
