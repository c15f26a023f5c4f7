//! Curves over training steps, each with a smoothed line over the faint values of single steps.

use plotters::prelude::*;

use super::canvas::{COLOURS, Canvas, GRID, MUTED, Outcome, REFERENCE, TEXT_PX, draw, font, head_height, px};

const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 300.0;

/// More points than the plot has pixels across only make the file large.
const MOST_POINTS: usize = 600;

/// A plot of one or more curves.
#[derive(Clone, Debug, Default)]
pub struct CurvePlot {
    /// Heading.
    pub title: String,
    /// Under the horizontal axis.
    pub x_label: String,
    /// (name, points as (x, y) in order of x); points that are not finite are left out.
    pub curves: Vec<(String, Vec<(f64, f64)>)>,
    /// A dashed level with its name, such as chance.
    pub reference: Option<(String, f64)>,
    /// Whether y is a share, 0 to 1, to be written in percent.
    pub percent: bool,
}

impl CurvePlot {
    /// The plot as SVG.
    pub fn to_svg(&self) -> String {
        draw(WIDTH, HEIGHT, |canvas| self.paint(canvas))
    }

    fn paint(&self, canvas: &Canvas) -> Outcome {
        canvas.title(&self.title)?;
        let curves = self.curves.iter().zip(COLOURS);
        let mut legend: Vec<_> = curves.map(|((name, _), colour)| (name.as_str(), colour)).collect();
        if let Some((name, _)) = &self.reference {
            legend.push((name, REFERENCE));
        }
        canvas.legend(&legend, WIDTH)?;

        let ((x_low, x_high), (y_low, y_high)) = self.ranges();
        let mut chart = ChartBuilder::on(canvas.sheet)
            .margin_top(px(head_height(&legend, WIDTH)))
            .margin_right(px(24.0))
            .margin_bottom(px(4.0))
            .margin_left(px(8.0))
            .x_label_area_size(px(44.0))
            .y_label_area_size(px(48.0))
            .build_cartesian_2d(x_low..x_high, y_low..y_high)?;
        let percent = |y: &f64| format!("{:.0}%", y * 100.0);
        let decimals = usize::from(y_high - y_low < 10.0) + usize::from(y_high - y_low < 1.0);
        let number = |y: &f64| format!("{y:.decimals$}");
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID.stroke_width(px(1.0) as u32))
            .axis_style(GRID.stroke_width(px(1.0) as u32))
            .set_all_tick_mark_size(px(4.0))
            .label_style(font(TEXT_PX, MUTED))
            .axis_desc_style(font(TEXT_PX, MUTED))
            .x_desc(&self.x_label)
            .x_labels(6)
            .y_labels(8)
            .x_label_formatter(&|x| short_number(*x))
            .y_label_formatter(if self.percent { &percent } else { &number })
            .draw()?;

        if let Some((_, level)) = &self.reference {
            let ends = [(x_low, *level), (x_high, *level)];
            let style = REFERENCE.stroke_width(px(1.5) as u32);
            chart.draw_series(DashedLineSeries::new(ends, px(6.0), px(5.0), style))?;
        }
        for ((_, points), colour) in self.curves.iter().zip(COLOURS.iter().cycle()) {
            let points = finite(points);
            let faint = colour.mix(0.28).stroke_width(px(1.0) as u32);
            chart.draw_series(LineSeries::new(thin(&points), faint))?;
            let strong = colour.stroke_width(px(2.2) as u32);
            chart.draw_series(LineSeries::new(thin(&smooth(&points)), strong))?;
        }
        Ok(())
    }

    /// ((lowest x, highest x), (lowest y, highest y)) with some air, never empty.
    fn ranges(&self) -> ((f64, f64), (f64, f64)) {
        let points = || self.curves.iter().flat_map(|(_, points)| finite(points));
        let (x_low, x_high) = span(points().map(|(x, _)| x));
        let level = self.reference.iter().map(|(_, level)| *level);
        let (mut y_low, mut y_high) = span(points().map(|(_, y)| y).chain(level));
        let air = (y_high - y_low) * 0.06;
        y_high += air;
        if self.percent {
            (y_low, y_high) = (0.0, y_high.min(1.0));
        } else {
            y_low -= air;
        }
        ((x_low, x_high), (y_low, y_high))
    }
}

