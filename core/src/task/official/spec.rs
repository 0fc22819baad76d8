//! What each task of GLUE and SuperGLUE is made of, as one table.

use crate::metric::Metric::{self, *};
use crate::nearest::suggestion;
use crate::{Error, Result};

/// The benchmark that a task belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Suite {
    Glue,
    SuperGlue,
}

/// Where validation and test rows come from (paper §5; by task, never by counting rows).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Split {
    /// Half of the validation file each.
    Halves,
    /// Held-out training rows; the test is the whole validation file.
    HeldOut,
    /// The mismatched rows (or held-out ones); the test is the matched rows.
    Mnli,
}

/// What becomes of a row's fields beside being written one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
    /// A number as text.
    Score,
    /// Markup goes; rows are grouped by question.
    MultiRc,
    /// Two spans are marked in the text.
    Wsc,
    /// A row per answer; every answer counts.
    Record,
}

/// Where a TSV file has a field: under a name, or at a place of a file without header.
#[derive(Debug, Clone, Copy)]
pub(super) enum Column {
    Name(&'static str),
    Place(usize),
}

/// How one task is read.
#[derive(Debug)]
pub(super) struct Spec {
    /// The name here and in the paper's tables.
    pub name: &'static str,
    /// The published code's name, which may stand in front of a source.
    pub prefix: &'static str,
    pub suite: Suite,
    /// The folder in the official archive.
    pub folder: &'static str,
    /// Its configurations on the hub, the preferred one first.
    pub configs: &'static [&'static str],
    /// Each field's column on the hub and what is written in front of it.
    pub fields: &'static [(&'static str, &'static str)],
    /// The official TSV's columns for the fields and, last, the label; empty for JSONL.
    pub tsv: &'static [Column],
    /// What the official file calls each class, in the order of the class numbers.
    pub classes: &'static [&'static str],
    pub form: Form,
    pub metrics: &'static [Metric],
    pub epochs: usize,
    pub split: Split,
}

use Column::{Name, Place};
const BINARY: &[&str] = &["0", "1"];
const BOOLEAN: &[&str] = &["false", "true"];
const ENTAILMENT: &[&str] = &["entailment", "not_entailment"];
const SENTENCES: &[(&str, &str)] = &[("sentence1", "sentence1:"), ("sentence2", "sentence2:")];
const SENTENCES_TSV: &[Column] = &[Name("sentence1"), Name("sentence2"), Name("label")];
const PREMISE: &[(&str, &str)] = &[("premise", "premise:"), ("hypothesis", "hypothesis:")];

/// A plain GLUE task of two classes; the entries below say where one differs.
const GLUE: Spec = Spec {
    name: "",
    prefix: "",
    suite: Suite::Glue,
    folder: "",
    configs: &[],
    fields: SENTENCES,
    tsv: SENTENCES_TSV,
    classes: BINARY,
    form: Form::Plain,
    metrics: &[Accuracy],
    epochs: 20,
    split: Split::Halves,
};

const SUPERGLUE: Spec = Spec {
    suite: Suite::SuperGlue,
    tsv: &[],
    ..GLUE
};

