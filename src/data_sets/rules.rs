//! Our own split, for sets whose published split is unknown.

use std::collections::BTreeMap;

use crate::audio::Split;

/// What [`hold_out_a_fifth`] does, for the notes: `stratum` is what a fifth is taken of, `key` what orders its clips.
pub(super) fn rule(stratum: &str, key: &str) -> String {
    format!(
        "our own rule, as the paper's split is unknown: within each {stratum}, clips are ordered by the CRC-32C of \
         {key}, and the first fifth (rounded, at least one of two) is the test"
    )
}

/// Train or test for clips given as (stratum, key): a fifth of every stratum is held out, decided by the keys alone,
/// so that no machine, order of files or random generator can change it.
pub(super) fn hold_out_a_fifth(clips: &[(String, String)]) -> Vec<Split> {
    let mut strata: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, (stratum, _)) in clips.iter().enumerate() {
        strata.entry(stratum).or_default().push(i);
    }
    let mut splits = vec![Split::Train; clips.len()];
    for mut members in strata.into_values() {
        members.sort_by_key(|&i| (crc32c::crc32c(clips[i].1.as_bytes()), &clips[i].1));
        let fifth = (members.len() + 2) / 5;
        let tests = if members.len() > 1 { fifth.max(1) } else { 0 };
        for &i in &members[..tests] {
            splits[i] = Split::Test;
        }
    }
    splits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_of_every_stratum_is_held_out_whatever_the_order() {
        let mut clips: Vec<(String, String)> = Vec::new();
        for (stratum, count) in [("a", 10), ("b", 7), ("c", 2), ("d", 1)] {
            clips.extend((0..count).map(|i| (stratum.to_string(), format!("{stratum}/{i}.wav"))));
        }
        let tests_of = |clips: &[(String, String)]| {
            let splits = hold_out_a_fifth(clips);
            let mut keys: Vec<_> =
                clips.iter().zip(splits).filter(|(_, s)| *s == Split::Test).map(|(c, _)| c).collect();
            keys.sort();
            keys.into_iter().cloned().collect::<Vec<_>>()
        };
        let tests = tests_of(&clips);
        let count = |stratum| tests.iter().filter(|(s, _)| s == stratum).count();
        assert_eq!(["a", "b", "c", "d"].map(count), [2, 1, 1, 0]);
        clips.reverse();
        assert_eq!(tests_of(&clips), tests);
    }

    #[test]
    fn the_rule_is_frozen() {
        // Scores of different days are only comparable as long as this does not change.
        let clips: Vec<_> = (0..10).map(|i| ("x".to_string(), format!("music/{i}.wav"))).collect();
        let splits = hold_out_a_fifth(&clips);
        let tests: Vec<usize> = (0..10).filter(|&i| splits[i] == Split::Test).collect();
        assert_eq!(tests, [0, 1]);
    }
}
