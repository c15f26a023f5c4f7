//! How good a representation is: measures, maps, pictures, and the report of a run.

pub mod embed;
pub mod embed_job;
pub mod encoder;
pub mod geometry;
pub mod heatmap;
pub mod html;
pub mod map;
pub mod metrics;
pub mod neighbours;
pub mod npy;
pub mod plot;
pub mod probe;
pub mod probe_log;
pub mod projection;
pub mod report;
pub mod retrieval;
pub mod stats;
pub mod transfer;
pub mod vector_file;
