//! Sizes in memory as people write them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::str::FromStr;

/// A number of bytes, written as `2GB`, `512MB` or `1.5GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u64);

const UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

impl FromStr for Bytes {
    type Err = String;
    fn from_str(text: &str) -> Result<Bytes, String> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = text[digits.len()..].to_lowercase();
        let factor = if unit.is_empty() {
            Some(1)
        } else {
            UNITS.iter().find(|(name, _)| name.to_lowercase() == unit).map(|&(_, factor)| factor)
        };
        match (digits.trim().parse::<f64>(), factor) {
            (Ok(number), Some(factor)) if number >= 0.0 && number.is_finite() => {
                Ok(Bytes((number * factor as f64).round() as u64))
            }
            _ => Err(format!("'{text}' is not a size; write for example 2GB or 512MB")),
        }
    }
}

impl std::fmt::Display for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let whole = |&&(_, factor): &&(&str, u64)| self.0 >= factor && self.0.is_multiple_of(factor);
        match UNITS[3..].iter().find(whole) {
            Some((unit, factor)) => write!(f, "{}{unit}", self.0 / factor),
            None => write!(f, "{}", self.0),
        }
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [("2GB", 2_000_000_000), ("1.5MiB", 1_572_864), ("512 mb", 512_000_000), ("77", 77)] {
            let size: Bytes = text.parse().unwrap();
            assert_eq!(size.0, bytes);
            assert_eq!(size.to_string().parse::<Bytes>().unwrap(), size);
        }
        assert!("-1GB".parse::<Bytes>().is_err());
    }
}
