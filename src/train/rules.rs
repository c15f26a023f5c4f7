//! What a configuration must not say.

use super::config::{ConfigError, Method, OptimizerKind, Precision, SimilarityKind, TrainConfig};
use crate::nn::backbone::BackboneKind;

/// Keys that only `--method nextcode` reads.
const OF_CODES: [&str; 12] = [
    "patch_frames",
    "patch_bands",
    "bottleneck",
    "codes",
    "codes_steps",
    "codes_batch",
    "context",
    "layers",
    "width",
    "heads",
    "positions",
    "dropout",
];
/// Keys that only the contrastive methods read.
const OF_CONTRAST: [&str; 8] = [
    "frozen_stages",
    "similarity",
    "temperature",
    "learn_temperature",
    "pooling",
    "features",
    "stochastic_depth",
    "zero_init_residual",
];

impl TrainConfig {
    /// Whether each of these keys, which somebody set by hand, has a say in this configuration.
    ///
    /// # Errors
    /// The first that has none, and what it is for.
    pub fn check_heard<'a>(&self, keys: impl IntoIterator<Item = &'a str>) -> Result<(), ConfigError> {
        let codes = self.method == Method::Nextcode;
        for key in keys {
            let is_for = match key {
                _ if OF_CODES.contains(&key) && !codes => "--method nextcode",
                _ if OF_CONTRAST.contains(&key) && codes => "--method cola and simclr",
                "temperature" if self.similarity == SimilarityKind::Bilinear => "--similarity cosine",
                _ => continue,
            };
            let flag = key.replace('_', "-");
            return Err(ConfigError::Range(format!("--{flag} is for {is_for}; leave it out")));
        }
        Ok(())
    }

    /// Whether all values are in range and go together.
    ///
    /// # Errors
    /// The first rule that is broken, in words.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let contrastive = self.method != Method::Nextcode;
        let rules = [
            (self.batch >= 2, "--batch must be at least 2: a pair needs another one to be told from"),
            (
                self.chunk == 0 || (self.chunk >= 2 && self.batch.is_multiple_of(self.chunk)),
                "--chunk must be at least 2 and divide --batch; leave it out to take the batch whole",
            ),
            ((0.0..1.0).contains(&self.mixup), "--mixup must be from 0 to below 1"),
            (
                self.method != Method::Simclr || self.similarity == SimilarityKind::Cosine,
                "--method simclr compares all segments with all, which takes --similarity cosine",
            ),
            (
                self.method != Method::Simclr || !self.symmetric,
                "--symmetric is for --method cola; with simclr every segment chooses already",
            ),
            (
                self.method != Method::Simclr || !self.augment.is_empty() || self.mask || self.noise > 0.0,
                "--method simclr needs --augment: without it the two views of a segment are the same",
            ),
            (
                contrastive
                    || (self.augment.is_empty() && !self.mask && !self.resize_crop && !self.symmetric)
                        && self.mixup == 0.0
                        && self.noise == 0.0,
                "--method nextcode contrasts nothing: leave --augment, --mask, --mixup, --resize-crop, --symmetric and noise out",
            ),
            (
                contrastive || self.precision == Precision::F32,
                "--precision mixed is for the maps of convolutions; --method nextcode has none",
            ),
            (
                contrastive || self.codes_batch == 0 || self.codes_batch >= self.codes,
                "--codes-batch must be at least --codes; leave it out to take all vectors in every round",
            ),
            (
                contrastive || self.encoder == BackboneKind::EfficientnetB0,
                "--encoder is for --method cola and simclr; nextcode trains a transformer: leave it out",
            ),
            (
                self.encoder.has_shortcuts() || (self.stochastic_depth == 0.0 && !self.zero_init_residual),
                "--stochastic-depth and --zero-init-residual are for blocks with a shortcut, and a VGG has none: leave them out",
            ),
            (
                self.frozen_stages < self.encoder.stages(),
                "--frozen-stages must leave a stage to train: at most 6 of an EfficientNet, 4 of a VGG",
            ),
            (
                self.frozen_stages == 0 || self.weight_decay == 0.0,
                "--weight-decay would shrink the weights that --frozen-stages leaves as they are: leave it out, or give --frozen-stages 0",
            ),
            (
                !self.learn_temperature || self.similarity == SimilarityKind::Cosine,
                "--learn-temperature needs --similarity cosine; the bilinear similarity has no temperature",
            ),
            (self.lr > 0.0 && self.lr.is_finite(), "--lr must be above 0"),
            (self.temperature > 0.0 && self.temperature.is_finite(), "--temperature must be above 0"),
            ((0.0..=0.9).contains(&self.held_out), "--held-out is a share of the recordings, from 0 to 0.9"),
            (self.noise >= 0.0 && self.noise.is_finite(), "noise must be 0 or more"),
            ((0.0..1.0).contains(&self.stochastic_depth), "stochastic_depth must be from 0 to below 1"),
            (self.bn_momentum > 0.0 && self.bn_momentum <= 1.0, "bn_momentum must be above 0 and at most 1"),
            (self.clip >= 0.0, "--clip must be 0 (no limit) or more"),
            (self.weight_decay >= 0.0, "--weight-decay must be 0 or more"),
            (
                self.weight_decay == 0.0 || self.optimizer == OptimizerKind::Adamw,
                "--weight-decay needs --optimizer adamw",
            ),
            (self.checkpoint_every > 0, "--checkpoint-every must be at least 1"),
            (self.workers > 0, "--workers must be at least 1"),
            (
                [self.steps > 0, self.epochs > 0, self.minutes > 0.0].iter().filter(|&&set| set).count() == 1,
                "give one of --steps, --epochs and --minutes, above 0",
            ),
        ];
        let broken = rules.iter().find(|(holds, _)| !holds).map(|(_, text)| (*text).to_string());
        let of_codes = || (!contrastive).then(|| self.next_code().complaint()).flatten();
        match broken.or_else(of_codes) {
            Some(text) => Err(ConfigError::Range(text)),
            None => self.gpu_options().map(|_| ()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::config::Recipe;

    #[test]
    fn what_is_set_for_nothing_is_refused() {
        let of = |method| TrainConfig::of(Recipe::Strong).with_method(method);
        let refused = |config: &TrainConfig, key| config.check_heard([key]).is_err();
        let [cola, codes] = [Method::Cola, Method::Nextcode].map(of);
        for (key, by_cola, by_codes) in
            [("layers", true, false), ("pooling", false, true), ("temperature", false, true), ("batch", false, false)]
        {
            assert_eq!((refused(&cola, key), refused(&codes, key)), (by_cola, by_codes), "{key}");
        }
        let error = cola.check_heard(["batch", "codes_steps"]).expect_err("no codes here").to_string();
        assert!(error.contains("--codes-steps is for --method nextcode"), "{error}");
        assert!(refused(&TrainConfig::of(Recipe::Standard), "temperature"), "bilinear");
        // every name is one of a key
        let keys = cola.to_toml();
        let named = |key: &&str| keys.lines().any(|line| line.starts_with(&format!("{key} = ")));
        assert!(OF_CODES.iter().chain(&OF_CONTRAST).all(named), "{keys}");
    }
}
