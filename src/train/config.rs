//! Where a run's configuration comes from, and what is made of it.
//!
//! Three layers, each over the one before: the recipe's table, `--config FILE`, the command line. All three have the
//! same keys. The result, defaults included, is written to `RUN/config.toml`, which is itself a valid `--config`.

pub use super::choices::{InputScaling, Level, Method, OptimizerKind, Precision, Recipe, SimilarityKind};
pub use super::recipe::TrainConfig;
use crate::audio::{CropRule, SEGMENT_SAMPLES};
use crate::gpu::{AdapterChoice, GpuOptions, Tier, cache_folder};
use crate::nn::auto_encoder::CodesConfig;
use crate::nn::cola::{Contrast, Similarity};
use crate::nn::model::ModelConfig;
use crate::nn::next_code::NextCodeConfig;
use crate::nn::transformer::TransformerConfig;
use crate::ops::mel::LogMelConfig;
use crate::optim::{AdamConfig, EpsConvention, Schedule};
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use toml::Table;

/// The configuration's name inside the folder of a run.
pub const CONFIG_FILE: &str = "config.toml";

impl TrainConfig {
    /// The recipe's table, then the file, then `given` (the command line), each key over the one before.
    ///
    /// # Errors
    /// A file that cannot be read, an unknown key, a value of the wrong kind or out of range.
    pub fn layered(file: Option<&Path>, given: Table) -> Result<TrainConfig, ConfigError> {
        let from_file = file.map(read_table).transpose()?.unwrap_or_default();
        let layers = [&given, &from_file];
        let recipe: Recipe = named("recipe", layers)?;
        let config = TrainConfig::of(recipe).with_method(named("method", layers)?);
        let mut table = config.with_encoder(named("encoder", layers)?).to_table();
        for layer in [from_file, given] {
            lay_over(&mut table, layer);
        }
        let config: TrainConfig = table.try_into().map_err(|e| ConfigError::given(&e))?;
        config.check()?;
        Ok(config)
    }

    /// The configuration of a run that goes on, with what may change on the way.
    ///
    /// # Errors
    /// As [`layered`](TrainConfig::layered), and a key that decides what the run computes.
    pub fn resumed(file: &Path, given: Table) -> Result<TrainConfig, ConfigError> {
        if let Some(key) = given.keys().find(|key| !MAY_CHANGE.contains(&key.as_str())) {
            let flag = key.replace('_', "-");
            return Err(ConfigError::Range(format!("--{flag} cannot change when a run goes on; leave it out")));
        }
        TrainConfig::layered(Some(file), given)
    }

