//! A report as CSV: one line a score.

use super::Report;
use crate::{Error, Result};

const HEAD: [&str; 14] = [
    "table",
    "method",
    "task",
    "metric",
    "score",
    "low",
    "high",
    "deviation",
    "seeds",
    "test_rows",
    "trained_percent",
    "paper_score",
    "paper_trained_percent",
    "majority",
];

/// One line for each method and column that was run; an empty field is what is not known.
///
/// # Errors
/// None that writing to memory can meet.
pub fn csv(report: &Report) -> Result<String> {
    let failed = |problem: String| Error::file("report.csv", problem);
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    writer
        .write_record(HEAD)
        .map_err(|e| failed(e.to_string()))?;
    for table in &report.tables {
        for row in &table.rows {
            for (place, (task, metric)) in table.columns.iter().enumerate() {
                let Some(Some(cell)) = row.cells.get(place) else {
                    continue;
                };
                let number = |value: Option<f64>| value.map_or_else(String::new, |v| v.to_string());
                let of = |values: &[Option<f64>]| number(values.get(place).copied().flatten());
                let record = [
                    table.title.clone(),
                    row.method.clone(),
                    task.clone(),
                    metric.clone(),
                    cell.score.to_string(),
                    number(cell.interval.map(|interval| interval.low)),
                    number(cell.interval.map(|interval| interval.high)),
                    number(cell.deviation),
                    cell.seeds.to_string(),
                    cell.test_rows.to_string(),
                    row.percent.to_string(),
                    of(&row.paper),
                    number(row.paper_percent),
                    of(&table.majority),
                ];
                writer
                    .write_record(record)
                    .map_err(|e| failed(e.to_string()))?;
            }
        }
    }
    let bytes = writer.into_inner().map_err(|e| failed(e.to_string()))?;
    String::from_utf8(bytes).map_err(|e| failed(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Run;

    #[test]
    fn one_line_a_score() {
        let runs = [
            Run::example("rte", "full", 1, 60.0),
            Run::example("reviews", "adapter", 1, 62.5),
        ];
        let text = csv(&Report::new(&runs)).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[1].starts_with("Table 1: GLUE,full,rte,accuracy,60,53."));
        assert!(
            lines[1].ends_with(",1,200,100,71.94,100,50"),
            "{}",
            lines[1]
        );
        assert!(lines[2].starts_with("Other tasks,adapter,reviews,accuracy,62.5,"));
        assert!(lines[2].ends_with(",,1,200,0.1,,,50"), "{}", lines[2]);
    }
}
