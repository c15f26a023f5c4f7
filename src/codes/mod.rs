//! From sound to a sequence of codes: the first two steps of the generative branch (Verma and Smith 2020).

pub mod kmeans;
