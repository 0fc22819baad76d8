//! Scores of labels.

use super::percent;
use std::collections::BTreeMap;

/// Pairs of prediction and target.
type Pairs<'a> = [(&'a str, &'a str)];

pub(super) fn accuracy(pairs: &Pairs) -> f64 {
    let right = pairs.iter().filter(|(p, t)| p == t).count();
    percent(right as f64, pairs.len() as f64)
}

/// F1 of `positive`: 2·tp ÷ (predicted + actual).
fn f1(pairs: &Pairs, positive: &str) -> f64 {
    let count =
        |test: &dyn Fn(&str, &str) -> bool| pairs.iter().filter(|(p, t)| test(p, t)).count() as f64;
    let both = count(&|p, t| p == positive && t == positive);
    percent(
        2.0 * both,
        count(&|p, _| p == positive) + count(&|_, t| t == positive),
    )
}

pub(super) fn f1_with_invalid(pairs: &Pairs, labels: &[String]) -> f64 {
    let [negative, positive] = match labels {
        [negative, positive, ..] => [negative.as_str(), positive.as_str()],
        _ => ["0", "1"],
    };
    let valid: Vec<(&str, &str)> = pairs
        .iter()
        .map(|&(p, t)| {
            let opposite = if t == positive { negative } else { positive };
            (
                if p == negative || p == positive {
                    p
                } else {
                    opposite
                },
                t,
            )
        })
        .collect();
    f1(&valid, positive)
}

pub(super) fn f1_multiclass(pairs: &Pairs, labels: &[String]) -> f64 {
    if labels.is_empty() {
        return 0.0;
    }
    labels.iter().map(|label| f1(pairs, label)).sum::<f64>() / labels.len() as f64
}

/// Every distinct string is a class, also one that only predictions have.
pub(super) fn matthews(pairs: &Pairs) -> f64 {
    let mut counts: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for (p, t) in pairs {
        counts.entry(p).or_default().0 += 1.0;
        counts.entry(t).or_default().1 += 1.0;
    }
    let sum = |f: &dyn Fn(f64, f64) -> f64| counts.values().map(|&(p, t)| f(p, t)).sum::<f64>();
    let rows = pairs.len() as f64;
    let right = pairs.iter().filter(|(p, t)| p == t).count() as f64;
    let covariance = right * rows - sum(&|p, t| p * t);
    let predicted = rows * rows - sum(&|p, _| p * p);
    let actual = rows * rows - sum(&|_, t| t * t);
    percent(covariance, (predicted * actual).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| name.to_string()).collect()
    }

    #[test]
    fn f1_by_hand() {
        // Positive: predicted 2, actual 3, both 1, so 2·1 ÷ 5.
        let pairs = [("b", "b"), ("b", "a"), ("a", "b"), ("a", "b")];
        assert_eq!(f1_with_invalid(&pairs, &labels(&["a", "b"])), 40.0);
        // `?` becomes b beside a, and a beside b: predicted 2, actual 2, both 1.
        let pairs = [("b", "b"), ("?", "a"), ("?", "b")];
        assert_eq!(f1_with_invalid(&pairs, &labels(&["a", "b"])), 50.0);
    }

    #[test]
    fn f1_multiclass_by_hand() {
        // a: 2·1 ÷ 3, b: 2·1 ÷ 3, c: 0.
        let pairs = [("a", "a"), ("b", "b"), ("a", "b")];
        let expected = (200.0 / 3.0 + 200.0 / 3.0) / 3.0;
        assert!((f1_multiclass(&pairs, &labels(&["a", "b", "c"])) - expected).abs() < 1e-12);
    }

    #[test]
    fn matthews_by_hand() {
        // tp 2, tn 1, fp 1, fn 0: (2·1 − 1·0) ÷ √(3·2·2·1).
        let pairs = [("1", "1"), ("1", "1"), ("0", "0"), ("1", "0")];
        assert!((matthews(&pairs) - 100.0 * 2.0 / 12f64.sqrt()).abs() < 1e-12);
        assert_eq!(matthews(&[("1", "1"), ("1", "0")]), 0.0);
        assert_eq!(matthews(&[("0", "1"), ("1", "0")]), -100.0);
    }

    #[test]
    fn accuracy_by_hand() {
        assert_eq!(
            accuracy(&[("x", "x"), ("y", "x"), ("", "x"), ("x", "x")]),
            50.0
        );
    }
}
