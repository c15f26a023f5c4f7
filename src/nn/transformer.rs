//! A causal transformer over token ids: what comes next, given what came before (Radford et al. 2019, "GPT-2", section
//! 2.3: LayerNorm in front of each part and once more at the end).
//!
//! ```text
//! x = table[·][ids] (+ positions)                                     [D][samples · steps]
//! repeat:  x = x + dropout(project(attention(turn(qkv(norm1(x))))))   turn: rotary positions
//!          x = x + dropout(shrink(gelu(widen(norm2(x)))))             4 D in between
//! h = norm(x);  logits = W h                                          [classes][samples · steps]
//! ```

use super::dense::Dense;
use super::{Init, NamedArray, ParamStore};
use crate::gpu::Gpu;
use crate::ops::attention::{HEAD_WIDTHS, causal_attention};
use crate::ops::augment::key;
use crate::ops::dropout::dropout;
use crate::ops::elementwise::{Unary, add_scaled, unary};
use crate::ops::layer_norm::layer_norm;
use crate::ops::matmul::linear;
use crate::ops::rotary::RotaryTable;
use crate::ops::token_embedding::{Tokens, token_embedding};
use crate::tape::{Ctx, Param, Var};
use serde::{Deserialize, Serialize};

const LAYER_NORM_EPS: f32 = 1e-5;
/// GPT-2's.
const WEIGHT_STD: f64 = 0.02;

/// How a step knows where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Positions {
    /// Queries and keys are turned by angles that grow with the step.
    Rotary,
    /// A trained vector for each step is added to the token's.
    Learned,
}

/// What decides the tensors of a transformer and what it computes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransformerConfig {
    /// Number of token ids.
    pub classes: usize,
    /// Blocks.
    pub layers: usize,
    /// D, the length of a state.
    pub width: usize,
    /// Parts that D is cut into for attention.
    pub heads: usize,
    /// The most steps of a sequence.
    pub context: usize,
    /// Where a step stands.
    pub positions: Positions,
    /// Rate of dropout behind attention and MLP.
    pub dropout: f32,
}

impl TransformerConfig {
    /// What is wrong with it, if anything.
    pub fn complaint(&self) -> Option<String> {
        let TransformerConfig { classes, layers, width, heads, context, .. } = *self;
        if classes < 2 || layers == 0 || heads == 0 {
            return Some("a transformer has two classes or more, and a layer and a head or more".into());
        }
        if !width.is_multiple_of(heads) || !HEAD_WIDTHS.contains(&(width / heads)) {
            return Some(format!("width {width} in {heads} heads: a head is 16, 32 or 64 wide"));
        }
        if context == 0 || !context.is_multiple_of(4) {
            return Some(format!("context {context}: give a multiple of 4"));
        }
        (!(0.0..1.0).contains(&self.dropout)).then(|| format!("dropout {}: give 0 up to 1", self.dropout))
    }
}

struct Norm {
    scale: Param,
    offset: Param,
}

impl Norm {
    fn initial(arrays: &mut Vec<NamedArray>, seed: u64, name: &str, width: usize) {
        arrays.push(Init::Ones.array(seed, &format!("{name}.weight"), &[width]));
        arrays.push(Init::Zeros.array(seed, &format!("{name}.bias"), &[width]));
    }

    fn new(params: &ParamStore, name: &str) -> Norm {
        Norm { scale: params.get(&format!("{name}.weight")), offset: params.get(&format!("{name}.bias")) }
    }

    fn forward(&self, cx: &Ctx, x: &Var) -> Var {
        layer_norm(cx, x, &self.scale, &self.offset, LAYER_NORM_EPS)
    }
}

struct Block {
    norm1: Norm,
    qkv: Dense,
    project: Dense,
    norm2: Norm,
    widen: Dense,
    shrink: Dense,
}

/// The network over its parameters.
pub struct Transformer {
    config: TransformerConfig,
    seed: u64,
    /// `[D, classes]`
    tokens: Param,
    /// `[D, context]`, with learned positions.
    positions: Option<Param>,
    blocks: Vec<Block>,
    norm: Norm,
    /// `[classes, D]`
    output: Param,
}

impl Transformer {
    /// Every parameter at its start, as in GPT-2: normal with deviation 0.02, that of what is added to x smaller by
    /// √(2 layers).
    pub fn initial(config: &TransformerConfig, seed: u64) -> Vec<NamedArray> {
        let TransformerConfig { classes, layers, width, context, .. } = *config;
        let normal = Init::Normal { std: WEIGHT_STD };
        let mut arrays = vec![normal.array(seed, "transformer.tokens", &[width, classes])];
        if config.positions == Positions::Learned {
            arrays.push(normal.array(seed, "transformer.positions", &[width, context]));
        }
        let added = Init::Normal { std: WEIGHT_STD / (2.0 * layers as f64).sqrt() };
        for layer in 0..layers {
            let name = |part: &str| format!("transformer.blocks.{layer}.{part}");
            Norm::initial(&mut arrays, seed, &name("norm1"), width);
            arrays.extend(Dense::initial(normal, seed, &name("qkv"), [3 * width, width]));
            arrays.extend(Dense::initial(added, seed, &name("project"), [width, width]));
            Norm::initial(&mut arrays, seed, &name("norm2"), width);
            arrays.extend(Dense::initial(normal, seed, &name("widen"), [4 * width, width]));
            arrays.extend(Dense::initial(added, seed, &name("shrink"), [width, 4 * width]));
        }
        Norm::initial(&mut arrays, seed, "transformer.norm", width);
        arrays.push(normal.array(seed, "transformer.output", &[classes, width]));
        arrays
    }

