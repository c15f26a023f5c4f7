//! The encoder as other programs read it.
//!
//! | file | holds |
//! |---|---|
//! | `onnx` | the encoder, with or without the log-mel front end, as an ONNX graph |
//! | `hear` | vectors for the HEAR benchmark, on disk and through a pipe |

pub mod hear;
pub mod onnx;
