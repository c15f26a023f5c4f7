//! Every equation of the two papers that is computed here, front end first.

use super::{Place, Topic};

macro_rules! at {
    ($file:literal, $anchor:literal) => {
        Place { file: $file, text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $file)), anchor: $anchor }
    };
}

const COLA: &str = "COLA (Saeed, Grangier, Zeghidour 2020, arXiv 2010.10915), section 2";
const COLA_CODE: &str = "COLA's public code; the paper gives no equation";
const FRAMEWORK: &str = "Verma and Smith (2020, arXiv 2010.11459); sizes and rates are ours";

/// All of them.
pub static TOPICS: &[Topic] = &[
    Topic {
        name: "level",
        title: "how loud a segment is",
        source: COLA_CODE,
        equation: "x ← x / sqrt(max(Σ x², 1e-9))",
        places: &[
            ("for training", at!("src/audio/pair.rs", "fn crop(&self, clip: u32")),
            ("computed", at!("src/audio/crop.rs", "pub fn l2_normalise(x: &mut [f32])")),
            ("test", at!("src/audio/crop.rs", "fn the_norm_becomes_one")),
        ],
    },
    Topic {
        name: "log-mel",
        title: "from samples to the encoder's input",
        source: "COLA, section 3; the numbers are those of its public code and of tf.signal",
        equation: "X[t][k] = Σ_n hann[n] x[160 t + n] exp(-2πi k n / 1024),  n < 400\n\
                   y[t][b] = ln clip(Σ_k M[k][b] |X[t][k]|, 1e-5, 1e8)\n\
                   M: 64 triangles over 60 to 7800 Hz, evenly spaced in m(f) = 1127 ln(1 + f / 700)",
        places: &[
            ("mel matrix", at!("src/ops/mel.rs", "pub fn mel_bands(&self)")),
            ("op", at!("src/ops/log_mel.rs", "pub fn log_mel(&self, samples: &Tensor)")),
            ("kernel", at!("shaders/log_mel.wgsl", "// maths")),
            ("kernel on CPUs", at!("shaders/log_mel_lanes.wgsl", "// maths")),
            ("test", at!("kernels-tests/log_mel.rs", "fn agrees_with_f64_on_every_kind_of_sound")),
        ],
    },
    Topic {
        name: "expand",
        title: "1x1 convolution, the widening and narrowing of an encoder block",
        source: "COLA takes EfficientNet-B0 (Tan and Le 2019), whose block is Sandler et al. 2018, table 1",
        equation: "y[o][p] = Σ_i W[o][i] x[i][p]\n\
                   dx = Wᵀ dy,  dW = dy xᵀ",
        places: &[
            ("block", at!("src/nn/mbconv.rs", "pub fn forward(&self, cx: &Ctx, x: &Var, drop")),
            ("op and gradient", at!("src/ops/matmul.rs", "pub fn linear_in(")),
            ("kernel", at!("shaders/matmul/tile.wgsl", "// maths")),
            ("kernel on CPUs", at!("shaders/matmul/lanes.wgsl", "// maths")),
            ("test", at!("kernels-tests/matmul.rs", "fn linear_layers()")),
        ],
    },
    Topic {
        name: "depthwise",
        title: "one filter a channel, the mixing of pixels in an encoder block",
        source: "EfficientNet-B0 (Tan and Le 2019); padding as TensorFlow's SAME",
        equation: "y[c][i][j] = Σ_uv w[c][u][v] x[c][i s + u - p][j s + v - p']",
        places: &[
            ("op and gradient", at!("src/ops/depthwise.rs", "pub fn depthwise(cx: &Ctx")),
            ("with norm and swish", at!("src/ops/depthwise.rs", "pub fn norm_depthwise(")),
            ("kernel", at!("shaders/depthwise_strip.wgsl", "// maths")),
            ("kernel backward", at!("shaders/depthwise_strip_backward.wgsl", "// maths")),
            ("test", at!("kernels-tests/depthwise.rs", "fn shapes_of_the_network()")),
        ],
    },
    Topic {
        name: "batch-norm",
        title: "each channel brought to mean 0 and deviation 1 over the batch",
        source: "Ioffe and Szegedy 2015, algorithm 1, in every layer of the encoder",
        equation: "z = γ (x - mean) / sqrt(var + ε) + β\n\
                   dx = γ / std (dz - mean(dz) - x̂ mean(dz x̂)),  x̂ = (x - mean) / std",
        places: &[
            ("op and gradient", at!("src/ops/batch_norm.rs", "pub fn batch_norm(cx: &Ctx")),
            ("kernel", at!("shaders/batch_norm.wgsl", "// maths")),
            ("kernel backward", at!("shaders/batch_norm_dx.wgsl", "// maths")),
            ("test", at!("kernels-tests/batch_norm.rs", "fn normalises_and_differentiates()")),
        ],
    },
    Topic {
        name: "swish",
        title: "the encoder's nonlinearity, and others",
        source: "Ramachandran et al. 2017; GELU of the transformer: Hendrycks and Gimpel 2016",
        equation: "swish(x) = x sigmoid(x),  swish'(x) = s (1 + x (1 - s)),  s = sigmoid(x)",
        places: &[
            ("table", at!("src/ops/elementwise.rs", "functions! {")),
            ("op and gradient", at!("src/ops/elementwise.rs", "pub fn unary(cx: &Ctx")),
            ("kernel", at!("shaders/unary.wgsl", "// maths")),
            ("kernel backward", at!("shaders/unary_dx.wgsl", "// maths")),
            ("test", at!("kernels-tests/elementwise.rs", "fn functions_and_their_gradients()")),
        ],
    },
    Topic {
        name: "squeeze-excite",
        title: "each channel weighed by what all channels say",
        source: "Hu et al. 2018, equations 2 to 4, in every block of EfficientNet-B0",
        equation: "s = mean over the plane;  g = W2 swish(W1 s + b1) + b2;  y = x sigmoid(g)",
        places: &[
            ("layer", at!("src/nn/layers.rs", "pub fn excite(&self")),
            ("gate and gradient", at!("src/ops/se.rs", "pub fn gate(cx: &Ctx")),
            ("in one with the projection", at!("src/ops/se_project.rs", "pub fn squeeze_excite_project")),
            ("kernel", at!("shaders/gate.wgsl", "// maths")),
            ("test", at!("kernels-tests/se.rs", "fn gates_scale_planes()")),
        ],
    },
    Topic {
        name: "stochastic-depth",
        title: "blocks that a sample skips in training",
        source: "Huang et al. 2016; Keras' EfficientNet has a rate of 0.2",
        equation: "y = x + m / (1 - p) branch(x),  m = 0 with probability p = rate b / 16",
        places: &[
            ("draw", at!("src/nn/stochastic_depth.rs", "pub fn draw(gpu: &Gpu")),
            ("op and gradient", at!("src/ops/residual.rs", "pub fn residual(cx: &Ctx")),
            ("kernel", at!("shaders/residual.wgsl", "// maths")),
            ("test", at!("kernels-tests/network.rs", "fn stochastic_depth_agrees_with_timm()")),
        ],
    },
    Topic {
        name: "pooling",
        title: "from the last map to the representation h",
        source: COLA,
        equation: "h[c] = max over the plane of x[c];  dx goes to the first of the largest",
        places: &[
            ("choice", at!("src/nn/backbone.rs", "pub fn pool(self, cx: &Ctx")),
            ("op and gradient", at!("src/ops/pool.rs", "pub fn max_pool(cx: &Ctx")),
            ("kernel", at!("shaders/max_pool.wgsl", "// maths")),
            ("test", at!("kernels-tests/pool.rs", "fn planes_and_their_gradients()")),
        ],
    },
    Topic {
        name: "projection",
        title: "from h to what is compared",
        source: COLA,
        equation: "z = g(h) = tanh(LayerNorm(W h + b)),  512 numbers",
        places: &[
            ("head", at!("src/nn/cola.rs", "pub fn forward(&self, cx: &Ctx, h: &Var)")),
            ("LayerNorm and gradient", at!("src/ops/layer_norm.rs", "pub fn layer_norm(cx: &Ctx")),
            ("kernel", at!("shaders/layer_norm.wgsl", "// maths")),
            ("test", at!("kernels-tests/cola.rs", "fn loss_and_every_gradient()")),
        ],
    },
    Topic {
        name: "similarity",
        title: "how alike two segments are",
        source: COLA,
        equation: "s(x, x') = zᵀ W z'          bilinear, W trained\n\
                   dz = (W z') ds,  dz' = (Wᵀ z) ds,  dW = z z'ᵀ ds",
        places: &[
            ("head", at!("src/nn/cola.rs", "fn compare(&self, cx: &Ctx, a: &Var, b: &Var)")),
            ("op and gradient", at!("src/ops/matmul.rs", "pub fn matmul_tn(cx: &Ctx")),
            ("kernel", at!("shaders/matmul/tile.wgsl", "// maths")),
            ("kernel of the gradient", at!("shaders/matmul/lanes_nt.wgsl", "// maths")),
            ("test", at!("kernels-tests/cola.rs", "fn loss_and_every_gradient()")),
        ],
    },
    Topic {
        name: "cosine",
        title: "the other similarity, of the default recipe",
        source: "COLA, table 3",
        equation: "s(x, x') = zᵀ z' / (|z| |z'| τ)",
        places: &[
            ("head", at!("src/nn/cola.rs", "fn embed(&self, cx: &Ctx, h: &Var)")),
            ("unit length and gradient", at!("src/ops/l2_normalise.rs", "pub fn l2_normalise(cx: &Ctx")),
            ("kernel", at!("shaders/l2_normalise.wgsl", "// maths")),
            ("test", at!("kernels-tests/cola.rs", "fn loss_and_every_gradient()")),
        ],
    },
    Topic {
        name: "loss",
        title: "which of all positives belongs to an anchor",
        source: COLA,
        equation: "L = -mean_i ln( exp s(x_i, x'_i) / Σ_j exp s(x_i, x'_j) )\n\
                   ds[i][j] = (softmax_j(s[i]) - 1[i = j]) / B",
        places: &[
            ("head", at!("src/nn/cola.rs", "pub fn loss(&self, cx: &Ctx, h: &Var, targets: &Targets)")),
            ("op and gradient", at!("src/ops/softmax_xent.rs", "pub fn weighted_softmax_xent(")),
            ("kernel", at!("shaders/softmax_xent.wgsl", "// maths")),
            ("kernel backward", at!("shaders/softmax_xent_dx.wgsl", "// maths")),
            ("in chunks", at!("src/train/step.rs", "pub fn gradient(")),
            ("test", at!("kernels-tests/softmax_xent.rs", "fn losses_and_their_gradients()")),
        ],
    },
    Topic {
        name: "adam",
        title: "the step",
        source: "Kingma and Ba 2015, algorithm 1; COLA uses it for pre-training and transfer",
        equation: "m ← β1 m + (1 - β1) g,  v ← β2 v + (1 - β2) g²\n\
                   w ← w - lr (m / (1 - β1^t)) / (sqrt(v / (1 - β2^t)) + ε)",
        places: &[
            ("optimiser", at!("src/optim/adam.rs", "pub fn step(&mut self, params: &ParamStore")),
            ("kernel", at!("shaders/adam.wgsl", "// maths")),
            ("test", at!("kernels-tests/adam.rs", "fn ten_steps_agree_with_the_textbook()")),
        ],
    },
    Topic {
        name: "probe",
        title: "what a representation is worth: a linear layer on it",
        source: "COLA, section 3.2",
        equation: "p = softmax(V h + c),  logits averaged over a clip's segments",
        places: &[
            ("training", at!("src/eval/transfer/frozen.rs", "pub fn fit(gpu: &Gpu")),
            ("fine-tuning", at!("src/eval/transfer/finetune.rs", "pub fn fit(")),
            ("test", at!("kernels-tests/transfer.rs", "fn the_four_modes_and_what_they_write()")),
        ],
    },
    Topic {
        name: "nt-xent",
        title: "every segment looks for its other half among all others",
        source: "Chen et al. 2020 (SimCLR), equation 1; the contrastive branch of Verma and Smith (2020)",
        equation: "l(i, j) = -ln( exp(cos(z_i, z_j) / τ) / Σ_{k ≠ i} exp(cos(z_i, z_k) / τ) )",
        places: &[
            ("what is right", at!("src/nn/cola.rs", "pub fn new(gpu: &Gpu, pairs: usize, contrast: Contrast)")),
            ("head", at!("src/nn/cola.rs", "pub fn loss(&self, cx: &Ctx, h: &Var, targets: &Targets)")),
            ("augmented views", at!("src/train/augment.rs", "pub enum Augmentation")),
            ("test", at!("kernels-tests/cola.rs", "fn loss_and_every_gradient()")),
        ],
    },
    Topic {
        name: "pitch",
        title: "another pitch in the same time: a phase vocoder, then resampling",
        source: "Flanagan and Golden 1966; one of the augmentations that Verma and Smith (2020) name",
        equation: "φ[t + 1][k] = φ[t][k] + princarg(∠X[t + 1][k] - ∠X[t][k] - ω_k h) s + ω_k h s",
        places: &[
            ("op", at!("src/ops/augment/waveform.rs", "pub fn pitch(x: &Tensor")),
            ("kernel", at!("shaders/augment/vocoder.wgsl", "// maths")),
            ("resampling", at!("shaders/augment/resample.wgsl", "// maths")),
            ("test", at!("kernels-tests/augment_sounds.rs", "fn the_vocoder_follows_its_definition()")),
        ],
    },
    Topic {
        name: "mixup",
        title: "another sample in the background",
        source: "log-mixup-exp of BYOL-A (Niizumi et al. 2021), an option of ours",
        equation: "y = ln((1 - λ) exp x + λ exp x')",
        places: &[
            ("op", at!("src/ops/augment/spectrogram.rs", "pub fn mixup(x: &Tensor")),
            ("kernel", at!("shaders/augment/mixup.wgsl", "// maths")),
            ("test", at!("kernels-tests/augment.rs", "fn mixup_adds_magnitudes_of_another_sample()")),
        ],
    },
    Topic {
        name: "auto-encoder",
        title: "patches of the log-mel through a bottleneck",
        source: FRAMEWORK,
        equation: "v = encode(patch),  loss = mean |decode(v) - patch|²,  three dense layers each",
        places: &[
            ("patches", at!("src/ops/patches.rs", "pub fn patches(x: &Tensor")),
            ("network", at!("src/nn/auto_encoder.rs", "pub fn encode(&self, cx: &Ctx")),
            ("training", at!("src/train/codes.rs", "fn train_step(")),
            ("test", at!("kernels-tests/next_code.rs", "fn codes_are_the_nearest_centres()")),
        ],
    },
    Topic {
        name: "k-means",
        title: "from vectors to codes",
        source: "Lloyd 1982; k-means++ of Arthur and Vassilvitskii 2007; used by Verma and Smith (2020)",
        equation: "code(v) = argmin_k |v - c_k|²;  c_k ← mean of its vectors\n\
                   start: the next centre is drawn with probability ~ distance²",
        places: &[
            ("start", at!("src/codes/kmeans.rs", "pub fn plus_plus(")),
            ("rounds", at!("src/codes/kmeans.rs", "pub fn fit(points: &Tensor")),
            ("op", at!("src/ops/kmeans.rs", "pub fn assign(points: &Tensor")),
            ("kernel", at!("shaders/kmeans_assign.wgsl", "// maths")),
            ("test", at!("kernels-tests/kmeans.rs", "fn points_go_to_their_nearest_centre()")),
        ],
    },
    Topic {
        name: "attention",
        title: "each step looks at those before it",
        source: "Vaswani et al. 2017, equation 1; online softmax: Milakov and Gimelshein 2018, Dao et al. 2022",
        equation: "y[t] = Σ_{u ≤ t} softmax_u(q[t]·k[u] / sqrt d) v[u]\n\
                   ds = w (dy·v - δ),  δ = y·dy;  dq = ds k / sqrt d,  dk = dsᵀ q / sqrt d,  dv = wᵀ dy",
        places: &[
            ("op and gradient", at!("src/ops/attention.rs", "pub fn causal_attention(cx: &Ctx")),
            ("kernel", at!("shaders/attention/forward.wgsl", "// maths")),
            ("kernel of dq", at!("shaders/attention/dq.wgsl", "// maths")),
            ("kernel of dk, dv", at!("shaders/attention/dkv.wgsl", "// maths")),
            ("test", at!("kernels-tests/attention.rs", "fn causal_attention_and_its_gradients()")),
        ],
    },
    Topic {
        name: "rotary",
        title: "where a step stands, as an angle",
        source: "Su et al. 2021 (RoFormer), equation 34",
        equation: "(a, b) at step t is turned by t 10000^(-2 i / d)",
        places: &[
            ("op and gradient", at!("src/ops/rotary.rs", "pub fn turn(&self, cx: &Ctx")),
            ("kernel", at!("shaders/rotary.wgsl", "// maths")),
            ("test", at!("kernels-tests/rotary.rs", "fn queries_and_keys_are_turned_and_values_are_not()")),
        ],
    },
    Topic {
        name: "next-code",
        title: "which code comes next, and the representation",
        source: FRAMEWORK,
        equation: "L = -mean_t ln p(code[t] | code[< t]);  h = mean_t of the last states",
        places: &[
            ("transformer", at!("src/nn/transformer.rs", "pub fn states(&self, cx: &Ctx")),
            ("step", at!("src/train/next_code.rs", "pub fn gradient(&self, samples")),
            ("representation", at!("src/nn/next_code.rs", "pub fn mean_states(&self")),
            ("test", at!("kernels-tests/transformer.rs", "fn a_markov_chain_is_learned_to_its_entropy()")),
        ],
    },
    Topic {
        name: "griffin-lim",
        title: "from magnitudes back to sound",
        source: "Griffin and Lim 1984, for cola sample",
        equation: "x ← overlap-add(ifft(M X / |X|)),  X = stft(x)",
        places: &[
            ("rounds", at!("src/ops/griffin_lim.rs", "pub fn griffin_lim(magnitudes: &Tensor")),
            ("kernel", at!("shaders/impose_magnitude.wgsl", "// maths")),
            ("test", at!("kernels-tests/griffin_lim.rs", "fn sounds_are_found_again_from_their_magnitudes()")),
        ],
    },
];
