//! Rows as JSON objects: JSON Lines as they stand, and what a Parquet file holds.

use super::table::{line_text, lines};
use crate::{Error, Result};
use serde_json::{Map, Value};

/// A row's values under their names.
pub type Object = Map<String, Value>;

/// What is done with each row; it is told the row's line (or place), counted from 1.
pub type Each<'a> = dyn FnMut(usize, Object) -> Result<()> + 'a;

/// Calls `each` for every line of a JSON Lines file; blank lines are none. A line that is no object
/// is an error that names it.
pub fn read_objects(bytes: &[u8], file: &str, each: &mut Each) -> Result<()> {
    for (line, text) in lines(line_text(bytes, file)?) {
        each(line, object(text, file, line)?)?;
    }
    Ok(())
}

/// One line as an object.
pub(super) fn object(text: &str, file: &str, line: usize) -> Result<Object> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => {
            let message = format!("not a JSON object but {}", kind(&other));
            Err(Error::line(file, line, message))
        }
        Err(error) => {
            let message = format!("not a JSON object: {error}");
            Err(Error::line(file, line, message))
        }
    }
}

/// What a value is, in words.
pub(crate) fn kind(value: &Value) -> String {
    match value {
        Value::Null => "nothing (null)".into(),
        Value::Bool(value) => format!("{value}"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(_) => "a text".into(),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "an object".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_object_comes_with_its_line() {
        let mut seen = vec![];
        let mut each = |line: usize, object: Object| {
            seen.push((line, object["a"].clone()));
            Ok(())
        };
        let text = b"\xef\xbb\xbf{\"a\": 1}\n\n{\"a\": \"x\"}\n";
        read_objects(text, "f", &mut each).unwrap();
        assert_eq!(seen, [(1, Value::from(1)), (3, Value::from("x"))]);
    }

    #[test]
    fn what_is_no_object_is_named() {
        let failure = |text: &[u8]| {
            let error = read_objects(text, "f.jsonl", &mut |_, _| Ok(())).unwrap_err();
            error.to_string()
        };
        assert_eq!(
            failure(b"{}\n[1]\n"),
            "f.jsonl:2: not a JSON object but a list"
        );
        assert_eq!(
            failure(b"3\n"),
            "f.jsonl:1: not a JSON object but the number 3"
        );
        assert!(failure(b"{}\n{\"a\":\n").starts_with("f.jsonl:2: not a JSON object: EOF"));
        assert_eq!(failure(b"\n"), "f.jsonl: the file is empty");
        assert_eq!(failure(b"{}\n\xff"), "f.jsonl:2: not UTF-8: byte 0xff");
    }
}