    /// The network over the parameters that [`initial`](Transformer::initial) named. `seed` decides what dropout takes.
    pub fn new(params: &ParamStore, config: &TransformerConfig, seed: u64) -> Transformer {
        let find = |name: &str| params.get(name);
        let block = |layer: usize| {
            let name = |part: &str| format!("transformer.blocks.{layer}.{part}");
            Block {
                norm1: Norm::new(params, &name("norm1")),
                qkv: Dense::new(&find, &name("qkv")),
                project: Dense::new(&find, &name("project")),
                norm2: Norm::new(params, &name("norm2")),
                widen: Dense::new(&find, &name("widen")),
                shrink: Dense::new(&find, &name("shrink")),
            }
        };
        Transformer {
            config: config.clone(),
            seed,
            tokens: params.get("transformer.tokens"),
            positions: (config.positions == Positions::Learned).then(|| params.get("transformer.positions")),
            blocks: (0..config.layers).map(block).collect(),
            norm: Norm::new(params, "transformer.norm"),
            output: params.get("transformer.output"),
        }
    }

    /// States `[D, samples · steps]` of tokens that are samples of `steps` steps, side by side: each knows what came
    /// before it in its sample. `step` is the training step, for dropout.
    ///
    /// # Panics
    /// When the steps are more than the context or no multiple of 4, or the tokens not whole samples.
    #[track_caller]
    pub fn states(&self, cx: &Ctx, tokens: &Tokens, steps: usize, step: u64) -> Var {
        assert!(steps <= self.config.context, "{steps} steps in a context of {}", self.config.context);
        let mut x = token_embedding(cx, &self.tokens, tokens);
        if let Some(positions) = &self.positions {
            let places = places(cx.gpu, tokens.len(), steps, self.config.context);
            x = add_scaled(cx, 1.0, &x, 1.0, &token_embedding(cx, positions, &places));
        }
        let rotary = (self.config.positions == Positions::Rotary)
            .then(|| RotaryTable::new(cx.gpu, self.config.width / self.config.heads, steps));
        for (layer, block) in (0u32..).zip(&self.blocks) {
            let drop = |part: u32, x: &Var| {
                dropout(cx, x, self.config.dropout, key(self.seed, step, DROPOUT + 2 * layer + part))
            };
            let mut qkv = block.qkv.forward(cx, &block.norm1.forward(cx, &x));
            if let Some(rotary) = &rotary {
                qkv = rotary.turn(cx, &qkv);
            }
            let seen = causal_attention(cx, &qkv, self.config.heads, steps);
            x = add_scaled(cx, 1.0, &x, 1.0, &drop(0, &block.project.forward(cx, &seen)));
            let wide = unary(cx, Unary::Gelu, &block.widen.forward(cx, &block.norm2.forward(cx, &x)));
            x = add_scaled(cx, 1.0, &x, 1.0, &drop(1, &block.shrink.forward(cx, &wide)));
        }
        self.norm.forward(cx, &x)
    }

    /// Logits `[classes, samples · steps]` of the token that follows each state.
    #[track_caller]
    pub fn logits(&self, cx: &Ctx, states: &Var) -> Var {
        linear(cx, &self.output, states)
    }
}

/// Draws of dropout begin here, past those of the augmentations.
const DROPOUT: u32 = 1 << 16;

/// The step that each token stands at.
fn places(gpu: &Gpu, tokens: usize, steps: usize, context: usize) -> Tokens {
    let places: Vec<u32> = (0..tokens).map(|n| (n % steps) as u32).collect();
    Tokens::new(gpu, &places, context)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: TransformerConfig = TransformerConfig {
        classes: 64,
        layers: 6,
        width: 256,
        heads: 8,
        context: 512,
        positions: Positions::Rotary,
        dropout: 0.0,
    };

    #[test]
    fn parameters_are_those_that_the_formula_counts() {
        let count = |config: &TransformerConfig| {
            Transformer::initial(config, 0).iter().map(|array| array.data.len()).sum::<usize>()
        };
        let block = 12 * 256 * 256 + 13 * 256;
        assert_eq!(count(&SMALL), 6 * block + 2 * 256 + 2 * 64 * 256);
        let learned = TransformerConfig { positions: Positions::Learned, ..SMALL };
        assert_eq!(count(&learned), count(&SMALL) + 256 * 512);
    }

    #[test]
    fn what_cannot_be_is_told() {
        assert_eq!(SMALL.complaint(), None);
        for (config, word) in [
            (TransformerConfig { heads: 7, ..SMALL }, "7 heads"),
            (TransformerConfig { heads: 32, ..SMALL }, "16, 32 or 64"),
            (TransformerConfig { context: 30, ..SMALL }, "multiple of 4"),
            (TransformerConfig { dropout: 1.0, ..SMALL }, "dropout"),
            (TransformerConfig { classes: 1, ..SMALL }, "two classes"),
        ] {
            assert!(config.complaint().is_some_and(|text| text.contains(word)), "{word}");
        }
    }
}
