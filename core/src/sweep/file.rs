//! The TOML file of a sweep.

use crate::method::NAMES;
use crate::nearest::suggestion;
use crate::run_file::{Check, Entry, entries};
use crate::{Error, Result};
use serde_json::Value;

/// The value of `method` that stands for every method there is.
pub const ALL: &str = "all";
/// Folder of the sweep's run directories.
const OUT: &str = "out";
/// Folders in which a task's own folder is looked for.
const DATA_DIRS: &str = "data-dirs";
/// Options of a run that a sweep cannot set, with what to do instead.
const REFUSED: [(&str, &str); 2] = [
    ("seeds", "list the seeds: seed = [1, 2, 3]"),
    (
        "device",
        "a device belongs to the machine, not to the runs: give --device",
    ),
];

/// One key of the file with its values.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// An option of `train`.
    pub key: String,
    /// One value for each choice; never empty.
    pub values: Vec<Value>,
}

/// A sweep file, read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sweep {
    /// Folder of the run directories, if the file names one.
    pub out: Option<String>,
    /// Folders in which a task's own folder is looked for.
    pub data_dirs: Vec<String>,
    /// Every other key, in the file's order.
    pub axes: Vec<Axis>,
}

impl Sweep {
    /// Reads a file called `file` in errors. `known` are the options of `train`; `check` says what
    /// is wrong with one value of one of them.
    ///
    /// # Errors
    /// The line, the key and, where one is near, the name that was meant.
    pub fn parse(text: &str, file: &str, known: &[String], check: Check<'_>) -> Result<Self> {
        let mut sweep = Self::default();
        for Entry { key, line, value } in entries(text, file)? {
            let wrong = |message: String| Error::line(file, line, message);
            let values = match value {
                Value::Array(values) => values,
                value => vec![value],
            };
            match key.as_str() {
                OUT => {
                    sweep.out = Some(one_text(&values).map_err(|e| wrong(format!("`{key}`: {e}")))?)
                }
                DATA_DIRS => {
                    sweep.data_dirs = texts(&values).map_err(|e| wrong(format!("`{key}`: {e}")))?;
                }
                _ => sweep
                    .axes
                    .push(axis(&key, values, known, check).map_err(wrong)?),
            }
        }
        Ok(sweep)
    }

    /// The values of a key, empty where it is not set.
    pub fn values(&self, key: &str) -> &[Value] {
        let axis = self.axes.iter().find(|axis| axis.key == key);
        axis.map_or(&[], |axis| &axis.values)
    }

    /// Sets a key's values in place of those it had.
    pub fn set(&mut self, key: &str, values: Vec<Value>) {
        self.axes.retain(|axis| axis.key != key);
        let key = key.to_string();
        self.axes.push(Axis { key, values });
    }
}

/// A key of the file as an axis, with `all` spelt out.
fn axis(
    key: &str,
    values: Vec<Value>,
    known: &[String],
    check: Check<'_>,
) -> std::result::Result<Axis, String> {
    if let Some((_, way_out)) = REFUSED.iter().find(|(name, _)| *name == key) {
        return Err(format!("`{key}` cannot be set in a sweep: {way_out}"));
    }
    if !known.iter().any(|name| name == key) {
        let own = [OUT, DATA_DIRS].into_iter();
        let names = known.iter().map(String::as_str).chain(own);
        return Err(format!("unknown key `{key}`: {}", suggestion(key, names)));
    }
    if values.is_empty() {
        return Err(format!(
            "`{key}` is an empty list: leave it out, or name a value"
        ));
    }
    let values: Vec<Value> = match key == "method" && values.contains(&Value::from(ALL)) {
        true => NAMES.iter().map(|name| Value::from(*name)).collect(),
        false => values,
    };
    for value in &values {
        check(key, value).map_err(|problem| format!("`{key}`: {problem}"))?;
    }
    Ok(Axis {
        key: key.into(),
        values,
    })
}

fn texts(values: &[Value]) -> std::result::Result<Vec<String>, String> {
    let text = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        other => Err(format!("expected a text, found {other}")),
    };
    values.iter().map(text).collect()
}

fn one_text(values: &[Value]) -> std::result::Result<String, String> {
    match texts(values)?.as_slice() {
        [text] => Ok(text.clone()),
        _ => Err("expected one text".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Sweep> {
        let known = [
            "task",
            "method",
            "seed",
            "seeds",
            "lr",
            "train-samples",
            "steps",
        ];
        let check = |key: &str, value: &Value| match (key, value) {
            ("steps" | "seed", Value::Number(_)) => Ok(()),
            ("steps" | "seed", _) => Err(format!("expected a number, found {value}")),
            _ => Ok(()),
        };
        Sweep::parse(text, "s.toml", &known.map(String::from), &check)
    }

    #[test]
    fn lists_and_single_values_are_axes() {
        let sweep = parse(
            "out = 'runs/x'\ndata-dirs = ['glue']\ntask = ['rte', 'cola']\nlr = [3e-4, 1]\nsteps = 6_00\n",
        )
        .unwrap();
        assert_eq!(sweep.out.as_deref(), Some("runs/x"));
        assert_eq!(sweep.data_dirs, ["glue"]);
        assert_eq!(sweep.values("task"), ["rte", "cola"].map(Value::from));
        assert_eq!(sweep.values("lr"), [Value::from(3e-4), Value::from(1)]);
        assert_eq!(sweep.values("steps"), [Value::from(600)]);
        assert!(sweep.values("seed").is_empty());
        let keys: Vec<_> = sweep.axes.iter().map(|axis| axis.key.as_str()).collect();
        assert_eq!(keys, ["task", "lr", "steps"]);
    }

    #[test]
    fn all_is_every_method() {
        let sweep = parse("method = 'all'").unwrap();
        assert_eq!(sweep.values("method").len(), NAMES.len());
    }

    #[test]
    fn mistakes_are_named_with_line_key_and_what_was_meant() {
        let error = |text: &str| parse(text).unwrap_err().to_string();
        let typo = error("task = 'rte'\n\nmetod = 'full'\n");
        assert_eq!(
            typo,
            "s.toml:3: unknown key `metod`: the nearest is `method`"
        );
        let plural = error("train-sample = [1]");
        assert!(
            plural.contains("the nearest is `train-samples`"),
            "{plural}"
        );
        let strange = error("colour = 1");
        assert!(strange.contains("there are `task`, `method`"), "{strange}");
        let kind = error("task = 'rte'\nsteps = [1, 'many']");
        assert_eq!(kind, "s.toml:2: `steps`: expected a number, found \"many\"");
        assert!(error("seeds = 3").contains("seed = [1, 2, 3]"));
        assert!(error("seed = []").contains("empty list"));
        assert!(error("lr = 1\ntask = = 2").starts_with("s.toml:2: "));
        assert!(error("[task]\na = 1").contains("`task`: expected a text"));
        assert!(error("out = ['a', 'b']").contains("one text"));
        assert!(error("data-dirs = [1]").contains("found 1"));
    }
}
