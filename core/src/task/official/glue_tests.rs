//! Hand-worked rows of every GLUE task, and its splits.

use super::folder::{self, failure, folder, recipe};
use super::*;

/// The first training row's source (with the task's name in front) and every target.
fn loaded(name: &str, folder_name: &str, tsv: &str) -> (String, Vec<String>) {
    let path = |file: &str| format!("{folder_name}/{file}");
    let dev = ["dev.tsv", "dev_matched.tsv", "dev_mismatched.tsv"].map(path);
    let train = path("train.tsv");
    let files = [&train, &dev[0], &dev[1], &dev[2]].map(|path| (path.as_str(), tsv));
    let task = official(name, &folder(&files), &recipe(true)).unwrap();
    let mut rows = task.train.clone();
    rows.extend(task.validation);
    // A held-out task has its training rows in two places.
    let first = rows.iter().find(|row| row.source.contains("one")).unwrap();
    let mut targets: Vec<String> = task.test.iter().map(|row| row.target.clone()).collect();
    targets.sort();
    (first.source.clone(), targets)
}

#[test]
fn sources_and_labels_are_the_published_ones() {
    let tasks = [
        (
            "cola",
            "CoLA",
            "kg01\t1\t\tThe one I saw left.\nkg01\t0\t*\tLeft the saw.\n",
            "cola sentence: The one I saw left.",
        ),
        (
            "sst2",
            "SST-2",
            "sentence\tlabel\none to remember \t1\ndull \t0\n",
            "sst2 sentence: one to remember ",
        ),
        (
            "mrpc",
            "MRPC",
            "\u{feff}Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t7\t8\tHe won one .\tOne win \
             .\n0\t7\t8\tA .\tB .\n",
            "mrpc sentence1: He won one . sentence2: One win .",
        ),
        (
            "qqp",
            "QQP",
            "id\tquestion1\tquestion2\tis_duplicate\n1\tWhich one?\tWhat?\t1\n2\tA?\tB?\t0\n",
            "qqp question1: Which one? question2: What?",
        ),
        (
            "mnli",
            "MNLI",
            "sentence1\tsentence2\tgold_label\nBuy one.\tSell.\tcontradiction\nA.\tB.\tneutral\n",
            "mnli premise: Buy one. hypothesis Sell.",
        ),
        (
            "qnli",
            "QNLI",
            "index\tquestion\tsentence\tlabel\n0\tIs it one?\tIt is.\tentailment\n1\tA?\tB.\t\
             not_entailment\n",
            "qnli question: Is it one? sentence: It is.",
        ),
        (
            "rte",
            "RTE",
            "index\tsentence1\tsentence2\tlabel\n0\tSay \"one.\tSay.\tentailment\n1\tA\tB\t\
             not_entailment\n",
            "rte sentence1: Say \"one. sentence2: Say.",
        ),
        (
            "wnli",
            "WNLI",
            "index\tsentence1\tsentence2\tlabel\n0\tAl has one.\tOne is Al's.\t1\n1\tA\tB\t0\n",
            "wnli sentence1: Al has one. sentence2: One is Al's.",
        ),
    ];
    for (name, folder_name, tsv, expected) in tasks {
        let (source, targets) = loaded(name, folder_name, tsv);
        assert_eq!(source, expected);
        // A halved task tests on one of the two rows.
        let expected: &[&str] = if name == "mnli" {
            &["1", "2"]
        } else {
            &["0", "1"]
        };
        assert!(!targets.is_empty() && targets.iter().all(|t| expected.contains(&&t[..])));
        assert_eq!(
            targets.len() == 2,
            ["sst2", "qqp", "qnli", "mnli"].contains(&name)
        );
    }
}

#[test]
fn scores_become_text() {
    let stsb = "index\tsentence1\tsentence2\tscore\n0\ta\tb\t3.750\n1\tc\td\t5\n";
    let files = folder(&[("train.tsv", stsb), ("dev.tsv", stsb)]);
    let targets = |exact| {
        let recipe = Recipe {
            exact,
            ..recipe(false)
        };
        let task = official("stsb", &files, &recipe).unwrap();
        assert_eq!((task.labels.len(), task.majority()), (0, None));
        assert!(!task.has_labels());
        let rows = task.train.iter();
        rows.map(|row| row.target.clone()).collect::<Vec<_>>()
    };
    assert_eq!(targets(false), ["3.8", "5.0"]);
    assert_eq!(targets(true), ["3.8", "5.0"]);
}

