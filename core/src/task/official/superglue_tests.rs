//! Hand-worked rows of every SuperGLUE task.

use super::folder::{failure, folder, recipe};
use super::*;

/// The task whose training and validation rows are these lines.
fn loaded(name: &str, lines: &str) -> Task {
    let files = folder(&[("train.jsonl", lines), ("val.jsonl", lines)]);
    official(name, &files, &recipe(true)).unwrap()
}

fn rows(task: &Task) -> Vec<(&str, &str)> {
    let rows = task.train.iter();
    rows.map(|row| (row.source.as_str(), row.target.as_str()))
        .collect()
}

#[test]
fn plain_tasks_write_their_fields() {
    let tasks = [
        (
            "boolq",
            r#"{"question": "is ice cold", "passage": "Ice -- Frozen.", "idx": 0, "label": true}"#,
            (
                "superglue-boolq question: is ice cold passage: Ice -- Frozen.",
                "1",
            ),
        ),
        (
            "cb",
            r#"{"premise": "Maybe Al left.", "hypothesis": "Al left", "label": "neutral"}"#,
            (
                "superglue-cb premise: Maybe Al left. hypothesis: Al left",
                "2",
            ),
        ),
        (
            "copa",
            r#"{"premise": "It froze.", "choice1": "Ice came.", "choice2": "It burnt.",
                "question": "effect", "label": 0, "idx": 3}"#,
            (
                "superglue-copa premise: It froze. choice1: Ice came. choice2: It burnt.",
                "0",
            ),
        ),
        (
            "wic",
            r#"{"word": "bank", "sentence1": "The bank shut.", "sentence2": "A steep bank.",
                "idx": 1, "label": false, "start1": 4, "end1": 8}"#,
            (
                "superglue-wic sentence1: The bank shut. sentence2: A steep bank. word: bank",
                "0",
            ),
        ),
        (
            "superglue-rte",
            r#"{"premise": "All swam.", "hypothesis": "Al swam.", "label": "entailment"}"#,
            ("superglue-rte premise: All swam. hypothesis: Al swam.", "0"),
        ),
        (
            "wsc",
            r#"{"text": "The dog saw Al, and he ran.", "label": true,
                "target": {"span1_index": 3, "span1_text": "al", "span2_index": 5,
                "span2_text": "he"}}"#,
            (
                "superglue-wsc.fixed text: The dog saw * Al *, and # he # ran.",
                "1",
            ),
        ),
    ];
    for (name, line, expected) in tasks {
        let line = line.replace('\n', " ");
        let task = loaded(name, &format!("{line}\n{line}\n"));
        assert_eq!(rows(&task), [expected, expected]);
        assert_eq!((task.validation.len(), task.test.len()), (1, 1));
        assert_eq!(task.labels.len(), if name == "cb" { 3 } else { 2 });
        assert_eq!(task.epochs, if name == "wsc" { 3 } else { 20 });
    }
}

#[test]
fn multirc_has_a_row_per_answer_and_a_group_per_question() {
    let line = r#"{"idx": 0, "passage": {"text": "<b>Sent 1: </b>Al swam.<br>He won.",
        "questions": [
        {"question": "Who won?", "answers": [{"text": "Al", "label": 1}, {"text": "Bo", "label": 0}]},
        {"question": "How?", "answers": [{"text": "<b>Swimming</b>", "label": 1}]}]}}"#;
    let line = line.replace('\n', " ");
    let task = loaded("multirc", &format!("{line}\n{line}\n"));
    let passage = "paragraph: Sent 1: Al swam. He won.";
    let source = |question, answer| {
        format!("superglue-multirc question: {question} answer: {answer} {passage}")
    };
    let sources = [
        source("Who won?", "Al"),
        source("Who won?", "Bo"),
        source("How?", "Swimming"),
    ];
    let found = rows(&task);
    assert_eq!(found.len(), 6);
    for (row, (source, target)) in found.iter().zip(sources.iter().zip(["1", "0", "1"])) {
        assert_eq!(*row, (source.as_str(), target));
    }
    let groups: Vec<_> = task.train.iter().map(|row| row.group.unwrap()).collect();
    assert_eq!(groups, [0, 0, 1, 2, 2, 3]);
    // Always `1`: right in 2 of the 3 answers of each passage, and in one of its two questions.
    let always = vec!["1".to_string(); 6];
    let score = |metric: crate::metric::Metric| {
        (
            metric.name(),
            metric.score_rows(&always, &task.train, &task.labels),
        )
    };
    let scores: Vec<_> = task.metrics.iter().map(|metric| score(*metric)).collect();
    assert_eq!(scores, [("f1", 80.0), ("em", 50.0)]);
}

