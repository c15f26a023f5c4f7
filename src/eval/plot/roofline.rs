//! Kernels under the two limits of a device.

use super::canvas::{
    COLOURS, Canvas, GRID, Hang, INK, MARGIN, MUTED, Outcome, REFERENCE, TEXT_PX, draw, font, head_height,
};
use plotters::prelude::*;

const WIDTH: f64 = 760.0;
const PANEL: f64 = 380.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 736.0;
const BOTTOM: f64 = 48.0;

/// The roofline of Williams, Waterman and Patterson (2009): what a kernel computes a second against what it computes a
/// byte. No dot can lie above the roof but for data that stays in a cache.
#[derive(Clone, Debug, Default)]
pub struct RooflinePlot {
    /// Heading.
    pub title: String,
    /// The slope on the left.
    pub bandwidth_gb_per_s: f64,
    /// The ceiling on the right.
    pub fma_gflop_per_s: f64,
    /// Names of the families.
    pub families: Vec<String>,
    /// (family, FLOPs a byte, GFLOP/s, number to write beside it where there is room); what computes nothing is left out.
    pub kernels: Vec<(usize, f64, f64, Option<usize>)>,
}

impl RooflinePlot {
    /// The plot as SVG, both axes by powers of ten.
    pub fn to_svg(&self) -> String {
        let legend = self.legend();
        let top = head_height(&legend, WIDTH) + 22.0;
        draw(WIDTH, top + PANEL + BOTTOM, |canvas| self.paint(canvas, &legend, top))
    }

    fn legend(&self) -> Vec<(&str, RGBColor)> {
        let colour = |family: usize| COLOURS[family % COLOURS.len()];
        self.families.iter().enumerate().map(|(family, name)| (name.as_str(), colour(family))).collect()
    }

    fn paint(&self, canvas: &Canvas, legend: &[(&str, RGBColor)], top: f64) -> Outcome {
        canvas.title(&self.title)?;
        canvas.legend(legend, WIDTH)?;
        let kernels: Vec<_> = self.kernels.iter().filter(|k| k.1 > 0.0 && k.2 > 0.0).collect();
        let ridge = self.fma_gflop_per_s / self.bandwidth_gb_per_s;
        let x = Decades::over(kernels.iter().map(|k| k.1).chain([ridge / 10.0, ridge * 10.0]));
        let y = Decades::over(kernels.iter().map(|k| k.2).chain([self.fma_gflop_per_s]));
        let place = |intensity: f64, speed: f64| {
            (LEFT + (RIGHT - LEFT) * x.share(intensity), top + PANEL * (1.0 - y.share(speed)))
        };
        let style = font(TEXT_PX, MUTED);
        for decade in x.low..=x.high {
            let (at, _) = place(10f64.powi(decade), 1.0);
            canvas.line((at, top), (at, top + PANEL), GRID, 1.0)?;
            canvas.text(&power(decade), (at, top + PANEL + 14.0), Hang::Centre, &style)?;
        }
        for decade in y.low..=y.high {
            let (_, at) = place(1.0, 10f64.powi(decade));
            canvas.line((LEFT, at), (RIGHT, at), GRID, 1.0)?;
            canvas.text(&power(decade), (LEFT - 8.0, at), Hang::Right, &style)?;
        }
        canvas.text("GFLOP/s", (MARGIN, top - 12.0), Hang::Left, &style)?;
        canvas.text("FLOPs a byte", ((LEFT + RIGHT) / 2.0, top + PANEL + 34.0), Hang::Centre, &style)?;

        // the slope meets the floor of the panel, or its left edge above it
        let start = 10f64.powi(x.low).max(10f64.powi(y.low) / self.bandwidth_gb_per_s);
        let corner = place(ridge, self.fma_gflop_per_s);
        canvas.line(place(start, start * self.bandwidth_gb_per_s), corner, REFERENCE, 2.0)?;
        canvas.line(corner, (RIGHT, corner.1), REFERENCE, 2.0)?;
        let copy = format!("copy {:.0} GB/s", self.bandwidth_gb_per_s);
        let (at, height) = place(ridge / 4.0, ridge / 4.0 * self.bandwidth_gb_per_s);
        canvas.text(&copy, (at - 8.0, height - 8.0), Hang::Right, &font(TEXT_PX, INK))?;
        let peak = format!("multiply-add {:.0} GFLOP/s", self.fma_gflop_per_s);
        canvas.text(&peak, (RIGHT, corner.1 - 12.0), Hang::Right, &font(TEXT_PX, INK))?;

        let mut written: Vec<(f64, f64)> = Vec::new();
        for &&(family, intensity, speed, number) in &kernels {
            let (x, y) = place(intensity, speed);
            canvas.marker(family % COLOURS.len(), (x, y), 4.0, 0.72)?;
            // the first of those that would stand on each other
            let is_free = written.iter().all(|(left, middle)| (x - left).abs() > 20.0 || (y - middle).abs() > 12.0);
            if let (Some(number), true) = (number, is_free) {
                canvas.text(&number.to_string(), (x + 7.0, y), Hang::Left, &font(TEXT_PX, INK))?;
                written.push((x, y));
            }
        }
        Ok(())
    }
}

/// Whole powers of ten around some values.
struct Decades {
    low: i32,
    high: i32,
}

impl Decades {
    fn over(values: impl Iterator<Item = f64>) -> Decades {
        let (low, high) = values.fold((f64::INFINITY, 0.0f64), |(low, high), value| (value.min(low), value.max(high)));
        let low = low.log10().floor() as i32;
        Decades { low, high: (high.log10().ceil() as i32).max(low + 1) }
    }

    /// Where between the two ends a value stands.
    fn share(&self, value: f64) -> f64 {
        (value.log10() - f64::from(self.low)) / f64::from(self.high - self.low)
    }
}

fn power(decade: i32) -> String {
    let value = 10f64.powi(decade);
    if decade < 0 { format!("{value:.*}", decade.unsigned_abs() as usize) } else { format!("{value:.0}") }
}
