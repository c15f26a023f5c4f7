//! How good a representation is: measures, maps, pictures, and the report of a run.

pub mod neighbours;
pub mod projection;
