//! A sheet to draw on, measured in CSS pixels, and the look that all plots share.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// plotters places everything on whole pixels; drawing four times as large and letting the viewer scale down keeps
/// curves smooth.
const SCALE: f64 = 4.0;

pub const INK: RGBColor = RGBColor(0x1f, 0x23, 0x28);
pub const MUTED: RGBColor = RGBColor(0x59, 0x63, 0x6e);
pub const GRID: RGBColor = RGBColor(0xe6, 0xe9, 0xec);
/// What is there for comparison only: chance, other labels.
pub const REFERENCE: RGBColor = RGBColor(0x9a, 0xa2, 0xab);

/// Ten colours told apart by most readers, colour-blind ones too, on white and (inverted in lightness) on black.
pub const COLOURS: [RGBColor; 10] = [
    RGBColor(0x1f, 0x6f, 0xc4),
    RGBColor(0xe3, 0x77, 0x0c),
    RGBColor(0x1a, 0x93, 0x6f),
    RGBColor(0xc8, 0x32, 0x4b),
    RGBColor(0x7b, 0x4f, 0xc9),
    RGBColor(0x8c, 0x5a, 0x3c),
    RGBColor(0xd8, 0x4f, 0xa8),
    RGBColor(0x5b, 0x6b, 0x7a),
    RGBColor(0x9a, 0x9a, 0x0e),
    RGBColor(0x12, 0xa3, 0xc2),
];

const FONT: &str = "system-ui, -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif";
pub const TITLE_PX: f64 = 15.0;
pub const TEXT_PX: f64 = 12.0;

pub const MARGIN: f64 = 16.0;
const LEGEND_TOP: f64 = 44.0;
const LEGEND_LINE: f64 = 20.0;

/// plotters' SVG backend divides font sizes by this before it writes them.
const FONT_SIZE_RATIO: f64 = 1.24;

pub type Sheet<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub type Outcome = Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// Makes the SVG of a white sheet of `width` x `height` CSS pixels that `paint` draws on.
pub fn draw(width: f64, height: f64, paint: impl FnOnce(&Canvas) -> Outcome) -> String {
    let (full_width, full_height) = (px(width), px(height));
    let mut svg = String::new();
    {
        let backend = SVGBackend::with_string(&mut svg, (full_width as u32, full_height as u32));
        let sheet = backend.into_drawing_area();
        sheet
            .fill(&WHITE)
            .and_then(|()| paint(&Canvas { sheet: &sheet }))
            .and_then(|()| sheet.present())
            .expect("drawing into a string in memory cannot fail");
    }
    svg.replacen(
        &format!("width=\"{full_width}\" height=\"{full_height}\""),
        &format!("width=\"{width:.0}\" height=\"{height:.0}\""),
        1,
    )
}

/// CSS pixels to the sheet's own.
pub fn px(length: f64) -> i32 {
    (length * SCALE).round() as i32
}

/// A text style of `size` CSS pixels.
pub fn font(size: f64, colour: RGBColor) -> TextStyle<'static> {
    (FONT, size * SCALE * FONT_SIZE_RATIO).into_font().color(&colour)
}

/// About how wide `text` comes out at `size` CSS pixels. The reader's font is unknown, so this is on the wide side.
pub fn text_width(text: &str, size: f64) -> f64 {
    text.chars().count() as f64 * size * 0.56
}

/// `text`, or as much of its beginning as fits into `width` CSS pixels, with an ellipsis.
pub fn fit(text: &str, size: f64, width: f64) -> String {
    if text_width(text, size) <= width {
        return text.into();
    }
    let keep = (width / (size * 0.56)) as usize;
    let start: String = text.chars().take(keep.saturating_sub(1)).collect();
    start.trim_end().to_owned() + "…"
}

/// Where a text hangs on its point, horizontally.
#[derive(Clone, Copy)]
pub enum Hang {
    Left,
    Centre,
    Right,
}

/// The sheet with strokes in CSS pixels.
pub struct Canvas<'a, 'b> {
    pub sheet: &'a Sheet<'b>,
}

impl Canvas<'_, '_> {
    /// Text whose vertical middle is at `y`.
    pub fn text(&self, text: &str, at: (f64, f64), hang: Hang, style: &TextStyle) -> Outcome {
        self.turned_text(text, at, hang, FontTransform::None, style)
    }

