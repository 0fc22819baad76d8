//! A report as Markdown.

use super::{Cell, CostRow, Report, Table};
use std::fmt::Write;

/// Every table, ours and the paper's number in each cell; writing to a string cannot fail.
pub fn markdown(report: &Report) -> String {
    let mut text = String::new();
    for table in &report.tables {
        scores(&mut text, table);
    }
    if !report.costs.is_empty() {
        costs(&mut text, &report.costs);
    }
    text
}

fn scores(text: &mut String, table: &Table) {
    let in_paper = table.rows.iter().any(|row| row.paper_percent.is_some());
    let _ = writeln!(text, "## {}\n", table.title);
    let beside = match in_paper {
        true => "; after the dot the paper's, of T5-base",
        false => "",
    };
    let _ = writeln!(
        text,
        "Percent on the test rows of the setting that was best on validation rows, with the 95 % \
         interval (over the seeds where there are several, else over the test rows){beside}.\n"
    );
    let average = table.columns.len() > 1;
    let mut head = vec!["method".to_string(), "trained %".to_string()];
    head.extend(
        table
            .columns
            .iter()
            .map(|(task, metric)| format!("{task} {metric}")),
    );
    if average {
        head.push("average".into());
    }
    line(text, &head);
    line(text, &vec!["---".to_string(); head.len()]);
    for row in &table.rows {
        let share = match row.percent {
            percent if percent >= 10.0 => format!("{percent:.1}"),
            percent => format!("{percent:.3}"),
        };
        let mut cells = vec![row.method.clone(), pair(share, row.paper_percent, 3)];
        for (cell, paper) in row.cells.iter().zip(&row.paper) {
            cells.push(pair(cell.as_ref().map_or("–".into(), score), *paper, 2));
        }
        if average {
            let ours = row.average.map_or("–".into(), |mean| format!("{mean:.1}"));
            cells.push(pair(ours, row.paper_average, 2));
        }
        line(text, &cells);
    }
    if table.majority.iter().any(Option::is_some) {
        let mut cells = vec!["always the most frequent label".to_string(), "0".into()];
        let number =
            |score: &Option<f64>| score.map_or("–".into(), |score| format!("{score:.1}"));
        cells.extend(table.majority.iter().map(number));
        cells.resize(head.len(), "–".into());
        line(text, &cells);
    }
    text.push('\n');
    if table.title.starts_with("Table 2") {
        text.push_str(
            "Some of the paper's scores on COPA, MultiRC, ReCoRD and WiC cannot be read in the copy \
             they were taken from: the values given make every average of the paper come out.\n\n",
        );
    }
}

/// `61.0 ± 1.5 [57.3, 64.7]`.
fn score(cell: &Cell) -> String {
    let mut text = format!("{:.1}", cell.score);
    if let Some(deviation) = cell.deviation {
        let _ = write!(text, " ± {deviation:.1}");
    }
    if let Some(interval) = cell.interval {
        let _ = write!(text, " [{:.1}, {:.1}]", interval.low, interval.high);
    }
    text
}

fn pair(ours: String, paper: Option<f64>, digits: usize) -> String {
    match paper {
        Some(paper) => format!("{ours} · {paper:.digits$}"),
        None => ours,
    }
}

fn costs(text: &mut String, rows: &[CostRow]) {
    text.push_str(
        "## Table 3: time and memory\n\nTraining steps alone; full fine-tuning is 1; after the dot \
         the paper's, of T5-base. Memory is the process's, with the base and the data in it.\n\n",
    );
    let head = ["method", "trained %", "ms a row", "time", "MiB", "memory"];
    line(text, &head.map(String::from));
    line(text, &head.map(|_| "---".to_string()));
    for row in rows {
        let ratio = |ratio: Option<f64>| ratio.map_or("–".into(), |ratio| format!("{ratio:.3}"));
        let mebibytes = |bytes: f64| format!("{:.0}", bytes / f64::from(1 << 20));
        line(
            text,
            &[
                row.method.clone(),
                format!("{:.3}", row.percent),
                format!("{:.2}", row.milliseconds),
                pair(ratio(row.time), row.paper_time, 3),
                row.bytes.map_or("–".into(), mebibytes),
                pair(ratio(row.memory), row.paper_memory, 3),
            ],
        );
    }
    text.push('\n');
}

fn line(text: &mut String, cells: &[String]) {
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Run;

    #[test]
    fn ours_and_the_papers_stand_in_each_cell() {
        let runs = [
            Run::example("rte", "full", 1, 60.0),
            Run::example("rte", "compacter++", 1, 61.0),
            Run::example("rte", "compacter++", 2, 63.0),
        ];
        let text = markdown(&Report::new(&runs));
        let has = |line: &str| assert!(text.lines().any(|other| other == line), "{line}\n{text}");
        has("| method | trained % | rte accuracy |");
        has("| full | 100.0 · 100.000 | 60.0 [53.1, 66.5] · 71.94 |");
        has("| compacter++ | 0.100 · 0.047 | 62.0 ± 1.4 [49.3, 74.7] · 74.82 |");
        has("| always the most frequent label | 0 | 50.0 |");
        has("| compacter++ | 0.100 | 10.00 | 1.000 · 0.735 | 95 | 1.000 · 0.705 |");
    }

    #[test]
    fn what_was_not_run_is_a_dash() {
        let runs = [
            Run::example("rte", "full", 1, 60.0),
            Run::example("sst2", "adapter", 1, 61.0),
        ];
        let text = markdown(&Report::new(&runs));
        assert!(
            text.contains(
                "| adapter | 0.100 · 0.832 | 61.0 [54.1, 67.5] · 93.81 | – · 71.94 | – · 82.88 |"
            ),
            "{text}"
        );
        assert!(!text.contains("NaN"));
        assert_eq!(markdown(&Report::new(&[])), "");
    }
}
