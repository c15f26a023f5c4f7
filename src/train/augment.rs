//! From samples to what the encoder sees in training: the front end with the augmentations of the configuration.

use super::config::TrainConfig;
use crate::frontend::FrontEnd;
use crate::ops::augment::{self, key};
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// A change that a sound may undergo and still count as itself: in pitch, time, timbre, level, place, or with parts of it
/// hidden. Which ones Verma and Smith took is not known; the choice and the strengths are ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Augmentation {
    /// Up to 4 semitones up or down, in the same time.
    Pitch,
    /// 0.8 to 1.25 times as long, at the same pitch.
    Stretch,
    /// 0.8 to 1.25 times as fast, time and pitch together.
    Speed,
    /// Half of them backwards.
    Reverse,
    /// In a room with 0.1 to 0.8 seconds of echo.
    Reverb,
    /// From one level to another, each up to 12 dB up or down.
    Gain,
    /// White noise 5 to 30 dB below.
    Noise,
    /// Up to 0.4 of another sound of the batch, in magnitudes of the log-mel.
    Mix,
    /// A random curve over the bands, up to 12 dB up or down.
    Equalise,
    /// A random part of the log-mel, stretched to the whole.
    ResizeCrop,
    /// Out of focus in time and frequency.
    Blur,
    /// Two stripes of frames and two of bands hidden.
    Mask,
    /// Three rectangles hidden.
    Patches,
}

/// Most of another sound that [`Augmentation::Mix`] adds.
const MIX: f32 = 0.4;

/// On what an augmentation works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Samples `[N, samples]`.
    Sound,
    /// Log-mels `[1, N, frames, bands]`, logarithms of magnitudes.
    LogMel,
    /// The same, scaled to mean 0.
    Scaled,
}

impl Augmentation {
    /// All, in the order in which they are applied.
    pub const ALL: [Augmentation; 13] = {
        use Augmentation::*;
        [Pitch, Stretch, Speed, Reverse, Reverb, Gain, Noise, Mix, Equalise, ResizeCrop, Blur, Mask, Patches]
    };

    /// What simclr takes where nothing else is said.
    pub const DEFAULT: [Augmentation; 6] = {
        use Augmentation::*;
        [Pitch, Reverb, Noise, Mix, Equalise, Mask]
    };

    /// On what it works.
    pub fn stage(self) -> Stage {
        use Augmentation::*;
        match self {
            Pitch | Stretch | Speed | Reverse | Reverb | Gain | Noise => Stage::Sound,
            Mix | Equalise => Stage::LogMel,
            ResizeCrop | Blur | Mask | Patches => Stage::Scaled,
        }
    }

    /// As it is written in files and on the command line.
    pub fn name(self) -> &'static str {
        use Augmentation::*;
        match self {
            Pitch => "pitch",
            Stretch => "stretch",
            Speed => "speed",
            Reverse => "reverse",
            Reverb => "reverb",
            Gain => "gain",
            Noise => "noise",
            Mix => "mix",
            Equalise => "equalise",
            ResizeCrop => "resize-crop",
            Blur => "blur",
            Mask => "mask",
            Patches => "patches",
        }
    }

    /// In a few words.
    pub fn in_words(self) -> &'static str {
        use Augmentation::*;
        match self {
            Pitch => "up to 4 semitones up or down, in the same time",
            Stretch => "0.8 to 1.25 times as long, at the same pitch",
            Speed => "0.8 to 1.25 times as fast, time and pitch together",
            Reverse => "half of them backwards",
            Reverb => "in a room with 0.1 to 0.8 seconds of echo",
            Gain => "from one level to another, each up to 12 dB up or down",
            Noise => "white noise 5 to 30 dB below",
            Mix => "up to 0.4 of another sound of the batch",
            Equalise => "a random curve over the bands, up to 12 dB up or down",
            ResizeCrop => "a random part of the log-mel, stretched to the whole",
            Blur => "out of focus in time and frequency",
            Mask => "two stripes of frames and two of bands hidden",
            Patches => "three rectangles hidden",
        }
    }

    /// Augments samples or log-mels, whichever its [`stage`](Augmentation::stage) says.
    #[track_caller]
    pub fn apply(self, x: &Tensor, key: u32) -> Tensor {
        use Augmentation::*;
        match self {
            Pitch => augment::pitch(x, key),
            Stretch => augment::stretch(x, key),
            Speed => augment::speed(x, key),
            Reverse => augment::reverse(x, key),
            Reverb => augment::reverb(x, key),
            Gain => augment::gain(x, key),
            Noise => augment::noise(x, key),
            Mix => augment::mixup(x, MIX, key),
            Equalise => augment::equalise(x, key),
            ResizeCrop => augment::resize_crop(x, key),
            Blur => augment::blur(x, key),
            Mask => augment::mask(x, 0, key),
            Patches => augment::patches(x, key),
        }
    }
}

