//! `map.html`: clips as points that can be looked at and listened to, on one page that needs no network.
//!
//! [`layout`] says where the points stand, [`clusters`] which belong together, this file makes the page: an SVG that
//! is whole without the script, and the script (`script.js`) that moves, colours, names and plays.

pub mod clusters;
pub mod layout;

use crate::eval::html::escape;
use serde::Serialize;
use std::fmt::Write;

/// Width and height of the drawing, in its own units.
const CANVAS: [f64; 2] = [1000.0, 760.0];

/// Free space along its edges: a point and its ring.
const MARGIN: f64 = 26.0;

/// Signs of groups, each in ten colours: circle, square, triangle, diamond.
const SHAPES: [&str; 4] = [
    "M-5,0a5,5 0 1,0 10,0a5,5 0 1,0 -10,0",
    "M-4.4,-4.4h8.8v8.8h-8.8z",
    "M0,-5.8L5.4,4H-5.4z",
    "M0,-6.2L6.2,0L0,6.2L-6.2,0z",
];
const COLOURS: usize = 10;

/// What the page shows.
#[derive(Debug, Default, Serialize)]
pub struct Page {
    /// Heading.
    pub title: String,
    /// Under it: of what, by what, how many.
    pub about: String,
    /// The clips.
    pub points: Vec<Point>,
    /// Ways to place them, the first one shown at the beginning.
    pub views: Vec<View>,
    /// Ways to colour them, the first one shown at the beginning.
    pub groupings: Vec<Grouping>,
}

/// A clip.
#[derive(Debug, Serialize)]
pub struct Point {
    /// The file, and the part of it.
    pub name: String,
    /// Address of what is to be heard; `None`: nothing can be played.
    pub audio: Option<String>,
    /// Numbers of the clips that lie nearest in the full space, nearest first.
    pub nearest: Vec<usize>,
}

/// Where the points stand.
#[derive(Debug, Serialize)]
pub struct View {
    /// `t-SNE`, `PCA`.
    pub name: String,
    /// What can be read off it.
    pub note: String,
    /// (x, y) of each point in any unit; the page scales them.
    pub points: Vec<[f64; 2]>,
}

/// Which points share a colour.
#[derive(Debug, Serialize)]
pub struct Grouping {
    /// `label`, `cluster`, `folder`.
    pub name: String,
    /// Names of the groups.
    pub names: Vec<String>,
    /// Group of each point.
    pub of: Vec<usize>,
}

impl Page {
    /// The page: HTML with style, script, pictures and sounds inside.
    ///
    /// # Panics
    /// If there is no view or no grouping, or one of them is not about as many points as there are.
    #[track_caller]
    pub fn to_html(&self) -> String {
        let count = self.points.len();
        assert!(!self.views.is_empty() && !self.groupings.is_empty(), "a view and a grouping");
        assert!(self.views.iter().all(|view| view.points.len() == count), "a place for each of {count} points");
        assert!(self.groupings.iter().all(|grouping| grouping.of.len() == count), "a group for each of {count} points");
        let views: Vec<View> = self.views.iter().map(View::on_canvas).collect();
        let data = serde_json::json!({
            "points": self.points,
            "views": views,
            "groupings": self.groupings,
            "shapes": SHAPES,
            "canvas": CANVAS,
        });
        // A "</script>" in a file name must not end the script.
        let data = data.to_string().replace('<', "\\u003c");
        let title = escape(&self.title);
        let [width, height] = CANVAS;
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
             <style>\n{style}</style>\n</head>\n<body>\n\
             <header><h1>{title}</h1><p>{about}</p></header>\n\
             <main>\n<section class=\"card map\" aria-label=\"Map\">\n\
             <div class=\"bar\"><div class=\"choice\" id=\"views\" role=\"group\" aria-label=\"Layout\"></div>\
             <div class=\"choice\" id=\"groupings\" role=\"group\" aria-label=\"Colour by\"></div>\
             <div class=\"choice zoom\" role=\"group\" aria-label=\"Zoom\"><button id=\"out\" aria-label=\"Zoom out\">−</button>\
             <button id=\"whole\">Whole map</button><button id=\"in\" aria-label=\"Zoom in\">+</button></div></div>\n\
             <svg id=\"map\" viewBox=\"0 0 {width} {height}\" tabindex=\"0\" role=\"application\" \
             aria-label=\"Map of {count} clips. Arrow keys go from clip to clip, Enter plays.\">\n{marks}</svg>\n\
             <p class=\"note\" id=\"note\">{note}</p>\n</section>\n\
             <aside>\n<section class=\"card\" id=\"player\" aria-label=\"Clip\">\n\
             <h2 id=\"name\" aria-live=\"polite\">No clip chosen</h2>\n<p id=\"group\">Click a point to hear it, or use the arrow keys and Enter.</p>\n\
             <audio id=\"audio\" controls preload=\"none\"></audio>\n<ol id=\"nearest\" aria-label=\"Nearest clips\"></ol>\n</section>\n\
             <section class=\"card\" aria-label=\"Groups\"><ul id=\"legend\"></ul></section>\n</aside>\n</main>\n\
             <div id=\"tip\" role=\"tooltip\" hidden></div>\n<footer>cola-wgpu {version}</footer>\n\
             <script type=\"application/json\" id=\"data\">{data}</script>\n<script>\n{script}</script>\n</body>\n</html>\n",
            style = include_str!("style.css"),
            script = include_str!("script.js"),
            about = escape(&self.about),
            note = escape(&views[0].note),
            marks = self.marks(&views[0]),
            version = env!("CARGO_PKG_VERSION"),
        )
    }

    /// The points as they stand at the beginning, in order of their numbers.
    fn marks(&self, view: &View) -> String {
        let grouping = &self.groupings[0];
        let mut marks = String::new();
        for (i, ([x, y], &group)) in view.points.iter().zip(&grouping.of).enumerate() {
            let (colour, shape) = (group % COLOURS, SHAPES[group / COLOURS % SHAPES.len()]);
            // Writing to a string cannot fail.
            let _ = writeln!(
                marks,
                "<path class=\"point c{colour}\" data-i=\"{i}\" d=\"{shape}\" style=\"--x:{x}px;--y:{y}px\"/>"
            );
        }
        marks
    }
}