    /// Text turned about its point.
    pub fn turned_text(
        &self,
        text: &str,
        (x, y): (f64, f64),
        hang: Hang,
        turn: FontTransform,
        style: &TextStyle,
    ) -> Outcome {
        let horizontal = match hang {
            Hang::Left => HPos::Left,
            Hang::Centre => HPos::Center,
            Hang::Right => HPos::Right,
        };
        let mut style = style.pos(Pos::new(horizontal, VPos::Center));
        style.font = style.font.transform(turn);
        self.sheet.draw(&Text::new(text, (px(x), px(y)), style))
    }

    /// The plot's title, at the top left.
    pub fn title(&self, title: &str) -> Outcome {
        let mut style = font(TITLE_PX, INK);
        style.font = style.font.style(FontStyle::Bold);
        self.text(title, (MARGIN, 20.0), Hang::Left, &style)
    }

    /// A filled rectangle between two corners.
    pub fn rectangle(&self, (x0, y0): (f64, f64), (x1, y1): (f64, f64), colour: impl Color) -> Outcome {
        let corners = [(px(x0), px(y0)), (px(x1), px(y1))];
        self.sheet.draw(&Rectangle::new(corners, colour.filled()))
    }

    /// A line `width` CSS pixels thick.
    pub fn line(&self, from: (f64, f64), to: (f64, f64), colour: impl Color, width: f64) -> Outcome {
        let points = vec![(px(from.0), px(from.1)), (px(to.0), px(to.1))];
        let style = colour.stroke_width(px(width) as u32);
        self.sheet.draw(&PathElement::new(points, style))
    }

    /// A sign for label number `label`: ten colours, then the same ten as squares, triangles and diamonds.
    pub fn marker(&self, label: usize, (x, y): (f64, f64), radius: f64, alpha: f64) -> Outcome {
        let style = COLOURS[label % COLOURS.len()].mix(alpha).filled();
        let at = |dx: f64, dy: f64| (px(x + dx * radius), px(y + dy * radius));
        match label / COLOURS.len() % 4 {
            0 => self.sheet.draw(&Circle::new(at(0.0, 0.0), px(radius), style)),
            1 => self.sheet.draw(&Rectangle::new([at(-0.9, -0.9), at(0.9, 0.9)], style)),
            2 => self.polygon([at(-1.1, 0.9), at(1.1, 0.9), at(0.0, -1.1)].to_vec(), style),
            _ => self.polygon([at(-1.2, 0.0), at(0.0, 1.2), at(1.2, 0.0), at(0.0, -1.2)].to_vec(), style),
        }
    }

    fn polygon(&self, corners: Vec<(i32, i32)>, style: ShapeStyle) -> Outcome {
        self.sheet.draw(&Polygon::new(corners, style))
    }

    /// Coloured squares with names, in lines from the top left below the title.
    pub fn legend(&self, entries: &[(&str, RGBColor)], width: f64) -> Outcome {
        let places = legend_places(entries, width);
        for ((name, colour), (x, y)) in entries.iter().zip(&places) {
            let name = fit(name, TEXT_PX, width - MARGIN - x - 16.0);
            self.rectangle((*x, y - 5.0), (x + 10.0, y + 5.0), colour)?;
            self.text(&name, (x + 16.0, *y), Hang::Left, &font(TEXT_PX, MUTED))?;
        }
        Ok(())
    }
}

/// Height that a sheet of `width` CSS pixels gives to its title and this legend.
pub fn head_height(entries: &[(&str, RGBColor)], width: f64) -> f64 {
    let places = legend_places(entries, width);
    places.last().map_or(LEGEND_TOP, |(_, y)| y + LEGEND_LINE)
}

/// Left edge and middle of each entry; one that does not fit begins a new line.
fn legend_places(entries: &[(&str, RGBColor)], width: f64) -> Vec<(f64, f64)> {
    let (mut x, mut y) = (MARGIN, LEGEND_TOP);
    let places = entries.iter().map(|(name, _)| {
        let length = 16.0 + text_width(name, TEXT_PX);
        if x > MARGIN && x + length > width - MARGIN {
            (x, y) = (MARGIN, y + LEGEND_LINE);
        }
        let place = (x, y);
        x += length + 14.0;
        place
    });
    places.collect()
}
