//! A data set in words, for people who have not downloaded it yet.

use super::DataSet;

/// Columns of a terminal that everybody has.
const WIDTH: usize = 100;

impl DataSet {
    /// What to download, from where, under which terms, and how it must lie on the disk: several lines.
    pub fn description(&self) -> String {
        let mut text = format!("{}: {}\n", self.name, self.title);
        let facts = [
            ("classes", self.task),
            ("download", self.download),
            ("page", self.page),
            ("size", self.size),
            ("licence", self.licence),
        ];
        for (name, fact) in facts {
            text += &item(&format!("  {name:<9} "), fact);
        }
        for (i, line) in self.layout.iter().enumerate() {
            text += &format!("  {:<9} {line}\n", if i == 0 { "SRC holds" } else { "" });
        }
        for (i, difference) in self.differs.iter().enumerate() {
            text += &item(&format!("  {:<9} ", if i == 0 { "note" } else { "" }), difference);
        }
        text
    }
}

/// `text` behind `lead`, broken between words, the following lines indented as far as the first.
pub(super) fn item(lead: &str, text: &str) -> String {
    let mut out = lead.to_string();
    let mut column = lead.len();
    for (i, word) in text.split_whitespace().enumerate() {
        let length = word.chars().count();
        if i > 0 && column + 1 + length > WIDTH {
            out += &format!("\n{}", " ".repeat(lead.len()));
            column = lead.len();
        } else if i > 0 {
            out.push(' ');
            column += 1;
        }
        out += word;
        column += length;
    }
    out.push('\n');
    out
}
