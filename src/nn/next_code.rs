//! The next-code network (Verma and Smith 2020): a segment becomes a sequence of codes, a causal transformer foretells
//! each from those before it, and the mean of its last states over the segment is the representation.
//!
//! A sequence begins with one more id, K, that no patch has: there the network foretells the first code, and from there
//! sounds are drawn.

use super::auto_encoder::{Codebook, CodesConfig};
use super::network::{Network, NetworkConfig, Stored};
use super::transformer::{Transformer, TransformerConfig};
use super::{NamedArray, ParamStore, Slab, StateStore};
use crate::gpu::Gpu;
use crate::ops::elementwise::reshape;
use crate::ops::pool::mean_pool;
use crate::ops::token_embedding::Tokens;
use crate::tape::{Ctx, Var};
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// What decides the tensors of the network and what it computes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NextCodeConfig {
    /// From patches to codes.
    pub codes: CodesConfig,
    /// Over the codes.
    pub transformer: TransformerConfig,
}

impl NextCodeConfig {
    /// What is wrong with it, if anything.
    pub fn complaint(&self) -> Option<String> {
        self.codes.complaint().or_else(|| self.context_complaint()).or_else(|| self.transformer.complaint())
    }

    fn context_complaint(&self) -> Option<String> {
        let (context, segment, column) = (self.transformer.context, self.codes.steps(), self.codes.column());
        let fits = context >= segment && context.is_multiple_of(column);
        (!fits).then(|| {
            format!(
                "--context {context}: give a multiple of {column}, the codes of one time, from {segment}, a segment, on"
            )
        })
    }
}

/// Codes and transformer.
pub struct NextCode {
    /// Those of the transformer.
    pub params: ParamStore,
    /// Auto-encoder and centres, which stay as they are.
    pub state: StateStore,
    /// Over the state.
    pub codebook: Codebook,
    transformer: Transformer,
    config: NextCodeConfig,
}

/// The codes of some segments, as the transformer takes them.
pub struct Sequences {
    inputs: Tokens,
    /// Codes a segment.
    steps: usize,
    /// `[segments · steps]`, `u32`: the code that follows each input.
    pub targets: Tensor,
}

impl NextCode {
    /// At its start; `seed` decides the initial weights, and what dropout takes.
    pub fn new(gpu: &Gpu, config: &NextCodeConfig, seed: u64) -> NextCode {
        let params = ParamStore::build(gpu, &Transformer::initial(&config.transformer, seed));
        let state = StateStore::build(gpu, &Codebook::initial(&config.codes, seed));
        let codebook = Codebook::new(&state, &config.codes);
        let transformer = Transformer::new(&params, &config.transformer, seed);
        NextCode { params, state, codebook, transformer, config: config.clone() }
    }

    /// What it was made with.
    pub fn config(&self) -> &NextCodeConfig {
        &self.config
    }

    /// Takes over what an auto-encoder has learnt.
    ///
    /// # Panics
    /// When it is of another configuration.
    #[track_caller]
    pub fn set_codes(&self, learnt: &dyn Stored) {
        let arrays: Vec<NamedArray> = [learnt.params().read_all(Slab::Values), learnt.state().read_all()].concat();
        for array in arrays {
            self.state.write(&array.name, &array.data).expect("an auto-encoder of this configuration");
        }
    }

    /// The id that every sequence begins with.
    fn start(&self) -> u32 {
        self.config.codes.codes as u32
    }

    // ANCHOR: sequences
    /// The codes of log-mels x `[1, N, frames, 64]`, 96 frames or as many as the context has. Waits for the device.
    pub fn sequences(&self, x: &Tensor) -> Sequences {
        let targets = self.codebook.assign(x).ids;
        let ids = targets.read::<u32>();
        let steps = ids.len() / x.dims4()[1];
        let shifted = |segment: &[u32]| [&[self.start()], &segment[..segment.len() - 1]].concat();
        let inputs: Vec<u32> = ids.chunks(steps).flat_map(shifted).collect();
        Sequences { inputs: Tokens::new(x.gpu(), &inputs, self.config.transformer.classes), steps, targets }
    }
    // ANCHOR_END: sequences

    /// The transformer's last states `[width, segments · steps]`.
    #[track_caller]
    pub fn states(&self, cx: &Ctx, sequences: &Sequences, step: u64) -> Var {
        self.transformer.states(cx, &sequences.inputs, sequences.steps, step)
    }

    /// Logits `[classes, segments · steps]`, K of them codes, of the code that follows each state.
    #[track_caller]
    pub fn logits(&self, cx: &Ctx, states: &Var) -> Var {
        self.transformer.logits(cx, states)
    }

    /// Means over each segment, `[width, segments]`, of the states of some sequences.
    #[track_caller]
    pub fn mean_states(&self, cx: &Ctx, states: &Var, sequences: &Sequences) -> Var {
        let ([width, tokens], steps) = (states.value.dims2(), sequences.steps);
        mean_pool(cx, &reshape(cx, states, &[width, tokens / steps, steps, 1]))
    }

    /// Logits, K of them, of the code that comes after `before`, at most the codes of the context but one.
    ///
    /// # Panics
    /// When there are more.
    #[track_caller]
    pub fn next(&self, gpu: &Gpu, before: &[u32]) -> Vec<f32> {
        let steps = before.len() + 1;
        let mut inputs = [&[self.start()], before].concat();
        // No state knows of what comes behind it.
        inputs.resize(steps.next_multiple_of(4), 0);
        let cx = Ctx::inference(gpu);
        let tokens = Tokens::new(gpu, &inputs, self.config.transformer.classes);
        let states = self.transformer.states(&cx, &tokens, inputs.len(), 0);
        let logits = self.transformer.logits(&cx, &states).value.read::<f32>();
        (0..self.config.codes.codes).map(|code| logits[code * inputs.len() + steps - 1]).collect()
    }
}

impl Stored for NextCode {
    fn network(&self) -> NetworkConfig {
        NetworkConfig::NextCode(self.config.clone())
    }
    fn params(&self) -> &ParamStore {
        &self.params
    }
    fn state(&self) -> &StateStore {
        &self.state
    }
}

impl Network for NextCode {
    fn encode(&self, cx: &Ctx, x: &Var, step: u64) -> Var {
        let sequences = self.sequences(&x.value);
        self.mean_states(cx, &self.states(cx, &sequences, step), &sequences)
    }
    fn trained_len(&self) -> usize {
        self.config.transformer.width
    }
    fn features(&self, cx: &Ctx, x: &Var, step: u64) -> Var {
        self.encode(cx, x, step)
    }
    fn parts(&self) -> Vec<usize> {
        vec![self.trained_len()]
    }
}
