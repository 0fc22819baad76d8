//! Every case of the reference's metrics.
#![forbid(unsafe_code)]

use compacter_core::metric::Metric;
use compacter_core::task::Example;
use serde_json::Value;

const CASES: &str = include_str!("../fixtures/metrics.json");

/// A label as text: strings as they are, numbers written out, grouped items by their value.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(item) => text(&item["value"]),
        other => other.to_string(),
    }
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(text).collect()
}

/// Predictions, targets, and the scores that the case is about, by the reference's names.
fn scores(case: &Value) -> Vec<(&'static str, f64)> {
    let (predictions, answers) = (&case["predictions"], &case["targets"]);
    let predicted = texts(predictions);
    let score = |metric: Metric, labels: &[&str]| {
        let labels: Vec<String> = labels.iter().map(|label| label.to_string()).collect();
        metric.score(&predicted, &texts(answers), &labels)
    };
    match case["metric"].as_str().unwrap() {
        "accuracy" => vec![("accuracy", score(Metric::Accuracy, &["0", "1"]))],
        "f1_score_with_invalid" | "multirc_f1_over_all_answers" => {
            vec![("f1", score(Metric::F1, &["0", "1"]))]
        }
        "matthews_corrcoef" => vec![("matthews_correlation", score(Metric::Matthews, &["0", "1"]))],
        "pearson_corrcoef" => vec![("pearson", score(Metric::Pearson, &[]))],
        "spearman_corrcoef" => vec![("spearmanr", score(Metric::Spearman, &[]))],
        "mean_multiclass_f1_3" => {
            vec![(
                "f1_multiclass",
                score(Metric::F1Multiclass, &["0", "1", "2"]),
            )]
        }
        "multirc_em" => {
            let group = |item: &Value| Example {
                target: text(item),
                group: item["group"].as_u64().map(|group| group as usize),
                ..Example::default()
            };
            let rows: Vec<Example> = answers.as_array().unwrap().iter().map(group).collect();
            vec![("em", Metric::GroupEm.score_rows(&predicted, &rows, &[]))]
        }
        "squad" => {
            let row = |answers: &Value| Example {
                answers: texts(answers),
                ..Example::default()
            };
            let rows: Vec<Example> = answers.as_array().unwrap().iter().map(row).collect();
            let score = |metric: Metric| metric.score_rows(&predicted, &rows, &[]);
            vec![
                ("em", score(Metric::AnswersEm)),
                ("f1", score(Metric::AnswersF1)),
            ]
        }
        other => panic!("no such metric here: {other}"),
    }
}

#[test]
fn metrics_are_those_of_the_reference() {
    let document: Value = serde_json::from_str(CASES).unwrap();
    let cases = document["cases"].as_array().unwrap();
    assert!(cases.len() >= 17, "{} cases", cases.len());
    for case in cases {
        let expected = case["expected"].as_object().unwrap();
        let scores = scores(case);
        assert_eq!(scores.len(), expected.len(), "{}", case["metric"]);
        for (name, value) in scores {
            let expected = expected[name].as_f64().unwrap();
            // Accuracies to the last bit, everything else to 1e-9.
            let limit = if name == "accuracy" { 0.0 } else { 1e-9 };
            assert!(
                (value - expected).abs() <= limit,
                "{name}: {value} for {case}"
            );
        }
    }
}
