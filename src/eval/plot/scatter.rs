//! A 2-D map of points coloured by label.

use plotters::prelude::*;

use super::canvas::{Canvas, GRID, Hang, INK, MUTED, Outcome, TEXT_PX, draw, fit, font, text_width};

/// Side of the square that holds the points, in CSS pixels.
const SIDE: f64 = 460.0;
const LEFT: f64 = 40.0;
const TOP: f64 = 44.0;

/// Legend lines in a column.
const LINES: usize = 23;
const LONGEST_LABEL: f64 = 140.0;

/// A map of points, such as [`crate::eval::projection::Map2d`].
#[derive(Clone, Debug, Default)]
pub struct ScatterPlot {
    /// Heading.
    pub title: String,
    /// Under the horizontal axis.
    pub x_label: String,
    /// Beside the vertical axis.
    pub y_label: String,
    /// (x, y); points that are not finite are left out.
    pub points: Vec<[f64; 2]>,
    /// Label number of each point; past 40 labels the signs repeat.
    pub labels: Vec<usize>,
    /// Label names by number.
    pub label_names: Vec<String>,
}

impl ScatterPlot {
    /// The plot as SVG. Both axes have the same scale, so that distances can be compared.
    ///
    /// # Panics
    /// If there are not as many labels as points, or a label has no name.
    #[track_caller]
    pub fn to_svg(&self) -> String {
        assert_eq!(self.labels.len(), self.points.len(), "labels and points");
        let columns = self.label_names.len().div_ceil(LINES) as f64;
        let width = LEFT + SIDE + 24.0 + columns * self.column_width() + 8.0;
        draw(width, TOP + SIDE + 40.0, |canvas| self.paint(canvas))
    }

    fn column_width(&self) -> f64 {
        let widths = self.label_names.iter().map(|name| text_width(name, TEXT_PX));
        widths.fold(0.0, f64::max).min(LONGEST_LABEL) + 34.0
    }

    fn paint(&self, canvas: &Canvas) -> Outcome {
        canvas.title(&self.title)?;
        let (ink, muted) = (font(TEXT_PX, INK), font(TEXT_PX, MUTED));
        let (right, bottom) = (LEFT + SIDE, TOP + SIDE);
        let corners = [(LEFT, TOP), (right, TOP), (right, bottom), (LEFT, bottom), (LEFT, TOP)];
        for pair in corners.windows(2) {
            canvas.line(pair[0], pair[1], GRID, 1.0)?;
        }
        let below = (LEFT + SIDE / 2.0, bottom + 20.0);
        canvas.text(&self.x_label, below, Hang::Centre, &muted)?;
        let beside = (LEFT - 18.0, TOP + SIDE / 2.0);
        canvas.turned_text(&self.y_label, beside, Hang::Centre, FontTransform::Rotate270, &muted)?;

        let place = self.placement();
        // Fewer points may be larger; many overlap less when small.
        let radius = (60.0 / (self.points.len() as f64).sqrt()).clamp(2.2, 4.5);
        for (point, &label) in self.points.iter().zip(&self.labels) {
            assert!(label < self.label_names.len(), "label {label} has no name");
            if point.iter().all(|x| x.is_finite()) {
                canvas.marker(label, place(*point), radius, 0.72)?;
            }
        }
        for (label, name) in self.label_names.iter().enumerate() {
            let x = right + 24.0 + (label / LINES) as f64 * self.column_width();
            let y = TOP + 10.0 + (label % LINES) as f64 * 20.0;
            canvas.marker(label, (x + 5.0, y), 5.0, 1.0)?;
            let name = fit(name, TEXT_PX, LONGEST_LABEL);
            canvas.text(&name, (x + 16.0, y), Hang::Left, &ink)?;
        }
        Ok(())
    }

    /// Maps data to the sheet: the wider of the two extents fills the square.
    fn placement(&self) -> impl Fn([f64; 2]) -> (f64, f64) {
        let extent = |axis: usize| {
            let values = self.points.iter().map(|point| point[axis]);
            let finite = values.filter(|x| x.is_finite());
            let start = (f64::INFINITY, f64::NEG_INFINITY);
            let (low, high) = finite.fold(start, |(low, high), x| (low.min(x), high.max(x)));
            if low <= high { (low, high) } else { (0.0, 0.0) }
        };
        let (x, y) = (extent(0), extent(1));
        let widest = (x.1 - x.0).max(y.1 - y.0);
        let scale = if widest > 0.0 { (SIDE - 28.0) / widest } else { 0.0 };
        let middle = ((x.0 + x.1) / 2.0, (y.0 + y.1) / 2.0);
        move |[px, py]| (LEFT + SIDE / 2.0 + (px - middle.0) * scale, TOP + SIDE / 2.0 - (py - middle.1) * scale)
    }
}
