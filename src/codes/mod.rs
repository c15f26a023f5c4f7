//! Sounds as sequences of codes (Verma and Smith 2020): how centres are found, how new sequences are drawn, and how they
//! are heard.

pub mod kmeans;
pub mod sampling;
pub mod sound;
