//! Networks: parameters and where they start, layers and heads composed from [`ops`](crate::ops).
//!
//! | file | holds |
//! |---|---|
//! | `param` | [`ParamStore`] and [`StateStore`]: slabs of named tensors |
//! | `init` | [`Init`]: seeded initial values |
//! | `cola` | the projection head, the two similarities and the contrastive loss |

pub mod cola;
pub mod init;
pub mod param;

pub use init::Init;
pub use param::{NamedArray, ParamError, ParamStore, Slab, StateStore};
