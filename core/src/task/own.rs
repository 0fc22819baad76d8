//! One's own tables, and the bundled ones.

use super::{Example, Scoring, Task, take, unknown_label};
use crate::data::Table;
use crate::metric::Metric;
use crate::{Error, Result};

/// Passes over the rows of data that no recipe is known for.
const EPOCHS: usize = 20;

/// Which columns of a table are what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Columns {
    /// The text.
    pub text: String,
    /// A second text, for pairs.
    pub text2: Option<String>,
    /// The label; either this or `target`.
    pub label: Option<String>,
    /// Free text to be written.
    pub target: Option<String>,
}

/// The source text of a row, in training and in predicting: the task's name comes first, as in
/// the mixtures that T5 was pretrained on, which tells the base that it is asked for something.
pub fn own_source(name: &str, text: &str, text2: Option<&str>) -> String {
    match text2 {
        None => format!("{name}: {text}"),
        Some(second) => format!("{name}: sentence1: {text} sentence2: {second}"),
    }
}

/// A task from pairs of text and label; a quarter becomes test rows, a tenth of the rest validation.
pub fn pairs<S: AsRef<str>>(name: &str, pairs: &[(S, S)], seed: u64) -> Result<Task> {
    let row = |(text, label): &(S, S)| vec![text.as_ref().into(), label.as_ref().into()];
    let table = Table {
        file: name.into(),
        header: vec!["text".into(), "label".into()],
        rows: pairs.iter().map(row).collect(),
        lines: (1..=pairs.len()).collect(),
    };
    let columns = Columns {
        text: "text".into(),
        label: Some("label".into()),
        ..Columns::default()
    };
    own(name, &table, &columns, None, None, seed)
}

/// A task from tables. Test rows that no table is given for are a quarter of `table`; validation
/// rows, a tenth of the rest; `seed` decides which.
pub fn own(
    name: &str,
    table: &Table,
    columns: &Columns,
    validation: Option<&Table>,
    test: Option<&Table>,
    seed: u64,
) -> Result<Task> {
    let free = match (&columns.label, &columns.target) {
        (Some(_), None) => false,
        (None, Some(_)) => true,
        _ => {
            let message = "name either the column of the labels or that of the target texts";
            return Err(Error::Setting(message.into()));
        }
    };
    let mut train = examples(name, table, columns)?;
    let mut labels: Vec<String> = vec![];
    if !free {
        labels.extend(train.iter().map(|row| row.target.clone()));
        labels.sort_unstable();
        labels.dedup();
        check_labels(table, &labels, &train)?;
    }
    let rows = train.len();
    let mut part = |given: Option<&Table>, share: usize, purpose: &str| match given {
        Some(other) => {
            let rows = examples(name, other, columns)?;
            known_labels(other, &rows, &labels)?;
            Ok(rows)
        }
        None => {
            let all = std::mem::take(&mut train);
            let count = (all.len() / share).max(1);
            let (taken, left) = take(all, count, seed, purpose);
            train = left;
            Ok(taken)
        }
    };
    let test = part(test, 4, "split/test")?;
    let validation = part(validation, 10, "split/validation")?;
    if train.is_empty() {
        let message = format!("{rows} row(s) are too few to split test and validation rows off");
        return Err(Error::file(&table.file, message));
    }
    Ok(Task {
        name: name.into(),
        labels,
        metrics: if free {
            vec![Metric::ExactMatch, Metric::TokenF1]
        } else {
            vec![Metric::Accuracy]
        },
        scoring: if free {
            Scoring::Generate
        } else {
            Scoring::Likelihood
        },
        epochs: EPOCHS,
        train,
        validation,
        test,
    })
}

fn examples(name: &str, table: &Table, columns: &Columns) -> Result<Vec<Example>> {
    let text = table.column(&columns.text)?;
    let text2 = columns
        .text2
        .as_ref()
        .map(|name| table.column(name))
        .transpose()?;
    let target = match (&columns.label, &columns.target) {
        (Some(name), _) | (None, Some(name)) => table.column(name)?,
        (None, None) => return Err(Error::Setting("no column to learn from is named".into())),
    };
    let example = |row: &Vec<String>| Example {
        source: own_source(name, &row[text], text2.map(|second| row[second].as_str())),
        target: row[target].trim().to_string(),
        ..Example::default()
    };
    Ok(table.rows.iter().map(example).collect())
}

/// Labels must be there, and two of them at least.
fn check_labels(table: &Table, labels: &[String], rows: &[Example]) -> Result<()> {
    if let Some(index) = rows.iter().position(|row| row.target.is_empty()) {
        return Err(Error::line(
            &table.file,
            table.lines[index],
            "the label is empty",
        ));
    }
    if let [only] = labels {
        let message = format!("every row has the label `{only}`: at least two labels are needed");
        return Err(Error::file(&table.file, message));
    }
    Ok(())
}

