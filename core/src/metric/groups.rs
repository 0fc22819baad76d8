//! Scores over groups of rows.

use super::percent;
use std::collections::BTreeMap;

/// Percent of groups (questions) in which every prediction equals its target, as MultiRC has it.
pub fn multirc_em(predictions: &[String], targets: &[String], groups: &[usize]) -> f64 {
    let mut right: BTreeMap<usize, bool> = BTreeMap::new();
    for ((prediction, target), &group) in predictions.iter().zip(targets).zip(groups) {
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
        let text = |values: &[&str]| values.iter().map(|v| v.to_string()).collect::<Vec<_>>();
        let (p, t) = (text(&["1", "0", "1", "x"]), text(&["1", "1", "1", "0"]));
        assert_eq!(multirc_em(&p, &t, &[0, 1, 0, 3]), 100.0 * (1.0 / 3.0));
        assert_eq!(multirc_em(&[], &[], &[]), 0.0);
    }
}