    /// The text of `config.toml`.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("every field is a plain value")
    }

    /// A fingerprint of everything that decides what a step computes: a run only goes on under the same.
    pub fn fingerprint(&self) -> String {
        let mut table = self.to_table();
        // The data may have moved, and so may the weights that the run once began with.
        MAY_CHANGE.iter().chain(&["data", "init"]).for_each(|key| drop(table.remove(*key)));
        format!("{:08x}", crc32c::crc32c(table.to_string().as_bytes()))
    }

    fn to_table(&self) -> Table {
        Table::try_from(self).expect("every field is a plain value")
    }

    /// How to open the device.
    ///
    /// # Errors
    /// A tier that does not exist.
    pub fn gpu_options(&self) -> Result<GpuOptions, ConfigError> {
        let adapter = match self.adapter.as_str() {
            "best" => AdapterChoice::Best,
            name => name.parse().expect("any text names an adapter"),
        };
        let tier = match self.tier.as_str() {
            "auto" => None,
            name => Some(name.parse::<Tier>().map_err(ConfigError::Range)?),
        };
        let memory_limit_bytes = (self.memory_budget.0 > 0).then_some(self.memory_budget.0);
        let tune_in = if self.tune { cache_folder() } else { None };
        Ok(GpuOptions { adapter, tier, memory_limit_bytes, tune_in, ..GpuOptions::default() })
    }

    /// The network.
    pub fn model(&self) -> ModelConfig {
        ModelConfig {
            encoder: self.encoder,
            similarity: self.similarity(),
            pooling: self.pooling,
            features: self.features,
            stochastic_depth: self.stochastic_depth,
            bn_momentum: self.bn_momentum as f32,
            zero_init_residual: self.zero_init_residual,
            ..ModelConfig::default()
        }
    }

    /// What makes codes of patches.
    pub fn codes(&self) -> CodesConfig {
        let TrainConfig { patch_frames, patch_bands, bottleneck, codes, .. } = *self;
        CodesConfig { patch_frames, patch_bands, bottleneck, codes }
    }

    /// The network of `--method nextcode`.
    pub fn next_code(&self) -> NextCodeConfig {
        let codes = self.codes();
        let transformer = TransformerConfig {
            // and the one that every sequence begins with; products go by four
            classes: (codes.codes + 1).next_multiple_of(4),
            layers: self.layers,
            width: self.width,
            heads: self.heads,
            context: match self.context {
                0 if codes.complaint().is_none() => codes.steps(),
                context => context,
            },
            positions: self.positions,
            dropout: self.dropout as f32,
        };
        NextCodeConfig { codes, transformer }
    }

    /// Samples of what a step trains on, each: a segment, or as long as the transformer's context.
    pub fn segment_samples(&self) -> usize {
        if self.method != Method::Nextcode || self.context == 0 {
            return SEGMENT_SAMPLES;
        }
        let (mel, codes) = (LogMelConfig::default(), self.codes());
        let frames = self.context / codes.column() * codes.patch_frames;
        SEGMENT_SAMPLES + (frames - mel.frames(SEGMENT_SAMPLES)) * mel.hop
    }

    /// The learning rate over a run of `total_steps`.
    pub fn schedule(&self, total_steps: u64) -> Schedule {
        Schedule { peak: self.lr, warmup_steps: self.warmup, total_steps, decay: self.schedule }
    }

    fn similarity(&self) -> Similarity {
        match self.similarity {
            SimilarityKind::Bilinear => Similarity::Bilinear,
            SimilarityKind::Cosine => {
                Similarity::Cosine { temperature: self.temperature as f32, learned: self.learn_temperature }
            }
        }
    }

    /// What segments choose among.
    pub fn contrast(&self) -> Contrast {
        match (self.method, self.symmetric) {
            (Method::Simclr, _) => Contrast::All,
            (_, true) => Contrast::BothWays,
            (_, false) => Contrast::OneWay,
        }
    }

    /// Among how many segments each looks for its other half, or how many codes there are: chance is one over it.
    pub fn candidates(&self) -> usize {
        match self.method {
            Method::Cola => self.batch,
            Method::Simclr => 2 * self.batch - 1,
            Method::Nextcode => self.codes,
        }
    }

    /// The optimiser's constants.
    pub fn adam(&self) -> AdamConfig {
        let base = match self.adam_eps {
            EpsConvention::PyTorch => AdamConfig::pytorch(),
            EpsConvention::Keras => AdamConfig::keras(),
        };
        let max_grad_norm = (self.clip > 0.0).then_some(self.clip);
        AdamConfig { weight_decay: self.weight_decay, max_grad_norm, ..base }
    }

    /// How crops are cut and scaled.
    pub fn crop_rule(&self) -> CropRule {
        match self.level {
            Level::Clip => CropRule::ClipThenCrop,
            Level::Crop => CropRule::CropThenNormalise,
        }
    }
}

/// Keys that say how long a run is or how it is carried out, but not what a step computes.
const MAY_CHANGE: &[&str] = &[
    "steps",
    "epochs",
    "minutes",
    "checkpoint_every",
    "cache",
    "workers",
    "adapter",
    "tier",
    "memory_budget",
    "tune",
    "strict",
];

/// A choice that defaults hang on, from the first layer that makes it.
fn named<T: DeserializeOwned + Default>(key: &str, layers: [&Table; 2]) -> Result<T, ConfigError> {
    match layers.into_iter().find_map(|layer| layer.get(key)) {
        Some(name) => name.clone().try_into().map_err(|e| ConfigError::given(&e)),
        None => Ok(T::default()),
    }
}

const LENGTHS: [&str; 3] = ["steps", "epochs", "minutes"];

/// Lays `layer` over `table`. A length replaces whatever length the table had.
fn lay_over(table: &mut Table, layer: Table) {
    if LENGTHS.iter().any(|key| layer.contains_key(*key)) {
        for key in LENGTHS {
            let zero = if key == "minutes" { toml::Value::Float(0.0) } else { toml::Value::Integer(0) };
            table.insert(key.into(), zero);
        }
    }
    table.extend(layer);
}

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}; check that it exists", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// An unknown key, or a value of the wrong kind.
    #[error("{} line {line}: {message}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong there.
        message: String,
    },
    /// A value out of range, or one that does not go with another.
    #[error("{0}")]
    Range(String),
}

impl ConfigError {
    fn given(error: &toml::de::Error) -> ConfigError {
        ConfigError::Range(one_line(error.message()))
    }
}

/// A message of the TOML reader on one line and without Rust's names of types.
fn one_line(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let whole = ["usize", "u64"]
        .iter()
        .fold(text, |text, name| text.replace(&format!("expected {name}"), "a whole number is wanted"));
    whole.replace("expected f64", "a number is wanted")
}