fn span(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let start = (f64::INFINITY, f64::NEG_INFINITY);
    let (low, high) = values.fold(start, |(low, high), x| (low.min(x), high.max(x)));
    if low < high {
        (low, high)
    } else if low == high {
        (low - 0.5, high + 0.5)
    } else {
        (0.0, 1.0)
    }
}

fn finite(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let points = points.iter().copied();
    points.filter(|(x, y)| x.is_finite() && y.is_finite()).collect()
}

/// Whether a curve of so many points is drawn twice, its points faint under their mean.
pub fn is_smoothed(points: usize) -> bool {
    reach(points) > 0
}

/// Points on either side that a point's mean is taken with.
fn reach(points: usize) -> usize {
    points / 80
}

/// Mean over a fortieth of the curve around each point; centred, because a running mean lags behind a curve that falls.
fn smooth(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let reach = reach(points.len());
    let mut sums = vec![0.0];
    for (_, y) in points {
        sums.push(sums[sums.len() - 1] + y);
    }
    let smoothed = points.iter().enumerate().map(|(i, &(x, _))| {
        let (from, to) = (i.saturating_sub(reach), (i + reach + 1).min(points.len()));
        (x, (sums[to] - sums[from]) / (to - from) as f64)
    });
    smoothed.collect()
}

/// Means of neighbouring points where there are more than the plot can show.
fn thin(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let group = points.len().div_ceil(MOST_POINTS).max(1);
    let means = points.chunks(group).map(|chunk| {
        let count = chunk.len() as f64;
        let (x, y) = chunk.iter().fold((0.0, 0.0), |(a, b), (x, y)| (a + x, b + y));
        (x / count, y / count)
    });
    means.collect()
}

/// `1500` as `1.5k`: labels of long runs must not run into each other.
fn short_number(x: f64) -> String {
    let (value, unit) = match x.abs() {
        1e6.. => (x / 1e6, "M"),
        1e4.. => (x / 1e3, "k"),
        _ => (x, ""),
    };
    format!("{}{unit}", (value * 100.0).round() / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_keeps_a_line_and_calms_noise() {
        let line: Vec<_> = (0..400).map(|x| (f64::from(x), 3.0 * f64::from(x))).collect();
        for ((_, smoothed), (_, y)) in smooth(&line).iter().zip(&line).skip(10).take(380) {
            assert!((smoothed - y).abs() < 1e-9);
        }
        let noise: Vec<_> = (0..400).map(|x| (f64::from(x), f64::from(x % 2))).collect();
        let smoothed = smooth(&noise);
        assert!(smoothed.iter().all(|(_, y)| (y - 0.5).abs() < 0.09));
        assert_eq!(smooth(&line[..1]), line[..1]);
    }

    #[test]
    fn long_runs_are_thinned_but_keep_their_mean() {
        let line: Vec<_> = (0..100_000).map(|x| (f64::from(x), f64::from(x))).collect();
        let few = thin(&line);
        assert!(few.len() <= MOST_POINTS && few.len() > MOST_POINTS / 2);
        assert!(few.iter().all(|(x, y)| (x - y).abs() < 1e-9));
    }

    #[test]
    fn ranges_are_never_empty() {
        let mut plot = CurvePlot::default();
        assert_eq!(plot.ranges().0, (0.0, 1.0));
        plot.curves = vec![("loss".into(), vec![(1.0, 2.0), (2.0, f64::NAN)])];
        let ((x_low, x_high), (y_low, y_high)) = plot.ranges();
        assert!(x_low < x_high && y_low < y_high);
    }

    #[test]
    fn step_labels_are_short() {
        let text = [0.0, 250.0, 5000.0, 25_000.0, 12_500.0, 2e6].map(short_number);
        assert_eq!(text, ["0", "250", "5000", "25k", "12.5k", "2M"]);
    }
}
