//! Scores over groups of rows.

use super::percent;
use crate::task::Example;
use std::collections::BTreeMap;

/// Percent of groups (questions) in which every prediction equals its target, as MultiRC has it; a
/// row without a group is one of its own.
pub(super) fn em(pairs: &[(&str, &str)], rows: &[Example]) -> f64 {
    let mut right: BTreeMap<(bool, usize), bool> = BTreeMap::new();
    for (index, ((prediction, target), row)) in pairs.iter().zip(rows).enumerate() {
        let group = match row.group {
            Some(group) => (true, group),
            None => (false, index),
        };
        *right.entry(group).or_insert(true) &= prediction == target;
    }
    percent(
        right.values().filter(|&&all| all).count() as f64,
        right.len() as f64,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wrong_answer_spoils_its_group() {
        let pairs = [("1", "1"), ("0", "1"), ("1", "1"), ("x", "0")];
        let rows = |groups: [Option<usize>; 4]| {
            groups.map(|group| Example {
                group,
                ..Example::default()
            })
        };
        let grouped = rows([Some(0), Some(1), Some(0), Some(3)]);
        assert_eq!(em(&pairs, &grouped), 100.0 * (1.0 / 3.0));
        assert_eq!(em(&pairs, &rows([None; 4])), 50.0);
        assert_eq!(em(&[], &[]), 0.0);
    }
}