/// Two queries about one passage: the first has two answers (one of them twice), the other none.
const CLOZE: &str = r#"{"source": "x", "passage": {"text": "Zürich beat Bern\n@highlight\nBern wept",
    "entities": [{"start": 12, "end": 15}, {"start": 0, "end": 5}, {"start": 28, "end": 31}]},
    "qas": [{"query": "@placeholder lost.", "answers": [{"start": 12, "end": 15, "text": "Bern"},
    {"start": 0, "end": 5, "text": "Zürich"}, {"start": 28, "end": 31, "text": "Bern"}]},
    {"query": "@placeholder slept.", "answers": []}]}"#;

#[test]
fn record_has_a_row_per_answer_and_all_answers_count() {
    let line = CLOZE.replace('\n', " ");
    let files = folder(&[
        ("ReCoRD/train.jsonl", line.clone()),
        ("ReCoRD/val.jsonl", line),
    ]);
    let task = official("record", &files, &recipe(true)).unwrap();
    // One of the two training queries is held out.
    let sources: Vec<&str> = task.test.iter().map(|row| row.source.as_str()).collect();
    let rest = "entities: Bern, Zürich passage: Zürich beat Bern. Bern wept";
    let lost = format!("superglue-record record query: @placeholder lost. {rest}");
    let slept = format!("superglue-record record query: @placeholder slept. {rest}");
    assert_eq!(sources, [&lost, &lost, &slept]);
    let targets: Vec<&str> = task.test.iter().map(|row| row.target.as_str()).collect();
    assert_eq!(targets, ["Bern", "Zürich", "<unk>"]);
    let queries = task.train.iter().chain(&task.validation);
    assert_eq!(queries.filter(|row| row.source == slept).count(), 1);
    assert!(task.labels.is_empty() && task.has_labels());
    assert_eq!(task.labels_of(&task.test[2]), ["Bern", "Zürich"]);
    // `bern` is right in both copies of the first query, nothing is in the second.
    let said = vec!["bern".to_string(); 3];
    for metric in &task.metrics {
        let score = metric.score_rows(&said, &task.test, &[]);
        assert!(
            (score - 200.0 / 3.0).abs() < 1e-12,
            "{} {score}",
            metric.name()
        );
    }
}

#[test]
fn bad_lines_are_named() {
    let message =
        |name: &str, line: &str| failure(name, &[("val.jsonl", line), ("train.jsonl", line)]);
    assert_eq!(
        message(
            "boolq",
            "{\"question\": \"q\", \"passage\": \"p\", \"label\": true}\n[]\n"
        ),
        "train.jsonl:2: not a JSON object but a list"
    );
    assert_eq!(
        message("cb", "{\"premise\": \"p\", \"label\": \"neutral\"}\n"),
        "train.jsonl:1: no `hypothesis`; there are `label`, `premise`"
    );
    assert_eq!(
        message(
            "cb",
            "{\"premise\": 3, \"hypothesis\": \"h\", \"label\": \"neutral\"}\n"
        ),
        "train.jsonl:1: column `premise`: expected a text, found the number 3"
    );
    assert_eq!(
        message("multirc", "{\"passage\": \"text\"}\n"),
        "train.jsonl:1: expected an object, found a text"
    );
    let far = CLOZE
        .replace('\n', " ")
        .replace("\"end\": 31}", "\"end\": 99}");
    assert_eq!(
        message("record", &far),
        "train.jsonl:1: entity from 28 to 99 in a passage of 37 characters"
    );
    assert!(message("wsc", "{\"text\": \"t\", \"label\": true}\n").contains("no `span1_index`"));
    assert!(failure::<&str>("copa", &[]).contains("copa is made of train.jsonl, val.jsonl"));
}

#[test]
fn new_rows_are_written_as_those_in_training() {
    assert_eq!(
        official_fields("wic").unwrap(),
        ["sentence1", "sentence2", "word"]
    );
    assert_eq!(
        official_source(
            "record",
            &["@placeholder won.", "Al, Bo", "Al ran\n@highlight\nBo won"],
            false
        )
        .unwrap(),
        "record query: @placeholder won. entities: Al, Bo passage: Al ran. Bo won"
    );
}
