//! GLUE from its official TSV files, as the published code turns them into text.

use super::{Example, Files, Scoring, Task, take, unknown_label};
use crate::data::{Format, Table, read_table};
use crate::metric::Metric::{self, Accuracy, F1, Matthews, Pearson, Spearman};
use crate::{Error, Result};

/// The GLUE tasks that are known, by their short names.
pub const GLUE: [&str; 8] = ["cola", "sst2", "mrpc", "qqp", "stsb", "mnli", "qnli", "rte"];

/// Rows of the training file that become validation rows where the old validation is the test.
const HELD_OUT: usize = 1000;

/// Where validation and test rows come from.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Split {
    /// Half of dev.tsv each.
    Halves,
    /// [`HELD_OUT`] training rows; the test is all of dev.tsv.
    HeldOut,
    /// The mismatched rows (or held-out ones); the test is the matched rows.
    Mnli,
}

/// Where a field stands: under a name, or at a place of a file without header.
#[derive(Debug, Clone, Copy)]
enum Column {
    Name(&'static str),
    Place(usize),
}

/// How one task is read.
struct Spec {
    name: &'static str,
    folder: &'static str,
    /// Each field's column and what is written in front of it.
    fields: &'static [(Column, &'static str)],
    label: Column,
    /// What the file calls each class, in the order of the class numbers; empty: a number.
    classes: &'static [&'static str],
    metrics: &'static [Metric],
    epochs: usize,
    split: Split,
}

use Column::{Name, Place};
const ENTAILMENT: &[&str] = &["entailment", "not_entailment"];
const BINARY: &[&str] = &["0", "1"];
const SENTENCES: &[(Column, &str)] = &[
    (Name("sentence1"), "sentence1:"),
    (Name("sentence2"), "sentence2:"),
];

const SPECS: [Spec; 8] = [
    Spec {
        name: "cola",
        folder: "CoLA",
        fields: &[(Place(3), "sentence:")],
        label: Place(1),
        classes: BINARY,
        metrics: &[Matthews],
        epochs: 20,
        split: Split::Halves,
    },
    Spec {
        name: "sst2",
        folder: "SST-2",
        fields: &[(Name("sentence"), "sentence:")],
        label: Name("label"),
        classes: BINARY,
        metrics: &[Accuracy],
        epochs: 3,
        split: Split::HeldOut,
    },
    Spec {
        name: "mrpc",
        folder: "MRPC",
        fields: &[
            (Name("#1 String"), "sentence1:"),
            (Name("#2 String"), "sentence2:"),
        ],
        label: Name("Quality"),
        classes: BINARY,
        metrics: &[F1, Accuracy],
        epochs: 20,
        split: Split::Halves,
    },
    Spec {
        name: "qqp",
        folder: "QQP",
        fields: &[
            (Name("question1"), "question1:"),
            (Name("question2"), "question2:"),
        ],
        label: Name("is_duplicate"),
        classes: BINARY,
        metrics: &[F1, Accuracy],
        epochs: 3,
        split: Split::HeldOut,
    },
    Spec {
        name: "stsb",
        folder: "STS-B",
        fields: SENTENCES,
        label: Name("score"),
        classes: &[],
        metrics: &[Pearson, Spearman],
        epochs: 20,
        split: Split::Halves,
    },
    Spec {
        name: "mnli",
        folder: "MNLI",
        // The published code has no colon after `hypothesis`.
        fields: &[
            (Name("sentence1"), "premise:"),
            (Name("sentence2"), "hypothesis"),
        ],
        label: Name("gold_label"),
        classes: &["entailment", "neutral", "contradiction"],
        metrics: &[Accuracy],
        epochs: 3,
        split: Split::Mnli,
    },
    Spec {
        name: "qnli",
        folder: "QNLI",
        fields: &[
            (Name("question"), "question:"),
            (Name("sentence"), "sentence:"),
        ],
        label: Name("label"),
        classes: ENTAILMENT,
        metrics: &[Accuracy],
        epochs: 3,
        split: Split::HeldOut,
    },
    Spec {
        name: "rte",
        folder: "RTE",
        fields: SENTENCES,
        label: Name("label"),
        classes: ENTAILMENT,
        metrics: &[Accuracy],
        epochs: 20,
        split: Split::Halves,
    },
];

