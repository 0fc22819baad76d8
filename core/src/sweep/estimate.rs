//! How long a run may take, by runs that are over.

/// What a finished run took.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Task name.
    pub task: String,
    /// Method name.
    pub method: String,
    /// Training rows that went through it, each pass counted.
    pub rows: f64,
    /// Wall time, evaluations and all.
    pub seconds: f64,
}

/// Seconds for `rows` training rows at the speed of finished runs: of the same task and method if
/// there are any, else of the same task (whose rows are as long), else of the same method, else of
/// all. `None` where nothing was measured.
pub fn estimate(measured: &[Measured], task: &str, method: &str, rows: f64) -> Option<f64> {
    let alike = |same_task: bool, same_method: bool| {
        let fits = |one: &&Measured| {
            (!same_task || one.task == task) && (!same_method || one.method == method)
        };
        let (seconds, rows) = measured
            .iter()
            .filter(fits)
            .fold((0.0, 0.0), |(s, r), one| (s + one.seconds, r + one.rows));
        (rows > 0.0).then_some(seconds / rows)
    };
    let closest = alike(true, true)
        .or_else(|| alike(true, false))
        .or_else(|| alike(false, true))
        .or_else(|| alike(false, false))?;
    Some(closest * rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_runs_count() {
        let one = |task: &str, method: &str, rows, seconds| Measured {
            task: task.into(),
            method: method.into(),
            rows,
            seconds,
        };
        let measured = [
            one("rte", "full", 100.0, 300.0),
            one("rte", "full", 100.0, 100.0),
            one("rte", "adapter", 100.0, 100.0),
            one("cola", "adapter", 100.0, 20.0),
        ];
        for (task, method, seconds) in [
            ("rte", "full", 50.0 * 400.0 / 200.0),
            ("rte", "compacter", 50.0 * 500.0 / 300.0),
            ("mnli", "adapter", 50.0 * 120.0 / 200.0),
            ("mnli", "bitfit", 50.0 * 520.0 / 400.0),
        ] {
            let got = estimate(&measured, task, method, 50.0).unwrap();
            assert!((got - seconds).abs() < 1e-9, "{task} {method}: {got}");
        }
        assert_eq!(estimate(&[], "rte", "full", 50.0), None);
        assert_eq!(
            estimate(&[one("rte", "full", 0.0, 1.0)], "rte", "full", 50.0),
            None
        );
    }
}
