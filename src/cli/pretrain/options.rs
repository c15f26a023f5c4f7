//! What the command line of `cola pretrain` may set.

use cola::train::bytes::Bytes;
use serde::Serialize;
use std::path::PathBuf;

/// Keys of the configuration that the command line may set; names and kinds are those of [`TrainConfig`].
#[derive(clap::Args, Serialize)]
pub struct Overrides {
    /// Weights that the encoder starts from: another run's folder, what cola import wrote, or a .safetensors file
    /// [default: at random]
    #[arg(long, value_name = "RUN")]
    pub init: Option<PathBuf>,

    /// What is learned: that two segments of a recording belong together, that a segment and what --augment makes of it
    /// do, or which of a small set of sounds comes next [default: cola]
    #[arg(long, value_parser = ["cola", "simclr", "nextcode"])]
    method: Option<String>,

    /// What happens to the positive of every pair, names that cola augment --list explains [default: none, simclr
    /// pitch,reverb,noise,mix,equalise,mask]
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',')]
    augment: Option<Vec<String>>,

    /// Table of defaults [default: strong]
    #[arg(long, value_parser = ["paper", "standard", "strong"])]
    recipe: Option<String>,

    /// Pairs of segments a step [default: 64]
    #[arg(long)]
    batch: Option<usize>,

    /// Pairs that go through the encoder together, for batches beyond the device's memory: the gradient stays that of the
    /// whole batch, batch norm takes its statistics from a chunk [default: the batch]
    #[arg(long, value_name = "PAIRS")]
    chunk: Option<usize>,

    /// Length of the run in steps
    #[arg(long)]
    steps: Option<u64>,

    /// Length of the run in passes over the data [default: 100]
    #[arg(long)]
    epochs: Option<u64>,

    /// Length of the run in minutes; the first ten steps are timed to plan the schedule
    #[arg(long)]
    minutes: Option<f64>,

    /// Highest learning rate [default: 1e-3, paper 1e-4, nextcode 5e-4]
    #[arg(long)]
    lr: Option<f64>,

    /// Steps over which the learning rate rises [default: 50, paper 0]
    #[arg(long)]
    warmup: Option<u64>,

    /// Learning rate after the warm-up [default: cosine, paper constant]
    #[arg(long, value_parser = ["constant", "cosine"])]
    schedule: Option<String>,

    /// Optimiser [default: adam]
    #[arg(long, value_parser = ["adam", "adamw"])]
    optimizer: Option<String>,

    /// Weight decay, with adamw [default: 0]
    #[arg(long)]
    weight_decay: Option<f64>,

    /// Largest norm of the gradient; 0 for no limit [default: 0, nextcode 1]
    #[arg(long)]
    clip: Option<f64>,

    /// The network: an EfficientNet-B0, or a VGG-11 at half the width [default: efficientnet-b0]
    #[arg(long, value_parser = ["efficientnet-b0", "vgg"])]
    encoder: Option<String>,

    /// Leave so many of the first stages, of 7 of an EfficientNet or 5 of a VGG, as they start: at random, or as --init
    /// has them. Steps take half the time and less than half the memory with 5, which is for short runs [default: 5;
    /// paper, standard, simclr, vgg 0]
    #[arg(long, value_name = "STAGES")]
    frozen_stages: Option<usize>,

    /// How two segments are compared [default: cosine, paper and standard bilinear]
    #[arg(long, value_parser = ["bilinear", "cosine"])]
    similarity: Option<String>,

    /// Temperature of the cosine similarity [default: 0.1, paper and standard 0.2]
    #[arg(long)]
    temperature: Option<f64>,

    /// Learn the temperature, from --temperature on [default: false]
    #[arg(long, value_name = "true|false")]
    learn_temperature: Option<bool>,

    /// Let positives pick their anchors, too, and take the mean of both losses [default: false]
    #[arg(long, value_name = "true|false")]
    symmetric: Option<bool>,

    /// Mix up to this share of another segment into each [default: 0]
    #[arg(long, value_name = "SHARE")]
    mixup: Option<f64>,

    /// Show the encoder a random part of each log-mel, stretched to the whole [default: false]
    #[arg(long, value_name = "true|false")]
    resize_crop: Option<bool>,

    /// Mask stripes of the positive's log-mel [default: false]
    #[arg(long, value_name = "true|false")]
    mask: Option<bool>,

    /// From the last feature map to a vector [default: max]
    #[arg(long, value_parser = ["max", "mean", "maxmean"])]
    pooling: Option<String>,

    /// What probe, embed and map take from the trained encoder: the last map pooled, or log-mel statistics and
    /// mean and maximum over time behind each of its stages, 6208 features of an EfficientNet, 9408 of a VGG [default:
    /// stages, paper and standard pooled]
    #[arg(long, value_parser = ["pooled", "stages"])]
    features: Option<String>,

    /// Scaling of the log-mel: as it is, divided by 255, or standardised by the data [default: standard]
    #[arg(long, value_parser = ["none", "paper", "standard"])]
    input_norm: Option<String>,

    /// Rate of stochastic depth [default: 0, paper 0.2]
    #[arg(long)]
    stochastic_depth: Option<f64>,

    /// Start every block that has a shortcut as nothing but its shortcut [default: true, paper false]
    #[arg(long, value_name = "true|false")]
    zero_init_residual: Option<bool>,

    /// nextcode: frames of a patch, of the 96 of a segment [default: 4]
    #[arg(long, value_name = "FRAMES")]
    patch_frames: Option<usize>,

    /// nextcode: mel bands of a patch, of 64 [default: 16]
    #[arg(long, value_name = "BANDS")]
    patch_bands: Option<usize>,

    /// nextcode: numbers that the auto-encoder makes of a patch [default: 64]
    #[arg(long, value_name = "NUMBERS")]
    bottleneck: Option<usize>,

    /// nextcode: how many codes k-means makes of those [default: 128]
    #[arg(long, value_name = "K")]
    codes: Option<usize>,

    /// nextcode: steps that the auto-encoder is trained for, before those of the run [default: 300]
    #[arg(long, value_name = "STEPS")]
    codes_steps: Option<u64>,

    /// nextcode: vectors a round of k-means; 0 for all of up to 65536 [default: 0]
    #[arg(long, value_name = "VECTORS")]
    codes_batch: Option<usize>,

    /// nextcode: codes of a sequence, whole columns of bands and at least those of a segment of 0.98 s; 512 are 5.1 s as the
    /// patches come. Probe, embed and the like give it a segment at a time all the same [default: 96, those of a segment]
    #[arg(long, value_name = "CODES")]
    context: Option<usize>,

    /// nextcode: blocks of the transformer [default: 6]
    #[arg(long)]
    layers: Option<usize>,

    /// nextcode: length of its states [default: 256]
    #[arg(long)]
    width: Option<usize>,

    /// nextcode: heads of its attention, each 16, 32 or 64 of the width [default: 8]
    #[arg(long)]
    heads: Option<usize>,

    /// nextcode: how it knows where a code stands [default: rotary]
    #[arg(long, value_parser = ["rotary", "learned"])]
    positions: Option<String>,

    /// nextcode: rate of its dropout [default: 0]
    #[arg(long)]
    dropout: Option<f64>,

    /// How maps are kept for the way back: f32, or with mixed f16 under f32 arithmetic, which brings a step to 60 or
    /// 70 % of the memory [default: f32]
    #[arg(long, value_parser = ["f32", "mixed"])]
    precision: Option<String>,

    /// Decides initial weights, order of the data, crops and noise [default: 0]
    #[arg(long)]
    seed: Option<u64>,

    /// Share of the recordings that is not trained on but measured at every checkpoint [default: 0]
    #[arg(long, value_name = "FRACTION")]
    held_out: Option<f64>,

    /// Steps between checkpoints [default: 200]
    #[arg(long, value_name = "STEPS")]
    checkpoint_every: Option<u64>,

    /// RAM for decoded audio [default: 2GB]
    #[arg(long, value_name = "SIZE")]
    cache: Option<Bytes>,

    /// Threads that decode [default: one a core, at most 8]
    #[arg(long)]
    workers: Option<usize>,

    /// Adapter, by its number in `cola doctor` or a part of its name [default: a GPU before a CPU]
    #[arg(long, value_name = "N|NAME")]
    adapter: Option<String>,

    /// Kernels to use: portable or cpu [default: those that suit the adapter]
    #[arg(long)]
    tier: Option<String>,

    /// Most device memory to hold, for example 6GB or 2GiB; a batch that takes more is refused at once, and the
    /// largest that fits is named; 0 for no limit [default: 0]
    #[arg(long, value_name = "SIZE")]
    memory_budget: Option<Bytes>,

    /// Leave kernels as they are instead of timing, once for each adapter and batch, which settings are fastest; results
    /// are the same
    #[arg(long = "no-tune", num_args = 0, default_missing_value = "false")]
    tune: Option<bool>,

    /// End at the first file that cannot be used instead of leaving it out
    #[arg(long, num_args = 0, default_missing_value = "true")]
    strict: Option<bool>,
}