fn spec(name: &str) -> Result<&'static Spec> {
    let short = name.strip_prefix("glue/").unwrap_or(name);
    SPECS.iter().find(|spec| spec.name == short).ok_or_else(|| {
        Error::Setting(format!(
            "unknown task `{name}`: GLUE has {}",
            GLUE.join(", ")
        ))
    })
}

/// How rows become a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipe {
    /// Decides the splits.
    pub seed: u64,
    /// Whether the task's name stands in front of every source.
    pub prefix: bool,
    /// Whether STS-B's scores are rounded as in the published code (one decimal) and not, as T5's
    /// own recipe has it, to a grid of fifths.
    pub exact: bool,
}

/// Loads a GLUE task (`rte` or `glue/rte`) from the official files, which lie in the folder itself
/// or in its usual subfolder (`RTE`).
pub fn glue(name: &str, files: &dyn Files, recipe: &Recipe) -> Result<Task> {
    let seed = recipe.seed;
    let spec = spec(name)?;
    let load = |file: &str| -> Result<Option<Vec<Example>>> {
        find(spec, files, file)?
            .map(|table| examples(spec, &table, recipe))
            .transpose()
    };
    let needed = |file: &str| {
        let missing = || {
            let message = format!(
                "not there, neither here nor in {}/; {} is made of {}",
                spec.folder,
                spec.name,
                match spec.split {
                    Split::Mnli => "train.tsv, dev_matched.tsv and dev_mismatched.tsv",
                    _ => "train.tsv and dev.tsv",
                }
            );
            Error::file(file, message)
        };
        load(file)?.ok_or_else(missing)
    };
    let all = needed("train.tsv")?;
    // Of a file with few rows at most half is held out.
    let hold_out = |all: Vec<Example>| {
        let count = HELD_OUT.min(all.len() / 2);
        take(all, count, seed, "split/train")
    };
    let (train, validation, test) = match spec.split {
        Split::Halves => {
            let dev = needed("dev.tsv")?;
            let half = dev.len() / 2;
            let (validation, test) = take(dev, half, seed, "split/validation");
            (all, validation, test)
        }
        Split::HeldOut => {
            let (validation, train) = hold_out(all);
            (train, validation, needed("dev.tsv")?)
        }
        Split::Mnli => {
            let (train, validation) = match load("dev_mismatched.tsv")? {
                Some(mismatched) => (all, mismatched),
                None => {
                    let (validation, train) = hold_out(all);
                    (train, validation)
                }
            };
            (train, validation, needed("dev_matched.tsv")?)
        }
    };
    if validation.is_empty() {
        let message = format!("{}: too few rows to split validation rows off", spec.name);
        return Err(Error::Setting(message));
    }
    Ok(Task {
        name: spec.name.into(),
        labels: (0..spec.classes.len())
            .map(|class| class.to_string())
            .collect(),
        metrics: spec.metrics.to_vec(),
        scoring: Scoring::Generate,
        epochs: spec.epochs,
        train,
        validation,
        test,
    })
}

/// The source text of one row, as in training: for predicting. `fields` in the task's order.
pub fn glue_source(name: &str, fields: &[&str], prefix: bool) -> Result<String> {
    let spec = spec(name)?;
    if fields.len() != spec.fields.len() {
        let (needed, given) = (spec.fields.len(), fields.len());
        let message = format!("{} takes {needed} text(s) a row, not {given}", spec.name);
        return Err(Error::Setting(message));
    }
    Ok(source(spec, fields.iter().copied(), prefix))
}

fn source<'a>(spec: &Spec, fields: impl Iterator<Item = &'a str>, prefix: bool) -> String {
    let mut parts = if prefix { vec![spec.name] } else { vec![] };
    for ((_, lead), field) in spec.fields.iter().zip(fields) {
        parts.extend([lead, field]);
    }
    parts.join(" ")
}

fn find(spec: &Spec, files: &dyn Files, file: &str) -> Result<Option<Table>> {
    let header = matches!(spec.label, Name(_));
    let places = ["", spec.folder, &format!("glue/{}", spec.folder), spec.name];
    for place in places {
        let path = if place.is_empty() {
            file.to_string()
        } else {
            format!("{place}/{file}")
        };
        if let Some(bytes) = files.read(&path)? {
            return read_table(&bytes, Format::Tsv, &path, header).map(Some);
        }
    }
    Ok(None)
}

