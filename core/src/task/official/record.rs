//! One row of any kind of file, under the names of the hub's columns.

use super::super::unknown_label;
use super::spec::Spec;
use crate::data::{Object, kind};
use crate::{Error, Result};
use serde_json::Value;

/// Where a row stands, for errors.
#[derive(Debug, Clone, Copy)]
pub(super) enum At {
    /// On this line of a text.
    Line(usize),
    /// This row of a Parquet file.
    #[cfg_attr(not(feature = "parquet"), allow(dead_code))]
    Row(usize),
}

/// A row and where it stands.
#[derive(Debug)]
pub(super) struct Record<'a> {
    pub file: &'a str,
    pub at: At,
    pub values: Object,
}

impl Record<'_> {
    /// An error about this row.
    pub fn error(&self, message: impl std::fmt::Display) -> Error {
        match self.at {
            At::Line(line) => Error::line(self.file, line, message.to_string()),
            At::Row(row) => Error::file(self.file, format!("row {row}: {message}")),
        }
    }

    /// The value of a column.
    pub fn value(&self, column: &str) -> Result<&Value> {
        self.values.get(column).ok_or_else(|| {
            let there: Vec<String> = self.values.keys().map(|key| format!("`{key}`")).collect();
            self.error(format!("no `{column}`; there are {}", there.join(", ")))
        })
    }

    /// That a value is of another kind than expected.
    pub fn wrong(&self, column: &str, expected: &str, found: &Value) -> Error {
        self.error(format!(
            "column `{column}`: expected {expected}, found {}",
            kind(found)
        ))
    }

    /// A column of text.
    pub fn text(&self, column: &str) -> Result<&str> {
        let value = self.value(column)?;
        value
            .as_str()
            .ok_or_else(|| self.wrong(column, "a text", value))
    }

    /// A column of numbers from 0.
    pub fn count(&self, column: &str) -> Result<usize> {
        let value = self.value(column)?;
        let count = value.as_u64().and_then(|count| usize::try_from(count).ok());
        count.ok_or_else(|| self.wrong(column, "a number from 0", value))
    }

    /// A column of lists of texts.
    pub fn texts(&self, column: &str) -> Result<Vec<String>> {
        let value = self.value(column)?;
        let texts = value.as_array().and_then(|items| {
            let text = |item: &Value| item.as_str().map(str::to_string);
            items.iter().map(text).collect::<Option<Vec<_>>>()
        });
        texts.ok_or_else(|| self.wrong(column, "a list of texts", value))
    }

    /// The number of the row's class, which stands there as a number, a truth value or a name.
    pub fn class(&self, spec: &Spec) -> Result<usize> {
        let value = self.value("label")?;
        let found = match value {
            Value::String(name) => spec.classes.iter().position(|class| class == name),
            Value::Bool(truth) if spec.classes.len() == 2 => Some(usize::from(*truth)),
            Value::Number(number) => {
                let class = number
                    .as_u64()
                    .and_then(|class| usize::try_from(class).ok());
                class.filter(|class| *class < spec.classes.len())
            }
            _ => None,
        };
        found.ok_or_else(|| match (value, self.at) {
            (Value::String(label), At::Line(line)) => {
                unknown_label(self.file, line, label, spec.classes)
            }
            // The hub's test files have -1 in place of a label.
            _ => {
                let most = spec.classes.len().saturating_sub(1);
                let names = spec.classes.join(", ");
                self.wrong(
                    "label",
                    &format!("a class from 0 to {most} ({names})"),
                    value,
                )
            }
        })
    }

    /// A score from 0 to 5.
    pub fn score(&self) -> Result<f64> {
        let value = self.value("label")?;
        let score = match value {
            Value::String(text) => text.trim().parse().ok(),
            other => other.as_f64(),
        };
        score
            .filter(|score| (0.0..=5.0).contains(score))
            .ok_or_else(|| {
                let found = value
                    .as_str()
                    .map_or_else(|| kind(value), |text| format!("`{text}`"));
                self.error(format!(
                    "unknown score {found}: expected a number from 0 to 5"
                ))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::super::spec::spec;
    use super::*;
    use serde_json::json;

    fn record(at: At, values: Value) -> Record<'static> {
        let Value::Object(values) = values else {
            panic!("not an object")
        };
        Record {
            file: "f",
            at,
            values,
        }
    }

    #[test]
    fn classes_stand_there_in_three_ways() {
        let class = |name: &str, label: Value| {
            let record = record(At::Line(7), json!({"label": label}));
            record
                .class(spec(name).unwrap())
                .map_err(|error| error.to_string())
        };
        assert_eq!(class("cb", json!("neutral")), Ok(2));
        assert_eq!(class("cb", json!(1)), Ok(1));
        assert_eq!(class("boolq", json!(true)), Ok(1));
        assert_eq!(class("wic", json!("false")), Ok(0));
        assert_eq!(
            class("cb", json!("maybe")).unwrap_err(),
            "f:7: unknown label `maybe`: expected one of `entailment`, `contradiction`, `neutral`"
        );
        assert_eq!(
            class("copa", json!(-1)).unwrap_err(),
            "f:7: column `label`: expected a class from 0 to 1 (0, 1), found the number -1"
        );
        assert!(class("cb", json!(true)).is_err() && class("copa", json!(2)).is_err());
    }

    #[test]
    fn errors_name_the_place_the_column_and_what_was_expected() {
        let record = record(At::Row(3), json!({"a": 1, "b": ["x", 2]}));
        let message = |error: Error| error.to_string();
        assert_eq!(
            message(record.text("a").unwrap_err()),
            "f: row 3: column `a`: expected a text, found the number 1"
        );
        assert_eq!(
            message(record.text("c").unwrap_err()),
            "f: row 3: no `c`; there are `a`, `b`"
        );
        assert_eq!(
            message(record.texts("b").unwrap_err()),
            "f: row 3: column `b`: expected a list of texts, found a list"
        );
        assert!(message(record.count("b").unwrap_err()).contains("a number from 0"));
        assert!(message(record.score().unwrap_err()).contains("no `label`"));
    }
}
