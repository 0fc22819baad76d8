//! Scores as the paper's Tables 1 and 2, and a table for what the paper has not.

use super::{Choice, Interval, Run, choose, deviation, mean, order};
use crate::paper::{Column, GLUE, SUPERGLUE, Scores};
use serde::Serialize;

/// Our score of one method on one column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cell {
    /// Mean over the seeds, in percent.
    pub score: f64,
    /// Sample deviation over the seeds; `None` for one.
    pub deviation: Option<f64>,
    /// Over the seeds where there are several, else over the test rows.
    pub interval: Option<Interval>,
    /// How many seeds.
    pub seeds: usize,
    /// Test rows of each.
    pub test_rows: usize,
    /// Settings that the validation score chose from.
    pub settings: usize,
}

/// One method's line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Method name.
    pub method: String,
    /// Trained share of our base, in percent.
    pub percent: f64,
    /// Trained share of T5-base in the paper, in percent.
    pub paper_percent: Option<f64>,
    /// One a column; `None` where nothing was run.
    pub cells: Vec<Option<Cell>>,
    /// The paper's, one a column.
    pub paper: Vec<Option<f64>>,
    /// Mean of our scores; `None` unless all columns have one.
    pub average: Option<f64>,
    /// Mean of the paper's scores over the same columns.
    pub paper_average: Option<f64>,
}

/// A table of scores in percent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Table {
    /// `Table 1: GLUE`.
    pub title: String,
    /// Task and metric of each column.
    pub columns: Vec<(String, String)>,
    /// One a method.
    pub rows: Vec<Row>,
    /// The most frequent label's score, where the column's metric is the task's first.
    pub majority: Vec<Option<f64>>,
}

/// What is known of the paper for one table.
struct Paper {
    title: &'static str,
    columns: Vec<Column>,
    /// Method, share and scores.
    rows: Vec<(&'static str, f64, Vec<f64>)>,
}

impl Paper {
    fn new<const N: usize>(title: &'static str, table: &Scores<N>) -> Self {
        let row = |row: &crate::paper::Row<N>| (row.method, row.percent, row.scores.to_vec());
        Self {
            title,
            columns: table.columns.to_vec(),
            rows: table.rows.iter().map(row).collect(),
        }
    }

    fn percent(&self, method: &str) -> Option<f64> {
        let row = self.rows.iter().find(|(name, ..)| *name == method)?;
        Some(row.1)
    }

    fn score(&self, method: &str, column: &(String, String)) -> Option<f64> {
        let row = self.rows.iter().find(|(name, ..)| *name == method)?;
        let place = self.columns.iter().position(|paper| same(paper, column))?;
        row.2.get(place).copied()
    }
}

/// Whether a column of the paper is one of ours, whose metrics tell exact match and F1 over words by
/// their full names.
fn same(paper: &Column, ours: &(String, String)) -> bool {
    let metric = match ours.1.as_str() {
        "exact_match" => "em",
        "token_f1" => "f1",
        other => other,
    };
    paper.0 == ours.0 && paper.1 == metric
}

/// Tables 1, 2 and one for all other tasks; those without runs are left out. Runs on fewer training
/// rows stand in only where a task has none on more.
pub fn tables(runs: &[Run]) -> Vec<Table> {
    let mut choices = choose(runs);
    let all = choices.clone();
    // `None` is all rows.
    let rows = |choice: &Choice<'_>| choice.samples.unwrap_or(usize::MAX);
    choices.retain(|one| {
        let beside = |other: &&Choice<'_>| (other.task, other.method) == (one.task, one.method);
        all.iter()
            .filter(beside)
            .all(|other| rows(other) <= rows(one))
    });
    let other = Paper {
        title: "Other tasks",
        columns: Vec::new(),
        rows: Vec::new(),
    };
    let papers = [
        Paper::new("Table 1: GLUE", &GLUE),
        Paper::new("Table 2: SuperGLUE", &SUPERGLUE),
        other,
    ];
    let mut tables = Vec::new();
    for paper in papers {
        let ours = |choice: &Choice<'_>| match paper.columns.is_empty() {
            true => true,
            false => paper.columns.iter().any(|(task, _)| *task == choice.task),
        };
        let (mine, left): (Vec<_>, Vec<_>) = choices.into_iter().partition(ours);
        choices = left;
        if !mine.is_empty() {
            tables.push(table(&paper, &mine));
        }
    }
    tables
}

