//! Plots as SVG text, for files and for the report: dark on white, in the reader's own system font.

mod bars;
mod canvas;
mod confusion;
mod curves;
mod roofline;
mod scaling;
mod scatter;

pub use bars::BarChart;
pub use confusion::confusion_svg;
pub use curves::{CurvePlot, is_smoothed};
pub use roofline::RooflinePlot;
pub use scaling::ScalingPlot;
pub use scatter::ScatterPlot;

#[cfg(test)]
mod tests;