impl FromStr for Augmentation {
    type Err = String;
    fn from_str(text: &str) -> Result<Augmentation, String> {
        let found = Augmentation::ALL.into_iter().find(|a| a.name() == text);
        found.ok_or_else(|| format!("no augmentation '{text}'; cola augment --list names them"))
    }
}

/// Which augmentations, and the seed of what is random in them.
#[derive(Clone, Debug)]
pub struct Augment {
    /// Of all segments.
    mixup: f32,
    resize_crop: bool,
    /// Of the positives.
    mask: bool,
    positives: Vec<Augmentation>,
    seed: u64,
}

/// Draws of the augmentations of positives begin here, past those of all segments.
const POSITIVES: u32 = 16;

impl Augment {
    /// Those of the configuration.
    pub fn new(config: &TrainConfig) -> Augment {
        let TrainConfig { mixup, resize_crop, mask, seed, .. } = *config;
        let positives = Augmentation::ALL.into_iter().filter(|a| config.augment.contains(a)).collect();
        Augment { mixup: mixup as f32, resize_crop, mask, positives, seed }
    }

    /// Encoder input `[1, 2 n, frames, bands]` of samples `[2 n, samples]`, anchors first. The same for the same `draw`.
    pub fn features(&self, front_end: &FrontEnd, samples: &Tensor, draw: u64) -> Tensor {
        let sounds = self.of_positives(Stage::Sound, samples.clone(), draw);
        let mut x = front_end.log_mel(&sounds);
        if self.mixup > 0.0 {
            x = augment::mixup(&x, self.mixup, key(self.seed, draw, 0));
        }
        x = self.of_positives(Stage::LogMel, x, draw);
        x = front_end.scale(x);
        if self.resize_crop {
            x = augment::resize_crop(&x, key(self.seed, draw, 1));
        }
        if self.mask {
            x = augment::mask(&x, samples.shape()[0] / 2, key(self.seed, draw, 2));
        }
        self.of_positives(Stage::Scaled, x, draw)
    }

    /// x with its second half augmented by those of a stage.
    fn of_positives(&self, stage: Stage, x: Tensor, draw: u64) -> Tensor {
        let mut these = self.positives.iter().filter(|a| a.stage() == stage).peekable();
        if these.peek().is_none() {
            return x;
        }
        let samples_axis = if stage == Stage::Sound { 0 } else { 1 };
        let mut shape = x.shape().to_vec();
        shape[samples_axis] /= 2;
        let half = x.len() / 2;
        let mut positives = x.slice(half, &shape);
        for augmentation in these {
            positives = augmentation.apply(&positives, key(self.seed, draw, POSITIVES + *augmentation as u32));
        }
        // a tensor of its own: the samples may be looked at again
        let y = x.duplicate();
        y.slice(half, &shape).copy_from(&positives);
        y
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_configuration() {
        for augmentation in Augmentation::ALL {
            let written = serde_json::to_string(&augmentation).expect("a plain value");
            assert_eq!(written, format!("\"{}\"", augmentation.name()));
        }
        let stages: Vec<u8> = Augmentation::ALL.iter().map(|a| a.stage() as u8).collect();
        assert!(stages.is_sorted(), "sounds before log-mels before scaled ones");
    }
}
