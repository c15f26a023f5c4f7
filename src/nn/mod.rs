//! Networks: parameters and where they start, layers and heads composed from [`ops`](crate::ops).
//!
//! | file | holds |
//! |---|---|
//! | `param` | [`ParamStore`] and [`StateStore`]: slabs of named tensors |
//! | `init` | [`Init`]: seeded initial values |
//! | `layers` | batch norm and squeeze-excite: their tensors, and how they are found |
//! | `mbconv` | the block that the encoder repeats |
//! | `backbone` | the encoder by its name, and the pooling behind it |
//! | `efficientnet`, `vgg` | the two encoders |
//! | `stochastic_depth` | which blocks a sample skips in training |
//! | `cola` | the projection head, the two similarities and the contrastive loss |
//! | `model` | [`ColaModel`](model::ColaModel): all of it over one store |
//! | `dense`, `transformer` | a layer of weights and biases; a causal transformer over ids |
//! | `auto_encoder` | patches of a log-mel to codes and back |
//! | `next_code` | [`NextCode`](next_code::NextCode): a transformer over those codes |
//! | `network` | what all networks that make vectors of segments have in common |

pub mod auto_encoder;
pub mod backbone;
pub mod cola;
pub mod dense;
pub mod efficientnet;
pub mod init;
pub mod layers;
pub mod mbconv;
pub mod model;
pub mod network;
pub mod next_code;
pub mod param;
pub mod stochastic_depth;
pub mod transformer;
pub mod vgg;

pub use init::Init;
pub use param::{NamedArray, ParamError, ParamStore, Slab, StateStore};
