//! A confusion matrix as a grid of shaded cells.

use plotters::prelude::*;

use super::canvas::{Canvas, Hang, INK, MUTED, Outcome, TEXT_PX, draw, fit, font, text_width};
use crate::eval::metrics::Confusion;

/// Longer label names are cut with an ellipsis.
const LONGEST_LABEL: f64 = 150.0;

/// A full cell's colour; an empty one is nearly white.
const FULL: RGBColor = RGBColor(0x12, 0x4e, 0x96);
const EMPTY: RGBColor = RGBColor(0xf4, 0xf7, 0xfa);

/// Draws `confusion`: true labels down, predicted ones across, each cell shaded by its share of the true label's clips
/// and, where there is room, with the count.
pub fn confusion_svg(title: &str, confusion: &Confusion) -> String {
    let labels = confusion.labels();
    let size = labels.len() as f64;
    let cell = (560.0 / size).clamp(14.0, 46.0);
    let longest = labels.iter().map(|label| text_width(label, TEXT_PX));
    let label_room = longest.fold(40.0, f64::max).min(LONGEST_LABEL) + 12.0;
    let (left, top) = (34.0 + label_room, 44.0);
    let grid = cell * size;
    // The title may be wider than the grid of a few labels.
    let width = (left + grid + 24.0).max(text_width(title, 17.0) + 32.0).max(320.0);
    let height = top + grid + label_room + 34.0;
    let sheet = Layout { cell, left, top, grid, height };
    draw(width, height, |canvas| sheet.paint(canvas, title, confusion))
}

struct Layout {
    cell: f64,
    left: f64,
    top: f64,
    /// Width and height of all cells.
    grid: f64,
    height: f64,
}

impl Layout {
    fn paint(&self, canvas: &Canvas, title: &str, confusion: &Confusion) -> Outcome {
        let Layout { cell, left, top, grid, .. } = *self;
        canvas.title(title)?;
        let (ink, muted) = (font(TEXT_PX, INK), font(TEXT_PX, MUTED));
        for (index, label) in confusion.labels().iter().enumerate() {
            let middle = (index as f64 + 0.5) * cell;
            let name = fit(label, TEXT_PX, LONGEST_LABEL);
            canvas.text(&name, (left - 8.0, top + middle), Hang::Right, &ink)?;
            let below = (left + middle, top + grid + 8.0);
            canvas.turned_text(&name, below, Hang::Right, FontTransform::Rotate270, &ink)?;
            self.row(canvas, confusion, index)?;
        }
        let side = (16.0, top + grid / 2.0);
        canvas.turned_text("true label", side, Hang::Centre, FontTransform::Rotate270, &muted)?;
        let below = (left + grid / 2.0, self.height - 16.0);
        canvas.text("predicted label", below, Hang::Centre, &muted)
    }

    fn row(&self, canvas: &Canvas, confusion: &Confusion, truth: usize) -> Outcome {
        let clips = confusion.of_label(truth).max(1) as f64;
        let top = self.top + truth as f64 * self.cell;
        for predicted in 0..confusion.labels().len() {
            let count = confusion.count(truth, predicted);
            let share = count as f64 / clips;
            let left = self.left + predicted as f64 * self.cell;
            // Half a pixel of white on every side makes the grid.
            let corner = (left + self.cell - 0.5, top + self.cell - 0.5);
            canvas.rectangle((left + 0.5, top + 0.5), corner, shade(share))?;
            let text = count.to_string();
            let size = (self.cell * 0.42).min(TEXT_PX);
            if count > 0 && size >= 8.0 && text_width(&text, size) < self.cell - 2.0 {
                let colour = if share > 0.45 { WHITE } else { INK };
                let middle = (left + self.cell / 2.0, top + self.cell / 2.0);
                canvas.text(&text, middle, Hang::Centre, &font(size, colour))?;
            }
        }
        Ok(())
    }
}

fn shade(share: f64) -> RGBColor {
    // The square root lifts rare confusions, which are what one looks for, off the background.
    let t = share.clamp(0.0, 1.0).sqrt();
    let mix = |empty: u8, full: u8| (f64::from(empty) + t * (f64::from(full) - f64::from(empty))) as u8;
    RGBColor(mix(EMPTY.0, FULL.0), mix(EMPTY.1, FULL.1), mix(EMPTY.2, FULL.2))
}