impl View {
    /// Scaled to the canvas, both directions alike, the centre in the middle, up being up; tenths are enough.
    fn on_canvas(&self) -> View {
        let finite = || self.points.iter().filter(|p| p.iter().all(|x| x.is_finite()));
        let range = |axis: usize| {
            let ends = (f64::INFINITY, f64::NEG_INFINITY);
            finite().fold(ends, |(low, high), p| (low.min(p[axis]), high.max(p[axis])))
        };
        let ranges = [range(0), range(1)];
        let scale = ranges.iter().zip(CANVAS).map(|((low, high), side)| (side - 2.0 * MARGIN) / (high - low));
        let scale = scale.filter(|scale| scale.is_finite() && *scale > 0.0).fold(f64::INFINITY, f64::min);
        let place = |p: &[f64; 2]| {
            [0, 1].map(|axis| {
                let (low, high) = ranges[axis];
                let off = (p[axis] - (low + high) / 2.0) * if scale.is_finite() { scale } else { 0.0 };
                let off = if off.is_finite() { off } else { 0.0 };
                let at = CANVAS[axis] / 2.0 + if axis == 0 { off } else { -off };
                (at * 10.0).round() / 10.0
            })
        };
        View { name: self.name.clone(), note: self.note.clone(), points: self.points.iter().map(place).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Page {
        let point = |i: usize| Point {
            name: format!("</script><b>{i}.wav"),
            audio: (i > 0).then(|| "data:audio/wav;base64,".into()),
            nearest: vec![(i + 1) % 3],
        };
        let view = |name: &str, k: f64| View {
            name: name.into(),
            note: "near & far".into(),
            points: vec![[0.0, 0.0], [k, 1.0], [2.0 * k, 2.0]],
        };
        Page {
            title: "a <map>".into(),
            about: "3 clips".into(),
            points: (0..3).map(point).collect(),
            views: vec![view("t-SNE", 1.0), view("PCA", 100.0)],
            groupings: vec![Grouping { name: "label".into(), names: vec!["x".into(), "y".into()], of: vec![0, 1, 1] }],
        }
    }

    #[test]
    fn the_page_is_whole_and_safe() {
        let html = page().to_html();
        assert_eq!(html.matches("<path class=\"point").count(), 3);
        assert!(html.contains("a &lt;map&gt;") && html.contains("near &amp; far"));
        assert_eq!(html.matches("</script>").count(), 2, "no name ends the script");
        for outside in ["http://", "https://", " src=\"", "@import", "url("] {
            assert!(!html.contains(outside), "{outside}");
        }
        for tag in ["section", "div", "p", "svg", "main", "aside", "ol", "ul", "button", "style", "audio"] {
            let opened = html.matches(&format!("<{tag}>")).count() + html.matches(&format!("<{tag} ")).count();
            assert_eq!(opened, html.matches(&format!("</{tag}>")).count(), "{tag}");
        }
    }

    #[test]
    fn both_directions_have_one_scale() {
        let [square, wide] = [&page().views[0], &page().views[1]].map(View::on_canvas);
        assert_eq!(square.points, [[146.0, 734.0], [500.0, 380.0], [854.0, 26.0]]);
        assert_eq!(wide.points, [[26.0, 384.7], [500.0, 380.0], [974.0, 375.3]]);
    }

    #[test]
    fn points_without_a_place_stand_in_the_middle() {
        let view = |points| View { name: String::new(), note: String::new(), points }.on_canvas().points;
        assert_eq!(view(vec![[3.0, 3.0]; 2]), [[500.0, 380.0]; 2]);
        assert_eq!(view(vec![[0.0, 0.0], [f64::NAN, 1.0], [1.0, 1.0]])[1], [500.0, 26.0]);
    }
}
