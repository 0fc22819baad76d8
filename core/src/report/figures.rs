//! The figures that a set of runs gives.

use super::{Run, Table, choose, deviation, mean, order};
use crate::figure::{Curve, Dot, Panel, Pareto, Samples, Spot};

/// Figure 1 over the first table whose methods have a common set of columns; with the paper's
/// points, over the same columns, where the table is the paper's.
pub(super) fn pareto(tables: &[Table], runs: &[Run]) -> Option<Pareto> {
    let table = tables.first()?;
    let parameters = runs.first()?.parameters();
    let complete: Vec<_> = table
        .rows
        .iter()
        .filter(|row| row.average.is_some())
        .collect();
    let bytes = |method: &str| {
        let mine = runs.iter().filter(|run| run.method == method);
        mean(mine.filter_map(|run| Some(run.peak_bytes? as f64))).map(|bytes| bytes as u64)
    };
    let own = |row: &&super::Row| {
        Some(Dot {
            name: row.method.clone(),
            method: row.method.clone(),
            trainable: row.percent / 100.0 * parameters as f64,
            score: row.average?,
            bytes: bytes(&row.method),
            ghost: false,
        })
    };
    let ghost = |row: &&super::Row| {
        Some(Dot {
            name: format!("{}, paper", row.method),
            method: row.method.clone(),
            trainable: row.paper_percent? / 100.0 * parameters as f64,
            score: row.paper_average?,
            bytes: None,
            ghost: true,
        })
    };
    let dots: Vec<Dot> = complete
        .iter()
        .filter_map(own)
        .chain(complete.iter().filter_map(ghost))
        .collect();
    let score = match table.columns.as_slice() {
        [(task, metric)] => format!("{metric} on {task}, %"),
        columns => {
            let mut tasks: Vec<&str> = columns.iter().map(|(task, _)| task.as_str()).collect();
            tasks.dedup();
            match tasks.len() {
                0..=4 => format!("mean score on {}, %", tasks.join(", ")),
                count => format!("mean score on {count} tasks, %"),
            }
        }
    };
    let majority = match table.majority.as_slice() {
        [one] => *one,
        _ => None,
    };
    (!dots.is_empty()).then_some(Pareto {
        dots,
        parameters,
        majority,
        score,
    })
}

/// Figure 4: one panel for each task that was run on several numbers of training rows.
pub(super) fn samples(runs: &[Run]) -> Option<Samples> {
    let choices = choose(runs);
    let limited = || choices.iter().filter(|choice| choice.samples.is_some());
    let mut tasks: Vec<&str> = limited().map(|choice| choice.task).collect();
    tasks.dedup();
    let panel = |task: &str| {
        let mine = || limited().filter(|choice| choice.task == task);
        let mut methods: Vec<&str> = mine().map(|choice| choice.method).collect();
        methods.sort_by_key(|method| order(method));
        methods.dedup();
        let curve = |method: &str| Curve {
            method: method.into(),
            spots: mine()
                .filter(|choice| choice.method == method)
                .filter_map(|choice| spot(choice.samples?, &choice.runs))
                .collect(),
        };
        let run = *mine().next()?.runs.first()?;
        let curves: Vec<Curve> = methods.into_iter().map(curve).collect();
        let several = curves.iter().any(|curve| curve.spots.len() > 1);
        several.then(|| Panel {
            title: format!("{task}, {}", run.metric),
            curves,
            majority: run.majority,
        })
    };
    let panels: Vec<Panel> = tasks.into_iter().filter_map(panel).collect();
    (!panels.is_empty()).then_some(Samples { panels })
}

fn spot(rows: usize, runs: &[&Run]) -> Option<Spot> {
    let score = |run: &&Run| run.metrics.get(&run.metric).copied();
    let scores: Vec<f64> = runs.iter().filter_map(score).collect();
    Some(Spot {
        rows: rows as f64,
        mean: mean(scores.iter().copied())?,
        deviation: deviation(&scores),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Report;

    #[test]
    fn figure_1_has_our_dots_and_the_papers() {
        let runs = [
            Run::example("rte", "full", 1, 60.0),
            Run::example("rte", "compacter++", 1, 61.0),
        ];
        let figure = Report::new(&runs).pareto.unwrap();
        let ghosts: Vec<bool> = figure.dots.iter().map(|dot| dot.ghost).collect();
        assert_eq!(ghosts, [false, false, true, true]);
        assert_eq!(figure.parameters, 1_000_000);
        assert_eq!(figure.dots[1].bytes, Some(100_000_000));
        assert!((figure.dots[3].trainable - 470.0).abs() < 1e-6);
        assert_eq!(figure.score, "accuracy on rte, %");
        assert!(
            Report::new(&[Run::example("reviews", "full", 1, 60.0)])
                .pareto
                .is_some_and(|figure| figure.dots.len() == 1)
        );
        assert!(Report::new(&[]).pareto.is_none());
    }

    #[test]
    fn figure_4_has_mean_and_deviation_over_the_seeds() {
        let run = |rows, seed, score| Run {
            samples: Some(rows),
            ..Run::example("sst2", "full", seed, score)
        };
        let runs = [
            run(100, 1, 50.0),
            run(100, 2, 54.0),
            run(500, 1, 60.0),
            Run::example("sst2", "full", 1, 90.0),
        ];
        let figure = Report::new(&runs).samples.unwrap();
        let spots = &figure.panels[0].curves[0].spots;
        assert_eq!((spots.len(), spots[0].mean, spots[1].mean), (2, 52.0, 60.0));
        assert!((spots[0].deviation - 8f64.sqrt()).abs() < 1e-12);
        assert!(Report::new(&runs[3..]).samples.is_none());
        assert!(
            Report::new(&runs[..2]).samples.is_none(),
            "one number of rows is no curve"
        );
    }
}
