//! From an equation of the papers to the line that computes it: the table behind `cola explain`.
//!
//! A place is a file and a piece of text that stands in it once. The files are compiled in, so the line is that of the
//! program's own version, and a test sees to it that every piece is found.

mod topics;

pub use topics::TOPICS;

/// An equation and where it is computed.
#[derive(Debug)]
pub struct Topic {
    /// What it is asked for by.
    pub name: &'static str,
    /// In a few words.
    pub title: &'static str,
    /// Paper and section.
    pub source: &'static str,
    /// One line or several.
    pub equation: &'static str,
    /// What is done about it, in the order to read it.
    pub places: &'static [(&'static str, Place)],
}

/// A line of a file.
#[derive(Debug)]
pub struct Place {
    /// From the root of the sources.
    pub file: &'static str,
    /// Its text when this program was built.
    pub text: &'static str,
    /// What stands in that line and nowhere else in the file.
    pub anchor: &'static str,
}

impl Place {
    /// Counted from 1; `None` where the anchor is not there, or more than once.
    pub fn line(&self) -> Option<usize> {
        let mut found = self.text.lines().zip(1..).filter(|(line, _)| line.contains(self.anchor));
        let (_, line) = found.next()?;
        found.next().is_none().then_some(line)
    }
}

/// The topic of this name.
pub fn find(name: &str) -> Option<&'static Topic> {
    TOPICS.iter().find(|topic| topic.name == name)
}

impl Topic {
    /// As it is printed.
    pub fn in_words(&self) -> String {
        let mut text = format!("{}: {}\n{}\n\n", self.name, self.title, self.source);
        self.equation.lines().for_each(|line| text.push_str(&format!("    {line}\n")));
        text.push('\n');
        let widest = self.places.iter().map(|(what, _)| what.len()).max().unwrap_or(0);
        for (what, place) in self.places {
            let line = place.line().map_or_else(|| "?".into(), |line| line.to_string());
            text.push_str(&format!("{what:<widest$}  {}:{line}\n", place.file));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::path::Path;

    #[test]
    fn every_place_is_where_it_is_said_to_be() {
        for topic in TOPICS {
            for (what, place) in topic.places {
                let whole = || format!("{}, {what}: '{}' in {}", topic.name, place.anchor, place.file);
                let line = place.line().unwrap_or_else(|| panic!("not there once: {}", whole()));
                let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(place.file);
                let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", whole()));
                let there = text.lines().nth(line - 1).unwrap_or_default();
                assert!(there.contains(place.anchor), "line {line} is '{there}': {}", whole());
            }
        }
    }

    #[test]
    fn topics_have_names_equations_and_a_test() {
        let names: HashSet<_> = TOPICS.iter().map(|topic| topic.name).collect();
        assert_eq!(names.len(), TOPICS.len());
        for topic in TOPICS {
            assert!(!topic.equation.is_empty() && !topic.source.is_empty(), "{}", topic.name);
            assert!(topic.places.iter().any(|(what, _)| *what == "test"), "{} names no test", topic.name);
            assert!(topic.in_words().lines().all(|line| line.chars().count() <= 110), "{}", topic.in_words());
        }
    }
}
