//! Speed and memory against the batch.

use super::canvas::{
    COLOURS, Canvas, GRID, Hang, INK, MARGIN, MUTED, Outcome, REFERENCE, TEXT_PX, draw, font, head_height, px,
};
use plotters::prelude::*;

const WIDTH: f64 = 720.0;
const PANEL: f64 = 190.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 700.0;
const GAP: f64 = 44.0;
const BOTTOM: f64 = 44.0;

/// Two panels over the same batches: speed from 0 up, bytes by powers of ten.
#[derive(Clone, Debug, Default)]
pub struct ScalingPlot {
    /// Heading.
    pub title: String,
    /// (pairs a step, segments a second where they were measured, bytes at the peak), in order of the batch.
    pub points: Vec<(usize, Option<f64>, u64)>,
}

/// A panel: its heading, where its top is, the values with a line, and where on its height a value stands, 0 to 1.
struct Panel {
    name: &'static str,
    top: f64,
    ticks: Vec<f64>,
    place: Box<dyn Fn(f64) -> f64>,
    write: fn(f64) -> String,
}

impl Panel {
    /// From 0 up.
    fn linear(name: &'static str, top: f64, values: impl Iterator<Item = f64>) -> Panel {
        let highest = values.fold(1.0, f64::max);
        // 1, 2 or 5 times a power of ten, four to ten of them
        let decade = 10f64.powf((highest / 2.0).log10().floor());
        let step =
            [0.5, 1.0, 2.0].into_iter().map(|f| f * decade).find(|step| highest / step <= 8.0).unwrap_or(5.0 * decade);
        let count = (highest / step).ceil();
        let ticks = (0..=count as u32).map(|i| f64::from(i) * step).collect();
        Panel { name, top, ticks, place: Box::new(move |value| value / (count * step)), write: |v| v.to_string() }
    }

    /// Whole powers of ten.
    fn decades(name: &'static str, top: f64, values: impl Iterator<Item = f64>) -> Panel {
        let (low, high) = values.fold((f64::INFINITY, 1.0), |(low, high), value| (value.min(low), value.max(high)));
        let low = low.min(high).log10().floor();
        let high = high.log10().ceil().max(low + 1.0);
        let ticks = (low as i32..=high as i32).map(|decade| 10f64.powi(decade)).collect();
        Panel { name, top, ticks, place: Box::new(move |value| (value.log10() - low) / (high - low)), write: size }
    }

    fn y(&self, value: f64) -> f64 {
        self.top + PANEL * (1.0 - (self.place)(value))
    }

    fn frame(&self, canvas: &Canvas) -> Outcome {
        let style = font(TEXT_PX, MUTED);
        canvas.text(self.name, (MARGIN, self.top - 16.0), Hang::Left, &font(TEXT_PX, INK))?;
        for &value in &self.ticks {
            let y = self.y(value);
            canvas.line((LEFT, y), (RIGHT, y), GRID, 1.0)?;
            canvas.text(&(self.write)(value), (LEFT - 8.0, y), Hang::Right, &style)?;
        }
        Ok(())
    }
}

impl ScalingPlot {
    /// The plot as SVG. Full marks are measured, rings are forecast.
    pub fn to_svg(&self) -> String {
        let top = head_height(&legend(), WIDTH) + 30.0;
        let height = top + 2.0 * PANEL + GAP + BOTTOM;
        draw(WIDTH, height, |canvas| self.paint(canvas, top))
    }

    fn paint(&self, canvas: &Canvas, top: f64) -> Outcome {
        canvas.title(&self.title)?;
        canvas.legend(&legend(), WIDTH)?;
        let speeds = || self.points.iter().filter_map(|&(batch, speed, _)| Some((batch, speed?)));
        let bytes = |(_, _, bytes): &(usize, Option<f64>, u64)| *bytes as f64;
        let speed = Panel::linear("segments a second", top, speeds().map(|(_, speed)| speed));
        let second = top + PANEL + GAP;
        let memory = Panel::decades("device memory at the peak of a step", second, self.points.iter().map(bytes));
        speed.frame(canvas)?;
        memory.frame(canvas)?;

        let bottom = memory.top + PANEL;
        for &(batch, ..) in &self.points {
            canvas.text(&batch.to_string(), (self.x(batch), bottom + 14.0), Hang::Centre, &font(TEXT_PX, MUTED))?;
        }
        let below = ((LEFT + RIGHT) / 2.0, bottom + 32.0);
        canvas.text("pairs a step", below, Hang::Centre, &font(TEXT_PX, MUTED))?;

        let speeds: Vec<_> = speeds().map(|(batch, value)| (self.x(batch), speed.y(value), value)).collect();
        for pair in speeds.windows(2) {
            canvas.line((pair[0].0, pair[0].1), (pair[1].0, pair[1].1), COLOURS[0], 2.0)?;
        }
        for (x, y, value) in speeds {
            canvas.marker(0, (x, y), 4.0, 1.0)?;
            let figure = format!("{value:.*}", usize::from(value < 1000.0));
            canvas.text(&figure, (x, y - 12.0), Hang::Centre, &font(TEXT_PX, INK))?;
        }
        let colour = |measured: Option<f64>| if measured.is_some() { COLOURS[0] } else { REFERENCE };
        let sizes: Vec<_> =
            self.points.iter().map(|&(batch, speed, bytes)| (self.x(batch), memory.y(bytes as f64), speed)).collect();
        for pair in sizes.windows(2) {
            canvas.line((pair[0].0, pair[0].1), (pair[1].0, pair[1].1), colour(pair[1].2), 2.0)?;
        }
        for (x, y, measured) in sizes {
            let disc = |radius, colour: RGBColor| Circle::new((px(x), px(y)), px(radius), colour.filled());
            canvas.sheet.draw(&disc(4.0, colour(measured)))?;
            if measured.is_none() {
                canvas.sheet.draw(&disc(2.5, WHITE))?;
            }
        }
        Ok(())
    }

    fn x(&self, batch: usize) -> f64 {
        let (first, last) = (self.points.first().map_or(1, |p| p.0), self.points.last().map_or(1, |p| p.0));
        let position = |batch: usize| (batch as f64).log2();
        let span = (position(last) - position(first)).max(1.0);
        // air on both sides for the figures above the marks
        LEFT + 30.0 + (RIGHT - LEFT - 60.0) * (position(batch) - position(first)) / span
    }
}

fn legend() -> [(&'static str, RGBColor); 2] {
    [("measured", COLOURS[0]), ("forecast: bytes only, not run", REFERENCE)]
}

/// A power of ten in bytes.
fn size(bytes: f64) -> String {
    match bytes {
        1e9.. => format!("{} GB", bytes / 1e9),
        1e6.. => format!("{} MB", bytes / 1e6),
        _ => format!("{bytes} B"),
    }
}