const RTE: &str = "index\tsentence1\tsentence2\tlabel\n";

#[test]
fn rte_halves_the_validation_rows() {
    let row = |i: usize| format!("{i}\tA {i}\tB.\tnot_entailment\n");
    let dev = RTE.to_string() + &(0..5).map(row).collect::<String>();
    let train = format!("{RTE}0\tA man.\tA dog.\tentailment\n");
    let files = folder(&[("RTE/train.tsv", &train), ("RTE/dev.tsv", &dev)]);
    let task = official("glue/rte", &files, &recipe(true)).unwrap();
    assert_eq!(
        (task.name.as_str(), &task.labels[..]),
        ("rte", &["0".into(), "1".into()][..])
    );
    let sizes = (task.validation.len(), task.test.len(), task.epochs);
    assert_eq!(sizes, (2, 3, 20));
    assert!(task.test.iter().all(|row| row.target == "1"));
    assert_eq!(official("rte", &files, &recipe(true)).unwrap(), task);
    let source = official_source("rte", &["A man.", "A dog."], true).unwrap();
    assert_eq!(source, task.train[0].source);
    let message = official_source("rte", &["one"], true)
        .unwrap_err()
        .to_string();
    assert_eq!(
        message,
        "rte takes 2 text(s) a row (sentence1, sentence2), not 1"
    );
}

#[test]
fn sst2_holds_training_rows_out() {
    let rows = |n: usize| {
        let row = |i: usize| format!("text {i} \t{}\n", i % 2);
        "sentence\tlabel\n".to_string() + &(0..n).map(row).collect::<String>()
    };
    let files = folder(&[("train.tsv", rows(2500)), ("dev.tsv", rows(7))]);
    let task = official("sst2", &files, &recipe(false)).unwrap();
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
    let sizes = |files: &folder::Folder| {
        let task = official("mnli", files, &recipe(false)).unwrap();
        [task.train.len(), task.validation.len(), task.test.len()]
    };
    assert_eq!(sizes(&files), [2, 2, 2]);
    files.0.remove("MNLI/dev_mismatched.tsv");
    assert_eq!(sizes(&files), [1, 1, 2]);
}

#[test]
fn bad_input_is_named() {
    let bad = format!("{RTE}0\ta\tb\tentailment\n1\tc\td\tneutral\n");
    assert_eq!(
        failure("rte", &[("RTE/train.tsv", &bad)]),
        "RTE/train.tsv:3: unknown label `neutral`: expected one of `entailment`, `not_entailment`"
    );
    let good = format!("{RTE}0\ta\tb\tentailment\n");
    assert_eq!(
        failure("rte", &[("train.tsv", &good)]),
        "dev.tsv: not there, neither here nor in RTE/; rte is made of train.tsv, dev.tsv, or from \
         the hub of rte/train-00000-of-00001.parquet, validation-00000-of-00001.parquet"
    );
    assert!(failure::<&str>("rte", &[]).starts_with("train.tsv: not there"));
    assert!(failure("rte", &[("train.tsv", "a\tb\n1\t2\n")]).contains("no column `sentence1`"));
    assert!(failure("cola", &[("train.tsv", "a\tb\n1\t2\n")]).contains("cola has 4"));
    let stsb = "sentence1\tsentence2\tscore\na\tb\thigh\n";
    assert_eq!(
        failure("stsb", &[("train.tsv", stsb)]),
        "train.tsv:2: unknown score `high`: expected a number from 0 to 5"
    );
    assert!(failure("rte", &[("train.tsv", &good), ("dev.tsv", &good)]).contains("too few rows"));
    assert!(failure::<&str>("mrcp", &[]).contains("the nearest is `mrpc`"));
}

#[test]
fn the_hub_is_asked_for_what_is_read() {
    let files = hub_files("mnli").unwrap();
    assert_eq!(files.repository, "nyu-mll/glue");
    assert_eq!(
        files.paths,
        ["train", "validation_matched", "validation_mismatched"]
            .map(|part| format!("mnli/{part}-00000-of-00001.parquet"))
    );
    assert_eq!(
        hub_files("wsc").unwrap().paths[0],
        "wsc.fixed/train-00000-of-00001.parquet"
    );
}