fn examples(spec: &Spec, table: &Table, recipe: &Recipe) -> Result<Vec<Example>> {
    let place = |column: Column| match column {
        Name(name) => table.column(name),
        Place(index) if index < table.rows[0].len() => Ok(index),
        Place(_) => {
            let message = format!("{} columns, but {} has 4", table.rows[0].len(), spec.name);
            Err(Error::line(&table.file, 1, message))
        }
    };
    let fields = spec
        .fields
        .iter()
        .map(|&(column, _)| place(column))
        .collect::<Result<Vec<usize>>>()?;
    let label = place(spec.label)?;
    let example = |(row, &line): (&Vec<String>, &usize)| {
        Ok(Example {
            source: source(
                spec,
                fields.iter().map(|&field| row[field].as_str()),
                recipe.prefix,
            ),
            target: target(spec, &row[label], recipe.exact, &table.file, line)?,
        })
    };
    table.rows.iter().zip(&table.lines).map(example).collect()
}

/// The class's number as text, or the score, rounded.
fn target(spec: &Spec, label: &str, exact: bool, file: &str, line: usize) -> Result<String> {
    if spec.classes.is_empty() {
        return match label.trim().parse::<f64>() {
            Ok(score) if (0.0..=5.0).contains(&score) => {
                Ok(rounded(score, if exact { 10.0 } else { 5.0 }))
            }
            _ => {
                let message = format!("unknown score `{label}`: expected a number from 0 to 5");
                Err(Error::line(file, line, message))
            }
        };
    }
    match spec.classes.iter().position(|class| *class == label) {
        Some(class) => Ok(class.to_string()),
        None => Err(unknown_label(file, line, label, spec.classes)),
    }
}

