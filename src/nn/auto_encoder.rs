//! Patches of a log-mel to codes and back: a dense auto-encoder with three layers on either side of a bottleneck, and
//! centres that k-means has found among its vectors (Verma and Smith 2020; widths and patch sizes are ours).
//!
//! ```text
//! patch [patch_frames · patch_bands] → hidden → hidden → bottleneck → hidden → hidden → patch     GELU in between
//! code = the nearest centre of the bottleneck vector
//! ```

use super::dense::Dense;
use super::network::{NetworkConfig, Stored};
use super::{Init, NamedArray, ParamStore, StateStore};
use crate::gpu::Gpu;
use crate::ops::elementwise::{Unary, unary};
use crate::ops::kmeans::{Assignment, assign};
use crate::ops::mel::LogMelConfig;
use crate::ops::patches::patches;
use crate::tape::{Ctx, Param, Var};
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// What decides the codes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CodesConfig {
    /// Frames of a patch, of the 96 of a segment.
    pub patch_frames: usize,
    /// Bands of a patch, of 64.
    pub patch_bands: usize,
    /// Numbers that a patch becomes.
    pub bottleneck: usize,
    /// Number of codes, K.
    pub codes: usize,
}

impl CodesConfig {
    /// What is wrong with it, if anything.
    pub fn complaint(&self) -> Option<String> {
        let [frames, bands] = self.whole();
        let CodesConfig { patch_frames, patch_bands, bottleneck, codes } = *self;
        let divides = |part: usize, whole: usize| part > 0 && whole.is_multiple_of(part);
        if !divides(patch_frames, frames) || !divides(patch_bands, bands) {
            return Some(format!(
                "patches of {patch_frames} x {patch_bands}: --patch-frames has to divide the {frames} frames of a segment, --patch-bands its {bands} bands"
            ));
        }
        if !self.steps().is_multiple_of(4) {
            return Some(format!("{} codes a segment: choose patches that make a multiple of 4", self.steps()));
        }
        if !(1..=1024).contains(&bottleneck) {
            return Some(format!("--bottleneck {bottleneck}: give 1 to 1024"));
        }
        (!(2..=1024).contains(&codes)).then(|| format!("--codes {codes}: give 2 to 1024"))
    }

    /// Frames and bands of a segment.
    fn whole(&self) -> [usize; 2] {
        let mel = LogMelConfig::default();
        [mel.frames(crate::audio::SEGMENT_SAMPLES), mel.bands]
    }

    /// Numbers in a patch.
    pub fn patch_len(&self) -> usize {
        self.patch_frames * self.patch_bands
    }

    /// Codes of one time, from low to high bands.
    pub fn column(&self) -> usize {
        self.whole()[1] / self.patch_bands
    }

    /// Codes of a segment.
    pub fn steps(&self) -> usize {
        self.whole()[0] / self.patch_frames * self.column()
    }

    /// Where a value of a log-mel stands among the patches `[patch_len][steps]` of its segment: row and column.
    pub fn place(&self, frame: usize, band: usize) -> [usize; 2] {
        let row = frame % self.patch_frames * self.patch_bands + band % self.patch_bands;
        [row, frame / self.patch_frames * self.column() + band / self.patch_bands]
    }
}

/// The two halves.
struct Halves {
    encoder: Vec<Dense>,
    decoder: Vec<Dense>,
}

/// Wider than the bottleneck.
const HIDDEN_TIMES: usize = 2;
const CENTRES: &str = "codes.centres";

impl Halves {
    fn initial(config: &CodesConfig, seed: u64) -> Vec<NamedArray> {
        let (patch, hidden) = (config.patch_len(), HIDDEN_TIMES * config.bottleneck);
        let widths = [patch, hidden, hidden, config.bottleneck, hidden, hidden, patch];
        let layer = |i: usize| {
            let (inputs, outputs) = (widths[i], widths[i + 1]);
            let glorot = Init::GlorotUniform { fan_in: inputs, fan_out: outputs };
            Dense::initial(glorot, seed, &layer_name(i), [outputs, inputs])
        };
        (0..6).flat_map(layer).collect()
    }

    fn new(find: &dyn Fn(&str) -> Param) -> Halves {
        let layers = |range: std::ops::Range<usize>| range.map(|i| Dense::new(find, &layer_name(i))).collect();
        Halves { encoder: layers(0..3), decoder: layers(3..6) }
    }
}

fn layer_name(i: usize) -> String {
    format!("codes.{}.{}", if i < 3 { "encoder" } else { "decoder" }, i % 3)
}

/// Layers with GELU between them.
fn through(layers: &[Dense], cx: &Ctx, x: &Var) -> Var {
    layers[1..].iter().fold(layers[0].forward(cx, x), |x, layer| layer.forward(cx, &unary(cx, Unary::Gelu, &x)))
}

fn centres(config: &CodesConfig, seed: u64) -> NamedArray {
    Init::Normal { std: 1.0 }.array(seed, CENTRES, &[config.codes, config.bottleneck])
}

/// The auto-encoder while it is trained, and the centres, which come after it.
pub struct AutoEncoder {
    /// Every trained tensor.
    pub params: ParamStore,
    /// The centres, at random until they are written.
    pub state: StateStore,
    config: CodesConfig,
    halves: Halves,
}