/// Every label must be one of the training file's, if there are labels.
fn known_labels(table: &Table, rows: &[Example], labels: &[String]) -> Result<()> {
    let unknown = |row: &Example| !labels.is_empty() && labels.binary_search(&row.target).is_err();
    match rows.iter().position(unknown) {
        Some(index) => {
            let expected: Vec<&str> = labels.iter().map(String::as_str).collect();
            Err(unknown_label(
                &table.file,
                table.lines[index],
                &rows[index].target,
                &expected,
            ))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Format, read_table};

    fn table(rows: usize) -> Table {
        let row = |i: usize| format!("text {i}\tmore {i}\t{}\n", ["no", "yes"][i % 2]);
        let text = "a\tb\tl\n".to_string() + &(0..rows).map(row).collect::<String>();
        read_table(text.as_bytes(), Format::Tsv, "own.tsv", true).unwrap()
    }

    fn columns(text2: Option<&str>, label: Option<&str>, target: Option<&str>) -> Columns {
        let owned = |name: Option<&str>| name.map(str::to_string);
        let (text2, label, target) = (owned(text2), owned(label), owned(target));
        Columns {
            text: "a".into(),
            text2,
            label,
            target,
        }
    }

    #[test]
    fn a_quarter_is_test_and_a_tenth_of_the_rest_validation() {
        let columns = columns(None, Some("l"), None);
        let task = own("mine", &table(80), &columns, None, None, 1).unwrap();
        assert_eq!(
            (task.train.len(), task.validation.len(), task.test.len()),
            (54, 6, 20)
        );
        assert_eq!(task.labels, ["no", "yes"]);
        assert_eq!(
            (task.scoring, &task.metrics[..]),
            (Scoring::Likelihood, &[Metric::Accuracy][..])
        );
        let mut sources: Vec<&str> = task.train.iter().map(|row| row.source.as_str()).collect();
        sources.extend(
            task.validation
                .iter()
                .chain(&task.test)
                .map(|row| row.source.as_str()),
        );
        sources.sort_unstable();
        sources.dedup();
        assert_eq!(sources.len(), 80);
        assert!(sources.contains(&"mine: text 7"));
        assert_eq!(
            own("mine", &table(80), &columns, None, None, 1).unwrap(),
            task
        );
        assert_ne!(
            own("mine", &table(80), &columns, None, None, 2).unwrap(),
            task
        );
    }

    #[test]
    fn given_tables_are_taken_as_they_are() {
        let columns = columns(Some("b"), Some("l"), None);
        let (validation, test) = (table(3), table(4));
        let task = own(
            "mine",
            &table(10),
            &columns,
            Some(&validation),
            Some(&test),
            1,
        )
        .unwrap();
        assert_eq!(
            (task.train.len(), task.validation.len(), task.test.len()),
            (10, 3, 4)
        );
        assert_eq!(
            task.test[2].source,
            "mine: sentence1: text 2 sentence2: more 2"
        );
        let task = own("mine", &table(40), &columns, Some(&validation), None, 1).unwrap();
        assert_eq!(
            (task.train.len(), task.validation.len(), task.test.len()),
            (30, 3, 10)
        );
    }

    #[test]
    fn free_text_is_generated() {
        let task = own(
            "mine",
            &table(8),
            &columns(None, None, Some("b")),
            None,
            None,
            1,
        )
        .unwrap();
        assert_eq!((task.scoring, task.labels.len()), (Scoring::Generate, 0));
        assert_eq!(task.metrics, [Metric::ExactMatch, Metric::TokenF1]);
        assert!(task.test.iter().all(|row| row.target.starts_with("more ")));
    }

    #[test]
    fn bad_tables_are_named() {
        let labelled = columns(None, Some("l"), None);
        let failure = |table: &Table, columns: &Columns, other: Option<&Table>| {
            own("mine", table, columns, other, None, 1)
                .unwrap_err()
                .to_string()
        };
        let mut odd = table(4);
        odd.rows[2][2] = "maybe".into();
        assert_eq!(
            failure(&table(8), &labelled, Some(&odd)),
            "own.tsv:4: unknown label `maybe`: expected one of `no`, `yes`"
        );
        odd.rows[2][2] = " ".into();
        assert_eq!(
            failure(&odd, &labelled, None),
            "own.tsv:4: the label is empty"
        );
        assert!(failure(&table(1), &labelled, None).contains("at least two labels"));
        assert!(failure(&table(2), &labelled, None).contains("too few"));
        let both = columns(None, Some("l"), Some("b"));
        assert!(failure(&table(8), &both, None).starts_with("name either"));
        assert!(failure(&table(8), &columns(None, Some("x"), None), None).contains("`x`"));
    }
}
