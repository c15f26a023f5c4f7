//! The encoder as other programs read it.
//!
//! | file | holds |
//! |---|---|
//! | `onnx` | the encoder, with or without the log-mel front end, as an ONNX graph |

pub mod onnx;
