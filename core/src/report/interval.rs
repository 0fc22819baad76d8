//! How far a score may be off: intervals of 95 % confidence, in percent.

use serde::Serialize;

/// Quantile of the normal distribution at 97.5 %.
const Z: f64 = 1.959_964;
/// The same of Student's t for 1 to 10 degrees of freedom.
const T: [f64; 10] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
];

/// Lower and upper end.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// Lower end, in percent.
    pub low: f64,
    /// Upper end, in percent.
    pub high: f64,
}

impl Interval {
    /// Of one run's score by the number of test rows: Wilson's for shares of rows, Fisher's for
    /// correlations (Matthews' is one, of two classes), and for F1 Wilson's over the rows that
    /// count for it, which follow from the accuracy. `None` for a metric that has no such law.
    pub fn of_rows(metric: &str, score: f64, accuracy: Option<f64>, rows: usize) -> Option<Self> {
        let rows = rows as f64;
        match metric {
            "accuracy" | "exact_match" | "em" => wilson(score / 100.0, rows),
            "f1" => f1(score / 100.0, accuracy? / 100.0, rows),
            "matthews_correlation" | "pearson" => fisher(score / 100.0, rows, 1.0),
            // Fieller, Hartley and Pearson 1957: a rank correlation varies a little more.
            "spearmanr" => fisher(score / 100.0, rows, 1.06),
            _ => None,
        }
    }

    /// Of a mean over seeds (Student's t); `None` for fewer than two.
    pub fn of_seeds(mean: f64, deviation: f64, seeds: usize) -> Option<Self> {
        let freedom = seeds.checked_sub(1).filter(|freedom| *freedom > 0)?;
        let z = Z;
        // Beyond the table the expansion of Cornish and Fisher is right to three digits.
        let t = T.get(freedom - 1).copied().unwrap_or_else(|| {
            let v = freedom as f64;
            z + (z.powi(3) + z) / (4.0 * v)
                + (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * v * v)
        });
        let reach = t * deviation / (seeds as f64).sqrt();
        Some(Self {
            low: (mean - reach).max(-100.0),
            high: (mean + reach).min(100.0),
        })
    }
}

/// Wilson's interval of a share.
fn wilson(share: f64, rows: f64) -> Option<Interval> {
    if rows < 1.0 || !(0.0..=1.0).contains(&share) {
        return None;
    }
    let scale = 1.0 + Z * Z / rows;
    let middle = (share + Z * Z / (2.0 * rows)) / scale;
    let reach = Z / scale * (share * (1.0 - share) / rows + Z * Z / (4.0 * rows * rows)).sqrt();
    Some(Interval {
        low: 100.0 * (middle - reach).max(0.0),
        high: 100.0 * (middle + reach).min(1.0),
    })
}

/// Fisher's interval of a correlation.
fn fisher(r: f64, rows: f64, variance: f64) -> Option<Interval> {
    if rows < 4.0 || !(-1.0..=1.0).contains(&r) {
        return None;
    }
    let z = r.clamp(-0.999_999, 0.999_999).atanh();
    let reach = Z * (variance / (rows - 3.0)).sqrt();
    Some(Interval {
        low: 100.0 * (z - reach).tanh(),
        high: 100.0 * (z + reach).tanh(),
    })
}

/// F1 = 2 J / (1 + J), where J is a share: the true positives among the rows that are positive or
/// were called so. Their number follows from the errors, of which all are among them.
fn f1(f1: f64, accuracy: f64, rows: f64) -> Option<Interval> {
    if !(0.0..1.0).contains(&accuracy) || !(0.0..=1.0).contains(&f1) {
        return None;
    }
    let share = f1 / (2.0 - f1);
    let counted = (1.0 - accuracy) * rows / (1.0 - share).max(1e-9);
    let of_share = wilson(share, counted.min(rows))?;
    let back = |share: f64| 100.0 * 2.0 * (share / 100.0) / (1.0 + share / 100.0);
    Some(Interval {
        low: back(of_share.low),
        high: back(of_share.high),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(interval: Option<Interval>, low: f64, high: f64) {
        let Interval { low: l, high: h } = interval.unwrap();
        assert!((l - low).abs() < 0.06 && (h - high).abs() < 0.06, "{l} {h}");
    }

    #[test]
    fn worked_examples() {
        // 61 of 100 by Wilson: 51.2 to 70.0 (any table of binomial intervals).
        near(Interval::of_rows("accuracy", 61.0, None, 100), 51.2, 70.0);
        near(Interval::of_rows("accuracy", 100.0, None, 10), 72.2, 100.0);
        // r = 0.5 of 28 rows: atanh 0.5493 ± 1.96 / 5 = 0.1573 and 0.9413.
        near(Interval::of_rows("pearson", 50.0, None, 28), 15.60, 73.58);
        // 60 true positives, 20 + 20 errors of 200 rows: J = 60/100 (50.2 to 69.1), F1 = 75 %.
        near(Interval::of_rows("f1", 75.0, Some(80.0), 200), 66.8, 81.7);
        // 60, 62, 64: t = 4.303, deviation 2.
        near(Interval::of_seeds(62.0, 2.0, 3), 57.03, 66.97);
        // 21 seeds: t = 2.086.
        near(Interval::of_seeds(60.0, 21f64.sqrt(), 21), 57.91, 62.09);
    }

    #[test]
    fn what_has_no_law_has_no_interval() {
        assert_eq!(
            Interval::of_rows("f1_multiclass", 60.0, Some(60.0), 100),
            None
        );
        assert_eq!(Interval::of_rows("accuracy", 60.0, None, 0), None);
        assert_eq!(Interval::of_rows("f1", 60.0, None, 100), None);
        assert_eq!(Interval::of_rows("accuracy", f64::NAN, None, 10), None);
        assert_eq!(Interval::of_seeds(60.0, 0.0, 1), None);
        assert!(
            Interval::of_rows("spearmanr", 100.0, None, 50)
                .unwrap()
                .high
                <= 100.0
        );
    }
}
