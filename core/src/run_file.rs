//! The TOML file of a run: options under their names, and what is wrong with which line of it.

use crate::nearest::suggestion;
use crate::{Error, Result};
use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

/// The options of a run, under their names in a `train` file.
pub type Options = Map<String, Value>;

/// Says what is wrong with a value of a key.
pub type Check<'a> = &'a dyn Fn(&str, &Value) -> std::result::Result<(), String>;

/// One key of a file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) line: usize,
    /// A text, a number, a truth value, or a list of such.
    pub(crate) value: Value,
}

/// Reads a run's file called `file` in errors. `known` are the options that there are.
///
/// # Errors
/// The line, the key and, where one is near, the name that was meant.
pub fn read(text: &str, file: &str, known: &[String], check: Check<'_>) -> Result<Options> {
    let mut options = Options::new();
    for Entry { key, line, value } in entries(text, file)? {
        let wrong = |message: String| Error::line(file, line, message);
        if !known.contains(&key) {
            let near = suggestion(&key, known.iter().map(String::as_str));
            return Err(wrong(format!("unknown key `{key}`: {near}")));
        }
        check(&key, &value).map_err(|problem| wrong(format!("`{key}`: {problem}")))?;
        options.insert(key, value);
    }
    Ok(options)
}

/// The keys of a file, in its order.
pub(crate) fn entries(text: &str, file: &str) -> Result<Vec<Entry>> {
    let line = |start: usize| text[..start.min(text.len())].matches('\n').count() + 1;
    let table = DeTable::parse(text).map_err(|e| {
        let start = e.span().map_or(0, |span| span.start);
        Error::line(file, line(start), e.message())
    })?;
    let mut keys: Vec<_> = table.get_ref().iter().collect();
    keys.sort_by_key(|(key, _)| key.span().start);
    let mut entries = Vec::with_capacity(keys.len());
    for (key, value) in keys {
        let (name, line) = (key.get_ref().as_ref(), line(key.span().start));
        let wrong = |problem| Error::line(file, line, format!("`{name}`: {problem}"));
        entries.push(Entry {
            key: name.into(),
            line,
            value: whole(value.get_ref()).map_err(wrong)?,
        });
    }
    Ok(entries)
}

fn whole(value: &DeValue<'_>) -> std::result::Result<Value, String> {
    match value {
        DeValue::Array(values) => values.iter().map(|value| scalar(value.get_ref())).collect(),
        value => scalar(value),
    }
}

fn scalar(value: &DeValue<'_>) -> std::result::Result<Value, String> {
    let number = |text: String| match text.replace('_', "") {
        text if text.contains(['.', 'e', 'E']) && !text.starts_with("0x") => {
            text.parse::<f64>().ok().map(Value::from)
        }
        text => text.parse::<i64>().ok().map(Value::from),
    };
    let known = match value {
        DeValue::String(text) => Some(Value::from(text.as_ref())),
        DeValue::Boolean(value) => Some(Value::from(*value)),
        DeValue::Integer(integer) => number(integer.to_string()),
        DeValue::Float(float) => number(float.to_string()).filter(|value| !value.is_null()),
        _ => None,
    };
    known
        .ok_or_else(|| "expected a text, a decimal number, true or false, or a list of them".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Options> {
        let check = |key: &str, value: &Value| match (key, value) {
            ("steps", Value::Number(_)) | ("sites" | "lr", _) => Ok(()),
            _ => Err(format!("expected a number, found {value}")),
        };
        let known = ["lr", "sites", "steps"].map(String::from);
        read(text, "run.toml", &known, &check)
    }

    #[test]
    fn values_keep_their_kind() {
        let options = parse("steps = 6_00\nlr = 3e-4\nsites = ['a', 'b']").unwrap();
        assert_eq!(options["steps"], 600);
        assert_eq!(options["lr"], 3e-4);
        assert_eq!(options["sites"], serde_json::json!(["a", "b"]));
    }

    #[test]
    fn mistakes_are_named_with_line_and_key() {
        let error = |text: &str| parse(text).unwrap_err().to_string();
        assert_eq!(
            error("lr = 1\n\nstep = 2"),
            "run.toml:3: unknown key `step`: the nearest are `steps`, `sites`"
        );
        assert_eq!(
            error("lr = 1\nsteps = 'many'"),
            "run.toml:2: `steps`: expected a number, found \"many\""
        );
        assert!(error("lr = 1\nsteps = = 2").starts_with("run.toml:2: "));
        assert!(error("[lr]\na = 1").starts_with("run.toml:1: `lr`: expected a text"));
    }
}
