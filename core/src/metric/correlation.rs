//! Correlations of numbers given as text.

use super::percent;

/// Both sides as numbers; what is no finite number counts as -1.
fn numbers(pairs: &[(&str, &str)]) -> (Vec<f64>, Vec<f64>) {
    let number = |text: &str| match text.trim().parse::<f64>() {
        Ok(value) if value.is_finite() => value,
        _ => -1.0,
    };
    pairs.iter().map(|(p, t)| (number(p), number(t))).unzip()
}

pub(super) fn pearson(pairs: &[(&str, &str)]) -> f64 {
    let (p, t) = numbers(pairs);
    correlation(&p, &t)
}

pub(super) fn spearman(pairs: &[(&str, &str)]) -> f64 {
    let (p, t) = numbers(pairs);
    correlation(&ranks(&p), &ranks(&t))
}

/// In percent; 0 where one side is constant.
fn correlation(x: &[f64], y: &[f64]) -> f64 {
    let constant = |values: &[f64]| values.iter().all(|value| *value == values[0]);
    if x.is_empty() || constant(x) || constant(y) {
        return 0.0;
    }
    let centred = |values: &[f64]| -> Vec<f64> {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        values.iter().map(|value| value - mean).collect()
    };
    let (x, y) = (centred(x), centred(y));
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    percent(dot(&x, &y), dot(&x, &x).sqrt() * dot(&y, &y).sqrt())
}

/// Ranks from 1; equal values share the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    for tied in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = start as f64 + (tied.len() + 1) as f64 / 2.0;
        for &index in tied {
            ranks[index] = rank;
        }
        start += tied.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        // Centred: (-1, 0, 1) and (-1, 1, 0): 1 ÷ √(2·2).
        assert!((pearson(&[("1", "1"), ("2", "3"), ("3", "2")]) - 50.0).abs() < 1e-12);
        // Ranks see order alone.
        assert!((spearman(&[("1", "0.1"), ("2", "5"), ("9", "5.1")]) - 100.0).abs() < 1e-12);
        assert_eq!(ranks(&[2.0, 1.0, 2.0, 3.0]), [2.5, 1.0, 2.5, 4.0]);
        // Ranks of the first are 1.5, 1.5, 3: covariance 1.5 ÷ √(1.5·2).
        let expected = 100.0 * 1.5 / 3f64.sqrt();
        assert!((spearman(&[("0", "0"), ("0", "1"), ("1", "2")]) - expected).abs() < 1e-12);
    }

    #[test]
    fn what_is_no_number_is_minus_one() {
        for text in ["", "abc", "1,5", "nan", "inf"] {
            assert_eq!(
                pearson(&[(text, "1"), ("5", "2")]),
                pearson(&[("-1", "1"), ("5", "2")])
            );
        }
        assert_eq!(pearson(&[("x", "1"), ("y", "2")]), 0.0);
    }
}
