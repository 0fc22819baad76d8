//! The hub's files give the same tasks as the official ones.

use super::folder::{failure, folder, recipe};
use super::*;
use crate::data::parquet::testing::{Column, write};

const TRAIN: &str = "train-00000-of-00001.parquet";
const VALIDATION: &str = "validation-00000-of-00001.parquet";

#[test]
fn glue_from_the_hub_is_glue_from_the_archive() {
    let tsv = "index\tsentence1\tsentence2\tscore\n0\tAl ran.\tAl walked.\t3.3\n1\tA\tB\t0.1\n";
    let hub = write(&[
        ("sentence1", Column::text(&["Al ran.", "A"])),
        ("sentence2", Column::text(&["Al walked.", "B"])),
        ("label", Column::Float(vec![3.3, 0.1])),
        ("idx", Column::Long(vec![0, 1])),
    ]);
    let archive = folder(&[("train.tsv", tsv), ("dev.tsv", tsv)]);
    let hub = folder(&[
        (&format!("stsb/{TRAIN}")[..], &hub),
        (&format!("stsb/{VALIDATION}"), &hub),
    ]);
    for exact in [false, true] {
        let recipe = Recipe {
            exact,
            ..recipe(true)
        };
        let task = official("stsb", &hub, &recipe).unwrap();
        assert_eq!(task, official("stsb", &archive, &recipe).unwrap());
        assert_eq!(task.train[0].target, if exact { "3.3" } else { "3.2" });
    }
}

#[test]
fn mnli_has_its_two_validation_files() {
    let rows = |premise: &str| {
        write(&[
            ("premise", Column::text(&[premise, premise])),
            ("hypothesis", Column::text(&["h", "h"])),
            ("label", Column::Long(vec![2, 0])),
        ])
    };
    let files = ["train", "validation_matched", "validation_mismatched"]
        .map(|part| (format!("mnli/{part}-00000-of-00001.parquet"), rows(part)));
    let files = files.each_ref().map(|(path, bytes)| (path.as_str(), bytes));
    let task = official("mnli", &folder(&files), &recipe(false)).unwrap();
    assert_eq!(
        task.test[0].source,
        "premise: validation_matched hypothesis h"
    );
    assert_eq!(
        task.validation[0].source,
        "premise: validation_mismatched hypothesis h"
    );
    assert_eq!([&task.train[0].target, &task.train[1].target], ["2", "0"]);
}

#[test]
fn nested_columns_are_read() {
    let multirc = write(&[
        ("paragraph", Column::text(&["P.<br>Q.", "P.<br>Q."])),
        ("question", Column::text(&["Who?", "Who?"])),
        ("answer", Column::text(&["Al", "Bo"])),
        (
            "idx",
            Column::Struct(vec![
                ("paragraph", vec![0, 0]),
                ("question", vec![7, 7]),
                ("answer", vec![0, 1]),
            ]),
        ),
        ("label", Column::Long(vec![1, 0])),
    ]);
    let files = folder(&[(TRAIN, &multirc), (VALIDATION, &multirc)]);
    let task = official("multirc", &files, &recipe(false)).unwrap();
    assert_eq!(
        task.train[1].source,
        "question: Who? answer: Bo paragraph: P. Q."
    );
    assert_eq!(
        (task.train[1].group, &task.train[1].target[..]),
        (Some(7), "0")
    );

    let record = write(&[
        ("passage", Column::text(&["Al met Bo", "Cy slept"])),
        (
            "query",
            Column::text(&["@placeholder met", "@placeholder woke"]),
        ),
        ("entities", Column::list(&[&["Bo", "Al"], &["Cy"]])),
        ("answers", Column::list(&[&["Al", "Bo"], &[]])),
    ]);
    let files = folder(&[(TRAIN, &record), (VALIDATION, &record)]);
    let task = official("super_glue/record", &files, &recipe(false)).unwrap();
    let row = |row: &Example| format!("{} -> {}", row.source, row.target);
    assert_eq!(
        task.test.iter().map(row).collect::<Vec<_>>(),
        [
            "record query: @placeholder met entities: Bo, Al passage: Al met Bo -> Al",
            "record query: @placeholder met entities: Bo, Al passage: Al met Bo -> Bo",
            "record query: @placeholder woke entities: Cy passage: Cy slept -> <unk>",
        ]
    );
    assert_eq!(task.test[1].answers, ["Al", "Bo"]);
}

#[test]
fn wsc_is_marked_as_from_the_archive() {
    let wsc = write(&[
        (
            "text",
            Column::text(&["Al met Bo when he ran.", "Al met Bo when he ran."]),
        ),
        ("span1_index", Column::Long(vec![0, 2])),
        ("span2_index", Column::Long(vec![4, 4])),
        ("span1_text", Column::text(&["Al", "Bo"])),
        ("span2_text", Column::text(&["he", "he"])),
        ("label", Column::Long(vec![1, 0])),
    ]);
    let path = |part| format!("wsc.fixed/{part}");
    let files = folder(&[(&path(TRAIN)[..], &wsc), (&path(VALIDATION), &wsc)]);
    let task = official("wsc", &files, &recipe(false)).unwrap();
    assert_eq!(task.train[0].source, "text: * Al * met Bo when # he # ran.");
    assert_eq!(task.train[1].source, "text: Al met * Bo * when # he # ran.");
}

#[test]
fn rows_without_a_label_and_other_columns_are_named() {
    let rows = |name: &str, labels: Vec<i64>| {
        write(&[
            ("premise", Column::text(&["a", "b"])),
            (name, Column::text(&["c", "d"])),
            ("label", Column::Long(labels)),
        ])
    };
    let path = format!("rte/{TRAIN}");
    let files = |name: &str, labels| [(path.clone(), rows(name, labels))];
    let message = |files: &[(String, Vec<u8>)], task| {
        let files: Vec<_> = files
            .iter()
            .map(|(path, bytes)| (path.as_str(), bytes))
            .collect();
        failure(task, &files)
    };
    // SuperGLUE's RTE is not GLUE's.
    assert_eq!(
        message(&files("hypothesis", vec![0, 1]), "rte"),
        "rte/train-00000-of-00001.parquet: no column `sentence1`; expected `sentence1`, \
         `sentence2`, `label`, the file has `premise`, `hypothesis`, `label`"
    );
    assert_eq!(
        message(&files("hypothesis", vec![0, -1]), "superglue-rte"),
        "rte/train-00000-of-00001.parquet: row 2: column `label`: expected a class from 0 to 1 \
         (entailment, not_entailment), found the number -1"
    );
}