impl AutoEncoder {
    /// At its start.
    pub fn new(gpu: &Gpu, config: &CodesConfig, seed: u64) -> AutoEncoder {
        let params = ParamStore::build(gpu, &Halves::initial(config, seed));
        let state = StateStore::build(gpu, &[centres(config, seed)]);
        let halves = Halves::new(&|name| params.get(name));
        AutoEncoder { params, state, config: config.clone(), halves }
    }

    /// Patches `[patch_len, tokens]` of log-mels `[1, N, 96, 64]`.
    pub fn patches(&self, x: &Tensor) -> Tensor {
        patches(x, [self.config.patch_frames, self.config.patch_bands])
    }

    /// Vectors `[bottleneck, tokens]` of patches.
    #[track_caller]
    pub fn encode(&self, cx: &Ctx, patches: &Var) -> Var {
        through(&self.halves.encoder, cx, patches)
    }

    /// Patches of vectors.
    #[track_caller]
    pub fn decode(&self, cx: &Ctx, vectors: &Var) -> Var {
        through(&self.halves.decoder, cx, vectors)
    }

    /// Keeps the centres `[K][bottleneck]`.
    ///
    /// # Panics
    /// When there are more or fewer numbers.
    #[track_caller]
    pub fn set_centres(&self, centres: &[f32]) {
        self.state.write(CENTRES, centres).expect("centres of this configuration");
    }
}

impl Stored for AutoEncoder {
    fn network(&self) -> NetworkConfig {
        NetworkConfig::Codes(self.config.clone())
    }
    fn params(&self) -> &ParamStore {
        &self.params
    }
    fn state(&self) -> &StateStore {
        &self.state
    }
}

/// The auto-encoder once it is trained, as a part of what another network keeps.
pub struct Codebook {
    config: CodesConfig,
    halves: Halves,
    /// `[K, bottleneck]`
    centres: Tensor,
}

impl Codebook {
    /// Its tensors at their start.
    pub fn initial(config: &CodesConfig, seed: u64) -> Vec<NamedArray> {
        let mut arrays = Halves::initial(config, seed);
        arrays.push(centres(config, seed));
        arrays
    }

    /// Over the tensors that [`initial`](Codebook::initial) named.
    pub fn new(state: &StateStore, config: &CodesConfig) -> Codebook {
        // Nothing here is on a tape, so no gradient is ever added to.
        let find = |name: &str| {
            let value = state.get(name);
            Param { name: name.to_string(), grad: value.clone(), value }
        };
        Codebook { config: config.clone(), halves: Halves::new(&find), centres: state.get(CENTRES) }
    }

    /// The code of every patch of log-mels x `[1, N, 96, 64]`, segment after segment in the order of
    /// [`patches`], and how far it is from its centre.
    pub fn assign(&self, x: &Tensor) -> Assignment {
        let patches = patches(x, [self.config.patch_frames, self.config.patch_bands]);
        let cx = Ctx::inference(x.gpu());
        assign(&through(&self.halves.encoder, &cx, &Var::constant(patches)).value, &self.centres)
    }

    /// The patches `[patch_len, ids]` that codes stand for.
    ///
    /// # Panics
    /// When an id is none of the codes.
    #[track_caller]
    pub fn patches_of(&self, ids: &[u32]) -> Tensor {
        let (gpu, [codes, length]) = (self.centres.gpu(), self.centres.dims2());
        let centres = self.centres.read::<f32>();
        assert!(ids.iter().all(|&id| (id as usize) < codes), "an id beyond the {codes} codes");
        let place = |f: usize| ids.iter().map(move |&id| id as usize * length + f);
        let vectors: Vec<f32> = (0..length).flat_map(place).map(|i| centres[i]).collect();
        let vectors = Var::constant(Tensor::from_slice(gpu, &[length, ids.len()], &vectors));
        through(&self.halves.decoder, &Ctx::inference(gpu), &vectors).value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: CodesConfig = CodesConfig { patch_frames: 4, patch_bands: 16, bottleneck: 64, codes: 256 };

    #[test]
    fn a_segment_has_its_codes() {
        assert_eq!((PLAIN.patch_len(), PLAIN.column(), PLAIN.steps()), (64, 4, 96));
        assert_eq!(PLAIN.place(0, 0), [0, 0]);
        assert_eq!(PLAIN.place(5, 17), [17, 5]);
        assert_eq!(PLAIN.complaint(), None);
        for (config, word) in [
            (CodesConfig { patch_frames: 5, ..PLAIN }, "--patch-frames"),
            (CodesConfig { patch_bands: 0, ..PLAIN }, "--patch-bands"),
            (CodesConfig { patch_frames: 96, patch_bands: 32, ..PLAIN }, "multiple of 4"),
            (CodesConfig { codes: 1, ..PLAIN }, "--codes"),
            (CodesConfig { bottleneck: 0, ..PLAIN }, "--bottleneck"),
        ] {
            assert!(config.complaint().is_some_and(|text| text.contains(word)), "{word}");
        }
    }

    #[test]
    fn three_layers_on_either_side() {
        let arrays = Codebook::initial(&PLAIN, 0);
        let weights: Vec<&[usize]> =
            arrays.iter().filter(|a| a.name.ends_with("weight")).map(|a| a.shape.as_slice()).collect();
        assert_eq!(weights, [[128, 64], [128, 128], [64, 128], [128, 64], [128, 128], [64, 128]]);
        assert_eq!(arrays.last().map(|a| (a.name.as_str(), a.data.len())), Some((CENTRES, 256 * 64)));
    }
}
