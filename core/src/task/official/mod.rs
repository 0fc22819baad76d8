//! GLUE and SuperGLUE, from the official archives' files or from the hub's Parquet files, as the
//! published code turns them into text. `docs/tasks.md` has every task on one page.

mod files;
mod record;
mod spec;
mod text;
mod unfold;

#[cfg(test)]
mod glue_tests;
#[cfg(all(test, feature = "parquet"))]
mod parquet_tests;
#[cfg(test)]
mod superglue_tests;

pub use spec::OFFICIAL;

use super::{Example, Files, Scoring, Task, take};
use crate::{Error, Result};
use files::Part;
use spec::{Form, Spec, Split, Suite, spec};

/// Rows of the training file that become validation rows where the old validation is the test.
const HELD_OUT: usize = 1000;

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

/// Loads a task of GLUE or SuperGLUE (`rte`, `glue/rte`, `boolq`, `superglue/rte`) from files that
/// lie in the folder itself or in a subfolder with the archive's name (`RTE`) or the hub's (`rte`).
///
/// # Errors
/// An unknown task (with the nearest names), a missing file (with all that are needed), and every
/// row that is not as expected, with its file and line.
pub fn official(name: &str, files: &dyn Files, recipe: &Recipe) -> Result<Task> {
    let spec = spec(name)?;
    let rows = split(spec, files, recipe)?;
    // Queries are split, and then become a row per answer.
    let [train, validation, test] = match spec.form {
        Form::Record => rows.map(text::per_answer),
        _ => rows,
    };
    if validation.is_empty() {
        let message = format!("{}: too few rows to split validation rows off", spec.name);
        return Err(Error::Setting(message));
    }
    let classes = 0..spec.classes.len();
    Ok(Task {
        name: spec.name.into(),
        labels: classes.map(|class| class.to_string()).collect(),
        metrics: spec.metrics.to_vec(),
        scoring: Scoring::Generate,
        epochs: spec.epochs,
        train,
        validation,
        test,
    })
}

/// The source text of one row, as in training: for predicting. `fields` in the order of
/// [`official_fields`]; WSC's text with its marks, ReCoRD's entities as one text.
pub fn official_source(name: &str, fields: &[&str], prefix: bool) -> Result<String> {
    let spec = spec(name)?;
    if fields.len() != spec.fields.len() {
        let (needed, given) = (spec.fields.len(), fields.len());
        let names = official_fields(name)?.join(", ");
        let message = format!(
            "{} takes {needed} text(s) a row ({names}), not {given}",
            spec.name
        );
        return Err(Error::Setting(message));
    }
    Ok(text::source(spec, fields, prefix))
}

/// What a row of this task is made of, in order.
pub fn official_fields(name: &str) -> Result<Vec<&'static str>> {
    Ok(spec(name)?.fields.iter().map(|(field, _)| *field).collect())
}

/// Where the hub keeps a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubFiles {
    /// The data set's repository.
    pub repository: &'static str,
    /// Paths within it, as [`official`] asks for them.
    pub paths: Vec<String>,
}

/// The files of the hub that this task is made of.
pub fn hub_files(name: &str) -> Result<HubFiles> {
    let spec = spec(name)?;
    let path = |part: &Part| format!("{}/{}", spec.configs[0], files::hub_name(*part));
    Ok(HubFiles {
        repository: match spec.suite {
            Suite::Glue => "nyu-mll/glue",
            Suite::SuperGlue => "super_glue",
        },
        paths: parts(spec).iter().map(path).collect(),
    })
}

/// The files that a task is made of.
fn parts(spec: &Spec) -> &'static [Part] {
    match spec.split {
        Split::Mnli => &[Part::Train, Part::Matched, Part::Mismatched],
        Split::Halves | Split::HeldOut => &[Part::Train, Part::Validation],
    }
}

/// The examples of a part, if it is there.
fn load(
    spec: &Spec,
    files: &dyn Files,
    part: Part,
    recipe: &Recipe,
) -> Result<Option<Vec<Example>>> {
    let mut rows = vec![];
    let found = files::read(spec, files, part, &mut |record| {
        rows.push(text::example(spec, &record, recipe)?);
        Ok(())
    })?;
    Ok(found.then_some(rows))
}

/// Training, validation and test rows.
fn split(spec: &Spec, files: &dyn Files, recipe: &Recipe) -> Result<[Vec<Example>; 3]> {
    let needed = |part| {
        load(spec, files, part, recipe)?.ok_or_else(|| files::missing(spec, part, parts(spec)))
    };
    let all = needed(Part::Train)?;
    // Of a file with few rows at most half is held out.
    let hold_out = |all: Vec<Example>| {
        let count = HELD_OUT.min(all.len() / 2);
        take(all, count, recipe.seed, "split/train")
    };
    Ok(match spec.split {
        Split::Halves => {
            let rows = needed(Part::Validation)?;
            let half = rows.len() / 2;
            let (validation, test) = take(rows, half, recipe.seed, "split/validation");
            [all, validation, test]
        }
        Split::HeldOut => {
            let (validation, train) = hold_out(all);
            [train, validation, needed(Part::Validation)?]
        }
        Split::Mnli => {
            let (validation, train) = match load(spec, files, Part::Mismatched, recipe)? {
                Some(mismatched) => (mismatched, all),
                None => hold_out(all),
            };
            [train, validation, needed(Part::Matched)?]
        }
    })
}

/// A folder of a few files for tests.
#[cfg(test)]
mod folder {
    use super::*;
    use std::collections::BTreeMap;

    pub(super) struct Folder(pub(super) BTreeMap<String, Vec<u8>>);

    impl Files for Folder {
        fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
            Ok(self.0.get(name).cloned())
        }
    }

    pub(super) fn folder<T: AsRef<[u8]>>(files: &[(&str, T)]) -> Folder {
        let owned = |(name, bytes): &(&str, T)| (name.to_string(), bytes.as_ref().to_vec());
        Folder(files.iter().map(owned).collect())
    }

    pub(super) fn recipe(prefix: bool) -> Recipe {
        Recipe {
            seed: 1,
            prefix,
            exact: false,
        }
    }

    /// The message of the error that loading a task from these files is.
    pub(super) fn failure<T: AsRef<[u8]>>(name: &str, files: &[(&str, T)]) -> String {
        let error = official(name, &folder(files), &recipe(false)).unwrap_err();
        error.to_string()
    }
}
