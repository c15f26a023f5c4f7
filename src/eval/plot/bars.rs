//! Shares of several series side by side, such as the accuracy of each representation on each task.

use plotters::style::RGBColor;

use super::canvas::{
    COLOURS, Canvas, GRID, Hang, INK, MUTED, Outcome, REFERENCE, TEXT_PX, draw, fit, font, head_height, text_width,
};

const WIDTH: f64 = 720.0;
const BAR: f64 = 16.0;
const GAP_BETWEEN_GROUPS: f64 = 18.0;
const LONGEST_NAME: f64 = 190.0;

/// Horizontal bars in groups: a group a category, a bar a series.
#[derive(Clone, Debug, Default)]
pub struct BarChart {
    /// Heading.
    pub title: String,
    /// Name of each bar of a group, for the legend.
    pub series: Vec<String>,
    /// (name, a share from 0 to 1 for each series or none, a reference share such as chance or none).
    pub groups: Vec<(String, Vec<Option<f64>>, Option<f64>)>,
    /// What the mark of the reference means.
    pub reference: String,
}

impl BarChart {
    /// The chart as SVG, on a scale from 0 to 100%.
    pub fn to_svg(&self) -> String {
        let head = head_height(&self.legend(), WIDTH);
        let height = head + self.groups.len() as f64 * self.group_height() + 30.0;
        draw(WIDTH, height, |canvas| self.paint(canvas, head, height - 30.0))
    }

    fn legend(&self) -> Vec<(&str, RGBColor)> {
        let names = self.series.iter().map(String::as_str);
        let mut legend: Vec<_> = names.zip(COLOURS.iter().copied().cycle()).collect();
        if self.groups.iter().any(|(.., reference)| reference.is_some()) {
            legend.push((&self.reference, REFERENCE));
        }
        legend
    }

    fn group_height(&self) -> f64 {
        self.series.len() as f64 * (BAR + 3.0) + GAP_BETWEEN_GROUPS
    }

    fn paint(&self, canvas: &Canvas, head: f64, bottom: f64) -> Outcome {
        canvas.title(&self.title)?;
        canvas.legend(&self.legend(), WIDTH)?;

        let names = self.groups.iter().map(|(name, ..)| text_width(name, TEXT_PX));
        let left = names.fold(60.0, f64::max).min(LONGEST_NAME) + 28.0;
        // Room for the figure beside a bar of 100%.
        let right = WIDTH - 62.0;
        let x = |share: f64| left + (right - left) * share.clamp(0.0, 1.0);
        let (ink, muted) = (font(TEXT_PX, INK), font(TEXT_PX, MUTED));
        for percent in (0..=100).step_by(20) {
            let at = x(f64::from(percent) / 100.0);
            canvas.line((at, head), (at, bottom), GRID, 1.0)?;
            canvas.text(&format!("{percent}%"), (at, bottom + 14.0), Hang::Centre, &muted)?;
        }
        for (index, (name, shares, reference)) in self.groups.iter().enumerate() {
            let top = head + index as f64 * self.group_height() + GAP_BETWEEN_GROUPS / 2.0;
            let span = self.group_height() - GAP_BETWEEN_GROUPS;
            let name = fit(name, TEXT_PX, LONGEST_NAME);
            canvas.text(&name, (left - 12.0, top + span / 2.0), Hang::Right, &ink)?;
            for (bar, (share, colour)) in shares.iter().zip(COLOURS.iter().cycle()).enumerate() {
                let bar_top = top + bar as f64 * (BAR + 3.0);
                let Some(share) = share.filter(|share| share.is_finite()) else {
                    let middle = (left + 6.0, bar_top + BAR / 2.0);
                    canvas.text("not measured", middle, Hang::Left, &muted)?;
                    continue;
                };
                canvas.rectangle((left, bar_top), (x(share), bar_top + BAR), *colour)?;
                let figure = format!("{:.1}%", share * 100.0);
                let beside = (x(share) + 6.0, bar_top + BAR / 2.0);
                canvas.text(&figure, beside, Hang::Left, &ink)?;
            }
            if let Some(reference) = reference {
                let at = x(*reference);
                canvas.line((at, top - 4.0), (at, top + span + 1.0), REFERENCE, 2.0)?;
            }
        }
        Ok(())
    }
}
