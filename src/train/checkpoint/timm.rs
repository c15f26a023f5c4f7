//! From an EfficientNet that timm trained on pictures to an encoder of log-mels.

use super::{CheckpointError, ModelInfo, Weights, write_weights};
use crate::nn::backbone::PREFIX;
use crate::train::atomic::WriteError;
use std::path::Path;

const STEM: &str = "encoder.conv_stem.weight";
const COLOURS: usize = 3;

impl Weights {
    /// The encoder in a file with timm's names of `tf_efficientnet_b0`.
    ///
    /// The filters of the first layer are summed over the colours, which is what they make of a grey picture; so does
    /// timm when asked for one channel. A classifier and heads are left behind.
    ///
    /// # Errors
    /// Those of [`open`](Weights::open), and a tensor that is missing, unexpected, or of another shape.
    pub fn import(source: &Path) -> Result<Weights, CheckpointError> {
        let mut weights = Weights::open(source)?;
        weights.arrays.retain(|array| array.name.starts_with(PREFIX));
        let stem = weights.arrays.iter_mut().find(|array| array.name == STEM);
        if let Some(stem) = stem
            && let [filters, COLOURS, rows, columns] = stem.shape[..]
        {
            let taps = rows * columns;
            let sum = |f: usize, tap: usize| {
                let colours = (0..COLOURS).map(|c| f64::from(stem.data[(f * COLOURS + c) * taps + tap]));
                colours.sum::<f64>() as f32
            };
            stem.data = (0..filters).flat_map(|f| (0..taps).map(move |tap| (f, tap))).map(|(f, t)| sum(f, t)).collect();
            stem.shape[1] = 1;
        }
        weights.encoder()?;
        Ok(weights)
    }

    /// Writes them to a `.safetensors` file, with `info` where something is known about their input.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write(&self, path: &Path, info: Option<&ModelInfo>) -> Result<(), WriteError> {
        write_weights(path, &self.arrays, info)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tensors::encode;
    use super::*;
    use crate::nn::NamedArray;
    use crate::nn::efficientnet::EfficientNet;
    use crate::nn::layers::Initial;
    use std::fs;

    /// The tensors of timm's network for pictures, with every value drawn.
    fn pictures() -> Vec<NamedArray> {
        let mut initial = Initial::default();
        EfficientNet::initial(&mut initial);
        let mut arrays = [initial.params, initial.state].concat();
        for array in &mut arrays {
            array.name = array.name.trim_start_matches(PREFIX).to_string();
        }
        let stem = arrays.iter_mut().find(|array| array.name == "conv_stem.weight").unwrap();
        stem.shape[1] = COLOURS;
        stem.data = (0..32 * 27).map(|i| ((i * 7919) % 1009) as f32 / 512.0 - 0.97).collect();
        let more = |name: &str, shape: &[usize]| NamedArray {
            name: name.into(),
            shape: shape.to_vec(),
            data: vec![0.5; shape.iter().product()],
        };
        arrays.extend([more("classifier.weight", &[10, 1280]), more("classifier.bias", &[10])]);
        arrays.push(more("bn1.num_batches_tracked", &[]));
        arrays
    }

    #[test]
    fn the_stem_is_summed_over_colours_and_the_rest_is_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let [from, to] = ["timm.safetensors", "ours.safetensors"].map(|name| folder.path().join(name));
        let pictures = pictures();
        fs::write(&from, encode(&pictures, None)).unwrap();
        Weights::import(&from).unwrap().write(&to, None).unwrap();
        let ours = Weights::open(&to).unwrap();
        let by_name = ours.encoder().unwrap();
        assert_eq!(by_name.len(), pictures.len() - 3);
        for picture in pictures.iter().filter(|array| by_name.contains_key(format!("{PREFIX}{}", array.name).as_str()))
        {
            let found = by_name[format!("{PREFIX}{}", picture.name).as_str()];
            if found.name != STEM {
                assert_eq!((&found.shape, &found.data), (&picture.shape, &picture.data), "{}", found.name);
                continue;
            }
            assert_eq!(found.shape, [32, 1, 3, 3]);
            for (i, &sum) in found.data.iter().enumerate() {
                let colour = |c| f64::from(picture.data[(i / 9 * 3 + c) * 9 + i % 9]);
                assert_eq!(sum, (colour(0) + colour(1) + colour(2)) as f32, "tap {i}");
            }
        }
        // a second time there is nothing left to sum
        let again = Weights::import(&to).unwrap();
        assert_eq!(again.encoder().unwrap()[STEM], by_name[STEM]);
    }

    #[test]
    fn other_networks_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.safetensors");
        let refused = |arrays: &[NamedArray]| {
            fs::write(&file, encode(arrays, None)).unwrap();
            let text = Weights::import(&file).unwrap_err().to_string();
            assert!(!text.contains('\n'), "{text}");
            text
        };
        let mut arrays = pictures();
        arrays.retain(|array| array.name != "blocks.2.1.conv_dw.weight");
        arrays.push(NamedArray { name: "blocks.9.0.conv_dw.weight".into(), shape: vec![1], data: vec![1.0] });
        let text = refused(&arrays);
        for part in
            ["1 missing (encoder.blocks.2.1.conv_dw.weight)", "1 unexpected (encoder.blocks.9.0.conv_dw.weight)"]
        {
            assert!(text.contains(part), "{text}");
        }
        let mut arrays = pictures();
        arrays[0] = NamedArray { name: "conv_stem.weight".into(), shape: vec![32, 4, 3, 3], data: vec![0.0; 32 * 36] };
        assert!(refused(&arrays).contains("[32, 4, 3, 3]"));
    }
}