/// The keys of a file, each checked to exist and to be of the right kind, so that an error can name its line.
fn read_table(path: &Path) -> Result<Table, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    let refusal = |error: toml::de::Error| {
        let line = error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
        ConfigError::File { path: path.to_owned(), line, message: one_line(error.message()) }
    };
    toml::from_str::<TrainConfig>(&text).map_err(refusal)?;
    text.parse().map_err(refusal)
}

#[cfg(test)]
mod tests {
    use super::super::bytes::Bytes;
    use super::*;

    fn given(text: &str) -> Table {
        text.parse().unwrap()
    }

    #[test]
    fn the_command_line_goes_over_the_file_and_the_file_over_the_recipe() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("c.toml");
        std::fs::write(&file, "recipe = \"paper\"\nbatch = 8\nsteps = 5\n").unwrap();
        let config = TrainConfig::layered(Some(&file), given("batch = 16")).unwrap();
        assert_eq!((config.recipe, config.batch, config.steps, config.epochs), (Recipe::Paper, 16, 5, 0));
        assert_eq!((config.lr, config.noise), (1e-4, 0.001));
        let config = TrainConfig::layered(Some(&file), given("minutes = 2.5")).unwrap();
        assert_eq!((config.steps, config.minutes), (0, 2.5));
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(CONFIG_FILE);
        for recipe in [Recipe::Paper, Recipe::Standard, Recipe::Strong] {
            let config = TrainConfig { seed: 7, noise: 0.123, cache: Bytes(1_500_000), ..TrainConfig::of(recipe) };
            std::fs::write(&file, config.to_toml()).unwrap();
            assert_eq!(TrainConfig::layered(Some(&file), Table::new()).unwrap(), config);
        }
    }

    #[test]
    fn every_recipe_goes_with_every_method() {
        for recipe in [Recipe::Paper, Recipe::Standard, Recipe::Strong] {
            for method in [Method::Cola, Method::Simclr, Method::Nextcode] {
                let given = given(&format!("recipe = \"{}\"\nmethod = \"{}\"", recipe.name(), method.name()));
                let config =
                    TrainConfig::layered(None, given).unwrap_or_else(|e| panic!("{recipe:?}, {method:?}: {e}"));
                assert_eq!((config.recipe, config.method), (recipe, method));
                let is_default = (recipe, method) == (Recipe::Strong, Method::Cola);
                assert_eq!(config.frozen_stages, if is_default { 5 } else { 0 }, "{recipe:?}, {method:?}");
            }
        }
        let vgg = TrainConfig::layered(None, given("encoder = \"vgg\"")).unwrap();
        assert_eq!(vgg.frozen_stages, 0, "it has but 5");
    }

    #[test]
    fn refusals_name_the_line_and_the_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("c.toml");
        for (text, parts) in [
            ("seed = 1\nbatsch = 8\n", ["line 2", "batsch"]),
            ("\n\nbatch = \"many\"\n", ["line 3", "whole number"]),
            ("cache = \"2 apples\"\n", ["line 1", "2GB"]),
        ] {
            std::fs::write(&file, text).unwrap();
            let error = TrainConfig::layered(Some(&file), Table::new()).unwrap_err().to_string();
            assert!(parts.iter().all(|part| error.contains(part)) && !error.contains('\n'), "{error}");
        }
        for (text, part) in [
            ("batch = 1", "--batch"),
            ("steps = 1\nepochs = 1", "one of"),
            ("tier = \"fast\"", "tier"),
            ("frozen_stages = 7", "at most 6"),
        ] {
            let error = TrainConfig::layered(None, given(text)).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_run_that_goes_on_keeps_what_it_computes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(CONFIG_FILE);
        std::fs::write(&file, TrainConfig::default().to_toml()).unwrap();
        assert_eq!(TrainConfig::resumed(&file, given("steps = 9\nworkers = 1")).unwrap().steps, 9);
        let error = TrainConfig::resumed(&file, given("weight_decay = 0.1")).unwrap_err().to_string();
        assert!(error.contains("--weight-decay"), "{error}");

        let config = TrainConfig::default();
        let of = |change: fn(&mut TrainConfig)| {
            let mut changed = config.clone();
            change(&mut changed);
            changed.fingerprint()
        };
        assert_eq!(of(|c| (c.workers, c.steps, c.data) = (9, 9, "moved".into())), config.fingerprint());
        assert_eq!(of(|c| c.tune = false), config.fingerprint());
        assert_ne!(of(|c| c.lr = 0.5), config.fingerprint());
        assert_ne!(of(|c| c.seed = 1), config.fingerprint());
    }
}