/// The nearest multiple of 1 ÷ `parts` (fifths in T5's recipe); halves go to the even one.
fn rounded(score: f64, parts: f64) -> String {
    format!("{:.1}", (score * parts).round_ties_even() / parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    struct Folder(BTreeMap<String, String>);

    impl Files for Folder {
        fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
            Ok(self.0.get(name).map(|text| text.clone().into_bytes()))
        }
    }

    fn folder(files: &[(&str, &str)]) -> Folder {
        Folder(
            files
                .iter()
                .map(|(name, text)| (name.to_string(), text.to_string()))
                .collect(),
        )
    }

    fn failure(name: &str, files: &[(&str, &str)]) -> String {
        glue(name, &folder(files), &recipe(false))
            .unwrap_err()
            .to_string()
    }

    fn recipe(prefix: bool) -> Recipe {
        Recipe {
            seed: 1,
            prefix,
            exact: false,
        }
    }

    const RTE: &str = "index\tsentence1\tsentence2\tlabel\n";

    #[test]
    fn rte_halves_the_validation_rows() {
        let row = |i: usize| format!("{i}\tA \"{i}\tB.\tnot_entailment\n");
        let dev = RTE.to_string() + &(0..5).map(row).collect::<String>();
        let train = format!("{RTE}0\tA man.\tA \"dog.\tentailment\n");
        let files = folder(&[("RTE/train.tsv", &train), ("RTE/dev.tsv", &dev)]);
        let task = glue("glue/rte", &files, &recipe(true)).unwrap();
        assert_eq!(task.name, "rte");
        assert_eq!(task.labels, ["0", "1"]);
        assert_eq!(
            task.train[0].source,
            "rte sentence1: A man. sentence2: A \"dog."
        );
        assert_eq!(task.train[0].target, "0");
        assert_eq!(
            (task.validation.len(), task.test.len(), task.epochs),
            (2, 3, 20)
        );
        assert!(task.test.iter().all(|row| row.target == "1"));
        let again = glue("rte", &files, &recipe(false)).unwrap();
        assert_eq!(
            again.train[0].source,
            "sentence1: A man. sentence2: A \"dog."
        );
        assert_eq!(glue("rte", &files, &recipe(true)).unwrap(), task);
        let fields = ["A man.", "A \"dog."];
        assert_eq!(
            glue_source("rte", &fields, true).unwrap(),
            task.train[0].source
        );
        assert!(glue_source("rte", &["one"], true).is_err());
    }

    #[test]
    fn sst2_holds_training_rows_out() {
        let rows = |n: usize| {
            let row = |i: usize| format!("text {i} \t{}\n", i % 2);
            "sentence\tlabel\n".to_string() + &(0..n).map(row).collect::<String>()
        };
        let files = folder(&[("train.tsv", &rows(2500)), ("dev.tsv", &rows(7))]);
        let task = glue("sst2", &files, &recipe(false)).unwrap();
        assert_eq!(
            (task.train.len(), task.validation.len(), task.test.len()),
            (1500, 1000, 7)
        );
        assert_eq!(task.test[1].source, "sentence: text 1 ");
        assert_eq!(task.test[1].target, "1");
    }

    #[test]
    fn mnli_validates_on_the_mismatched_rows_if_there_are_any() {
        let rows = "sentence1\tsentence2\tgold_label\np\th\tneutral\np\th\tcontradiction\n";
        let mut files = folder(&[
            ("MNLI/train.tsv", rows),
            ("MNLI/dev_matched.tsv", rows),
            ("MNLI/dev_mismatched.tsv", rows),
        ]);
        let task = glue("mnli", &files, &recipe(false)).unwrap();
        assert_eq!(
            (task.train.len(), task.validation.len(), task.test.len()),
            (2, 2, 2)
        );
        assert_eq!(task.test[0].source, "premise: p hypothesis h");
        assert_eq!([&task.test[0].target, &task.test[1].target], ["1", "2"]);
        files.0.remove("MNLI/dev_mismatched.tsv");
        let task = glue("mnli", &files, &recipe(false)).unwrap();
        assert_eq!(
            (task.train.len(), task.validation.len(), task.test.len()),
            (1, 1, 2)
        );
    }

    #[test]
    fn cola_has_no_header_and_stsb_a_grid() {
        let cola = "gj04\t1\t\tThe boat sank.\ngj04\t0\t*\tBoat the sank.\n";
        let task = glue(
            "cola",
            &folder(&[("train.tsv", cola), ("dev.tsv", cola)]),
            &recipe(false),
        )
        .unwrap();
        assert_eq!(task.train[0].source, "sentence: The boat sank.");
        assert_eq!([&task.train[0].target, &task.train[1].target], ["1", "0"]);
        let stsb = "sentence1\tsentence2\tscore\na\tb\t3.750\nc\td\t5\n";
        let task = glue(
            "stsb",
            &folder(&[("train.tsv", stsb), ("dev.tsv", stsb)]),
            &recipe(false),
        )
        .unwrap();
        assert_eq!(
            [&task.train[0].target, &task.train[1].target],
            ["3.8", "5.0"]
        );
        assert_eq!((task.labels.len(), task.majority()), (0, None));
        let grids = [0.0, 0.1, 0.3, 0.5, 2.6, 3.69].map(|score| rounded(score, 5.0));
        assert_eq!(grids, ["0.0", "0.0", "0.4", "0.4", "2.6", "3.6"]);
        let exact = [0.0, 1.15, 3.25, 3.69].map(|score| rounded(score, 10.0));
        assert_eq!(exact, ["0.0", "1.2", "3.2", "3.7"]);
    }

    #[test]
    fn bad_input_is_named() {
        let bad = format!("{RTE}0\ta\tb\tentailment\n1\tc\td\tneutral\n");
        assert_eq!(
            failure("rte", &[("RTE/train.tsv", &bad)]),
            "RTE/train.tsv:3: unknown label `neutral`: expected one of `entailment`, `not_entailment`"
        );
        let good = format!("{RTE}0\ta\tb\tentailment\n");
        assert!(failure("rte", &[("train.tsv", &good)]).starts_with("dev.tsv: not there, neither"));
        assert!(failure("rte", &[]).starts_with("train.tsv: not there"));
        assert!(failure("rte", &[("train.tsv", "a\tb\n1\t2\n")]).contains("no column `sentence1`"));
        assert!(failure("cola", &[("train.tsv", "a\tb\n1\t2\n")]).contains("cola has 4"));
        let stsb = "sentence1\tsentence2\tscore\na\tb\thigh\n";
        assert_eq!(
            failure("stsb", &[("train.tsv", stsb)]),
            "train.tsv:2: unknown score `high`: expected a number from 0 to 5"
        );
        assert!(failure("boolq", &[]).contains("cola, sst2"));
    }

    #[test]
    fn the_list_is_the_table() {
        assert_eq!(SPECS.map(|spec| spec.name), GLUE);
    }
}