pub(super) const SPECS: [Spec; 17] = [
    Spec {
        name: "cola",
        prefix: "cola",
        folder: "CoLA",
        configs: &["cola"],
        fields: &[("sentence", "sentence:")],
        tsv: &[Place(3), Place(1)],
        metrics: &[Matthews],
        ..GLUE
    },
    Spec {
        name: "sst2",
        prefix: "sst2",
        folder: "SST-2",
        configs: &["sst2"],
        fields: &[("sentence", "sentence:")],
        tsv: &[Name("sentence"), Name("label")],
        epochs: 3,
        split: Split::HeldOut,
        ..GLUE
    },
    Spec {
        name: "mrpc",
        prefix: "mrpc",
        folder: "MRPC",
        configs: &["mrpc"],
        tsv: &[Name("#1 String"), Name("#2 String"), Name("Quality")],
        metrics: &[F1, Accuracy],
        ..GLUE
    },
    Spec {
        name: "qqp",
        prefix: "qqp",
        folder: "QQP",
        configs: &["qqp"],
        fields: &[("question1", "question1:"), ("question2", "question2:")],
        tsv: &[Name("question1"), Name("question2"), Name("is_duplicate")],
        metrics: &[F1, Accuracy],
        epochs: 3,
        split: Split::HeldOut,
        ..GLUE
    },
    Spec {
        name: "stsb",
        prefix: "stsb",
        folder: "STS-B",
        configs: &["stsb"],
        tsv: &[Name("sentence1"), Name("sentence2"), Name("score")],
        classes: &[],
        form: Form::Score,
        metrics: &[Pearson, Spearman],
        ..GLUE
    },
    Spec {
        name: "mnli",
        prefix: "mnli",
        folder: "MNLI",
        configs: &["mnli"],
        // The published code has no colon after `hypothesis`.
        fields: &[("premise", "premise:"), ("hypothesis", "hypothesis")],
        tsv: &[Name("sentence1"), Name("sentence2"), Name("gold_label")],
        classes: &["entailment", "neutral", "contradiction"],
        epochs: 3,
        split: Split::Mnli,
        ..GLUE
    },
    Spec {
        name: "qnli",
        prefix: "qnli",
        folder: "QNLI",
        configs: &["qnli"],
        fields: &[("question", "question:"), ("sentence", "sentence:")],
        tsv: &[Name("question"), Name("sentence"), Name("label")],
        classes: ENTAILMENT,
        epochs: 3,
        split: Split::HeldOut,
        ..GLUE
    },
    Spec {
        name: "rte",
        prefix: "rte",
        folder: "RTE",
        configs: &["rte"],
        classes: ENTAILMENT,
        ..GLUE
    },
    Spec {
        name: "wnli",
        prefix: "wnli",
        folder: "WNLI",
        configs: &["wnli"],
        epochs: 3,
        ..GLUE
    },
    Spec {
        name: "boolq",
        prefix: "superglue-boolq",
        folder: "BoolQ",
        configs: &["boolq"],
        fields: &[("question", "question:"), ("passage", "passage:")],
        classes: BOOLEAN,
        ..SUPERGLUE
    },
    Spec {
        name: "cb",
        prefix: "superglue-cb",
        folder: "CB",
        configs: &["cb"],
        fields: PREMISE,
        classes: &["entailment", "contradiction", "neutral"],
        metrics: &[F1Multiclass, Accuracy],
        ..SUPERGLUE
    },
    Spec {
        name: "copa",
        prefix: "superglue-copa",
        folder: "COPA",
        configs: &["copa"],
        // The published code leaves the question (cause or effect) out.
        fields: &[
            ("premise", "premise:"),
            ("choice1", "choice1:"),
            ("choice2", "choice2:"),
        ],
        ..SUPERGLUE
    },
    Spec {
        name: "multirc",
        prefix: "superglue-multirc",
        folder: "MultiRC",
        configs: &["multirc"],
        fields: &[
            ("question", "question:"),
            ("answer", "answer:"),
            ("paragraph", "paragraph:"),
        ],
        form: Form::MultiRc,
        metrics: &[F1, GroupEm],
        epochs: 3,
        ..SUPERGLUE
    },
    Spec {
        name: "record",
        prefix: "superglue-record",
        folder: "ReCoRD",
        configs: &["record"],
        fields: &[
            ("query", "record query:"),
            ("entities", "entities:"),
            ("passage", "passage:"),
        ],
        classes: &[],
        form: Form::Record,
        metrics: &[AnswersF1, AnswersEm],
        epochs: 3,
        split: Split::HeldOut,
        ..SUPERGLUE
    },
    Spec {
        name: "wic",
        prefix: "superglue-wic",
        folder: "WiC",
        configs: &["wic"],
        fields: &[
            ("sentence1", "sentence1:"),
            ("sentence2", "sentence2:"),
            ("word", "word:"),
        ],
        classes: BOOLEAN,
        ..SUPERGLUE
    },
    Spec {
        name: "wsc",
        prefix: "superglue-wsc.fixed",
        folder: "WSC",
        configs: &["wsc.fixed", "wsc"],
        fields: &[("text", "text:")],
        classes: BOOLEAN,
        form: Form::Wsc,
        epochs: 3,
        ..SUPERGLUE
    },
    Spec {
        name: "superglue-rte",
        prefix: "superglue-rte",
        folder: "RTE",
        configs: &["rte"],
        fields: PREMISE,
        classes: ENTAILMENT,
        ..SUPERGLUE
    },
];

/// All tasks' names, GLUE's first, in the order of the paper's tables.
pub const OFFICIAL: [&str; 17] = {
    let mut names = [""; 17];
    let mut index = 0;
    while index < names.len() {
        names[index] = SPECS[index].name;
        index += 1;
    }
    names
};

/// The task of this name: `rte`, `glue/rte`; `boolq`, `superglue/boolq`, `super_glue/boolq` or the
/// published code's `superglue-boolq`. The error offers the nearest names.
pub(super) fn spec(name: &str) -> Result<&'static Spec> {
    let suites = [
        ("glue/", Suite::Glue),
        ("superglue/", Suite::SuperGlue),
        ("super_glue/", Suite::SuperGlue),
    ];
    let in_suite = suites
        .iter()
        .find_map(|&(start, suite)| Some((suite, name.strip_prefix(start)?)));
    let found = SPECS.iter().find(|spec| match in_suite {
        Some((suite, config)) => spec.suite == suite && spec.configs.contains(&config),
        None => {
            let short = name.strip_prefix("superglue-");
            let within = spec.suite == Suite::SuperGlue && short == Some(spec.name);
            spec.name == name || spec.prefix == name || within
        }
    });
    found.ok_or_else(|| {
        let near = suggestion(name, OFFICIAL);
        Error::Setting(format!("unknown task `{name}`: {near}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_to_its_task() {
        for name in OFFICIAL {
            assert_eq!(spec(name).unwrap().name, name);
            assert_eq!(spec(spec(name).unwrap().prefix).unwrap().name, name);
        }
        for (name, expected) in [
            ("glue/rte", "rte"),
            ("superglue/rte", "superglue-rte"),
            ("super_glue/rte", "superglue-rte"),
            ("super_glue/wsc.fixed", "wsc"),
            ("super_glue/wsc", "wsc"),
            ("superglue-wsc", "wsc"),
            ("superglue-boolq", "boolq"),
        ] {
            assert_eq!(spec(name).unwrap().name, expected, "{name}");
        }
    }

    #[test]
    fn what_is_no_task_is_told_the_nearest() {
        let message = |name: &str| spec(name).unwrap_err().to_string();
        assert_eq!(
            message("bolq"),
            "unknown task `bolq`: the nearest are `boolq`, `cola`"
        );
        assert!(message("glue/boolq").contains("`boolq`"));
        assert!(message("imdb-reviews").contains("`cola`, `sst2`"));
    }

    #[test]
    fn a_tsv_has_a_column_for_every_field_and_the_label() {
        for spec in SPECS.iter().filter(|spec| spec.suite == Suite::Glue) {
            assert_eq!(spec.tsv.len(), spec.fields.len() + 1, "{}", spec.name);
        }
    }
}
