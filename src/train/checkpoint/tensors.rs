//! Named arrays to and from safetensors: a JSON header with names, types, shapes and offsets, then the bytes.

use super::CheckpointError;
use crate::nn::NamedArray;
use safetensors::tensor::{Metadata, SafeTensorError, TensorView};
use safetensors::{Dtype, SafeTensors};
use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// The key of our own JSON among a file's metadata.
const METADATA_KEY: &str = "cola";

/// The bytes of a file that holds these arrays, as f32, with `note` as metadata.
pub(super) fn encode(arrays: &[NamedArray], note: Option<String>) -> Vec<u8> {
    let view = |array: &NamedArray| -> (String, Vec<u8>, Vec<usize>) {
        let bytes = array.data.iter().flat_map(|v| v.to_le_bytes()).collect();
        (array.name.clone(), bytes, array.shape.clone())
    };
    let parts: Vec<_> = arrays.iter().map(view).collect();
    let views = parts.iter().map(|(name, bytes, shape)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes).expect("as many bytes as the shape says");
        (name.as_str(), view)
    });
    let metadata = note.map(|note| HashMap::from([(METADATA_KEY.to_string(), note)]));
    safetensors::serialize(views, metadata).expect("names and shapes of a model make a valid header")
}

/// What a file holds.
pub(super) struct Decoded {
    /// Every array that was asked for, as f32.
    pub(super) arrays: Vec<NamedArray>,
    /// Our note, if the file is ours.
    pub(super) note: Option<String>,
}

/// Reads the arrays whose names `wanted` accepts, in the order of their names.
pub(super) fn read(path: &Path, wanted: impl Fn(&str) -> bool) -> Result<Decoded, CheckpointError> {
    let bytes = fs::read(path).map_err(|source| CheckpointError::Read { path: path.to_owned(), source })?;
    let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|error| explain(path, &bytes, &error))?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|error| explain(path, &bytes, &error))?;
    let note = metadata.metadata().as_ref().and_then(|entries| entries.get(METADATA_KEY).cloned());
    let mut arrays = Vec::new();
    for (name, view) in tensors.iter().filter(|(name, _)| wanted(name)) {
        let data = floats(view.dtype(), view.data()).ok_or_else(|| CheckpointError::ElementType {
            path: path.to_owned(),
            tensor: name.to_string(),
            dtype: format!("{:?}", view.dtype()),
        })?;
        if data.iter().any(|v| !v.is_finite()) {
            return Err(CheckpointError::NonFinite { path: path.to_owned(), tensor: name.to_string() });
        }
        arrays.push(NamedArray { name: name.to_string(), shape: view.shape().to_vec(), data });
    }
    arrays.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Decoded { arrays, note })
}

/// Tells a file that was cut short from one of another kind.
fn explain(path: &Path, bytes: &[u8], error: &SafeTensorError) -> CheckpointError {
    let found_bytes = bytes.len() as u64;
    let header_bytes = bytes.first_chunk().map_or(0, |&length| u64::from_le_bytes(length));
    let promised_bytes = match error {
        // A header always begins with a brace; what does not is no header cut short.
        SafeTensorError::InvalidHeaderLength if bytes.get(8) == Some(&b'{') => 8 + header_bytes,
        SafeTensorError::MetadataIncompleteBuffer => {
            let header = &bytes[8..8 + header_bytes as usize];
            let data_bytes = serde_json::from_slice::<Metadata>(header).map_or(0, |metadata| metadata.data_len());
            8 + header_bytes + data_bytes as u64
        }
        _ => 0,
    };
    let path = path.to_owned();
    if found_bytes < promised_bytes {
        CheckpointError::CutShort { path, promised_bytes, found_bytes }
    } else {
        CheckpointError::NotSafetensors { path, detail: error.to_string() }
    }
}

/// Little-endian elements as f32, `None` for types that are no usual floats.
fn floats(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    Some(match dtype {
        Dtype::F32 => bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
        Dtype::F64 => bytes.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b) as f32).collect(),
        Dtype::BF16 => bytes.as_chunks().0.iter().map(|&b| bf16(u16::from_le_bytes(b))).collect(),
        Dtype::F16 => bytes.as_chunks().0.iter().map(|&b| f16(u16::from_le_bytes(b))).collect(),
        _ => return None,
    })
}

/// bfloat16 is the upper half of an f32.
fn bf16(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// IEEE half precision: 1 bit of sign, 5 of exponent, 10 of mantissa. Every value is exact in f32.
fn f16(bits: u16) -> f32 {
    let (exponent, mantissa) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    let magnitude = match exponent {
        0 => mantissa * 2f32.powi(-24),
        31 if mantissa == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1024.0 + mantissa) * 2f32.powi(exponent - 25),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision() {
        for (bits, value) in [
            (0x0000, 0.0),
            (0x0001, 5.960_464_5e-8),
            (0x03ff, 6.097_555e-5),
            (0x0400, 6.103_515_6e-5),
            (0x3555, 0.333_251_95),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x7c00, f32::INFINITY),
        ] {
            assert_eq!(f16(bits), value, "{bits:#06x}");
        }
        assert!(f16(0x7e00).is_nan());
        assert_eq!(f16(0x8000).to_bits(), (-0.0f32).to_bits());
    }

    #[test]
    fn bfloat16() {
        assert_eq!([bf16(0x3f80), bf16(0xc040), bf16(0x3eab)], [1.0, -3.0, 0.333_984_38]);
    }
}