fn table(paper: &Paper, choices: &[Choice<'_>]) -> Table {
    let columns = columns(paper, choices);
    let mut methods: Vec<&str> = choices.iter().map(|choice| choice.method).collect();
    methods.sort_by_key(|method| order(method));
    methods.dedup();
    let rows = methods
        .into_iter()
        .map(|method| row(paper, choices, &columns, method))
        .collect();
    let majority = |column: &(String, String)| {
        let runs = choices.iter().flat_map(|choice| &choice.runs);
        runs.filter(|run| (&run.task, &run.metric) == (&column.0, &column.1))
            .find_map(|run| run.majority)
    };
    Table {
        title: paper.title.into(),
        majority: columns.iter().map(majority).collect(),
        columns,
        rows,
    }
}

/// The paper's columns that we have, then our own: of each task the first metric first.
fn columns(paper: &Paper, choices: &[Choice<'_>]) -> Vec<(String, String)> {
    let mut ours: Vec<(String, String)> = Vec::new();
    for run in choices.iter().flat_map(|choice| &choice.runs) {
        let others = run.metrics.keys().filter(|name| **name != run.metric);
        for metric in std::iter::once(&run.metric).chain(others) {
            let column = (run.task.clone(), metric.clone());
            if run.metrics.contains_key(metric) && !ours.contains(&column) {
                ours.push(column);
            }
        }
    }
    let place = |column: &(String, String)| {
        let known = paper.columns.iter().position(|paper| same(paper, column));
        known.unwrap_or(usize::MAX)
    };
    ours.sort_by_key(place);
    ours
}

fn row(paper: &Paper, choices: &[Choice<'_>], columns: &[(String, String)], method: &str) -> Row {
    let of = |task: &str| {
        let fits = |choice: &&Choice<'_>| choice.task == task && choice.method == method;
        choices.iter().find(fits)
    };
    let cells: Vec<Option<Cell>> = columns
        .iter()
        .map(|(task, metric)| cell(of(task)?, metric))
        .collect();
    let papers: Vec<Option<f64>> = columns.iter().map(|c| paper.score(method, c)).collect();
    let scores: Option<Vec<f64>> = cells
        .iter()
        .map(|cell| Some(cell.as_ref()?.score))
        .collect();
    let printed: Option<Vec<f64>> = papers.iter().copied().collect();
    let run = choices.iter().find(|choice| choice.method == method);
    Row {
        method: method.into(),
        percent: run
            .and_then(|choice| choice.runs.first())
            .map_or(f64::NAN, |run| run.percent),
        paper_percent: paper.percent(method),
        average: scores.and_then(mean),
        paper_average: printed.and_then(mean),
        cells,
        paper: papers,
    }
}

fn cell(choice: &Choice<'_>, metric: &str) -> Option<Cell> {
    let of = |run: &&Run, metric: &str| run.metrics.get(metric).copied();
    let scores: Option<Vec<f64>> = choice.runs.iter().map(|run| of(run, metric)).collect();
    let scores = scores?;
    let score = mean(scores.iter().copied())?;
    let (seeds, run) = (scores.len(), choice.runs.first()?);
    let spread = (seeds > 1).then(|| deviation(&scores));
    let interval = match spread {
        Some(spread) => Interval::of_seeds(score, spread, seeds),
        None => Interval::of_rows(metric, score, of(run, "accuracy"), run.test_rows),
    };
    Some(Cell {
        score,
        deviation: spread,
        interval,
        seeds,
        test_rows: run.test_rows,
        settings: choice.settings,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_go_to_their_tables_with_the_papers_scores_beside() {
        let mut mrpc = Run::example("mrpc", "full", 1, 80.0);
        mrpc.metric = "f1".into();
        mrpc.metrics.insert("f1".into(), 85.0);
        let runs = [
            Run::example("rte", "compacter++", 1, 60.0),
            Run::example("rte", "full", 1, 61.0),
            mrpc,
            Run::example("reviews", "full", 1, 62.0),
            Run::example("copa", "full", 1, 50.0),
        ];
        let tables = tables(&runs);
        let titles: Vec<_> = tables.iter().map(|table| table.title.as_str()).collect();
        assert_eq!(
            titles,
            ["Table 1: GLUE", "Table 2: SuperGLUE", "Other tasks"]
        );
        let glue = &tables[0];
        let columns: Vec<_> = glue
            .columns
            .iter()
            .map(|(t, m)| format!("{t} {m}"))
            .collect();
        assert_eq!(columns, ["mrpc accuracy", "mrpc f1", "rte accuracy"]);
        let full = &glue.rows[0];
        assert_eq!(
            (full.method.as_str(), full.paper_percent),
            ("full", Some(100.0))
        );
        assert_eq!(full.paper, [Some(90.2), Some(93.06), Some(71.94)]);
        assert_eq!(full.average, Some((80.0 + 85.0 + 61.0) / 3.0));
        // Not run on MRPC: no average, which would be over other columns.
        assert_eq!(glue.rows[1].average, None);
        assert_eq!(glue.majority, [None, Some(50.0), Some(50.0)]);
        assert_eq!(tables[2].rows[0].paper, [None]);
    }

    #[test]
    fn seeds_give_a_mean_and_an_interval() {
        let runs = [60.0, 62.0, 64.0].map(|score| Run::example("rte", "full", score as u64, score));
        let tables = tables(&runs);
        let cell = tables[0].rows[0].cells[0].as_ref().unwrap();
        assert_eq!(
            (cell.score, cell.deviation, cell.seeds),
            (62.0, Some(2.0), 3)
        );
        assert!(cell.interval.unwrap().low < 58.0);
    }

    #[test]
    fn fewer_training_rows_stand_in_only_where_there_are_no_more() {
        let few = |rows: Option<usize>, score| Run {
            samples: rows,
            ..Run::example("sst2", "full", 1, score)
        };
        let score = |runs: &[Run]| tables(runs)[0].rows[0].cells[0].as_ref().unwrap().score;
        assert_eq!(
            score(&[few(Some(100), 1.0), few(None, 2.0), few(Some(500), 3.0)]),
            2.0
        );
        assert_eq!(score(&[few(Some(100), 1.0), few(Some(500), 3.0)]), 3.0);
    }
}
