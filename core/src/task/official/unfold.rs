//! SuperGLUE's nested JSON objects as the flat rows that the hub has.

use super::record::Record;
use super::spec::Form;
use crate::Result;
use crate::data::Object;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Calls `each` for the rows of one line. `questions` counts the questions of the file so far.
pub(super) fn unfold(
    form: Form,
    mut record: Record,
    questions: &mut usize,
    each: &mut dyn FnMut(Record) -> Result<()>,
) -> Result<()> {
    match form {
        Form::Plain | Form::Score => each(record),
        Form::MultiRc => multirc(&record, questions, each),
        Form::Record => queries(&record, each),
        Form::Wsc => {
            // The spans lie one level down.
            if let Some(Value::Object(target)) = record.values.remove("target") {
                record.values.extend(target);
            }
            each(record)
        }
    }
}

/// A part of a line, to be read with the same errors.
fn part<'a>(record: &Record<'a>, values: &Value) -> Result<Record<'a>> {
    let Value::Object(values) = values else {
        let found = crate::data::kind(values);
        return Err(record.error(format!("expected an object, found {found}")));
    };
    Ok(Record {
        file: record.file,
        at: record.at,
        values: values.clone(),
    })
}

fn list<'a>(record: &'a Record, key: &str) -> Result<&'a [Value]> {
    let value = record.value(key)?;
    let items = value.as_array().map(Vec::as_slice);
    items.ok_or_else(|| record.wrong(key, "a list", value))
}

/// A row per answer of every question.
fn multirc(
    record: &Record,
    questions: &mut usize,
    each: &mut dyn FnMut(Record) -> Result<()>,
) -> Result<()> {
    let passage = part(record, record.value("passage")?)?;
    let paragraph = passage.text("text")?;
    for question in list(&passage, "questions")? {
        let question = part(record, question)?;
        let text = question.text("question")?;
        for answer in list(&question, "answers")? {
            let answer = part(record, answer)?;
            let row = json!({
                "paragraph": paragraph,
                "question": text,
                "answer": answer.text("text")?,
                "label": answer.value("label")?,
                "idx": {"question": *questions},
            });
            each(part(record, &row)?)?;
        }
        *questions += 1;
    }
    Ok(())
}

/// A row per query, with the passage's entities and the query's answers, each once and in order.
fn queries(record: &Record, each: &mut dyn FnMut(Record) -> Result<()>) -> Result<()> {
    let passage = part(record, record.value("passage")?)?;
    let text = passage.text("text")?;
    let characters: Vec<char> = text.chars().collect();
    let mut entities = BTreeSet::new();
    for span in list(&passage, "entities")? {
        let span = part(record, span)?;
        let (start, end) = (span.count("start")?, span.count("end")?);
        // The end is inclusive.
        let Some(entity) = end
            .checked_add(1)
            .and_then(|end| characters.get(start..end))
        else {
            let message = format!(
                "entity from {start} to {end} in a passage of {} characters",
                characters.len()
            );
            return Err(record.error(message));
        };
        entities.insert(entity.iter().collect::<String>());
    }
    for query in list(record, "qas")? {
        let query = part(record, query)?;
        let mut answers = BTreeSet::new();
        // The test file has none.
        if query.values.contains_key("answers") {
            for answer in list(&query, "answers")? {
                answers.insert(part(record, answer)?.text("text")?.to_string());
            }
        }
        let values = Object::from_iter([
            ("query".to_string(), Value::from(query.text("query")?)),
            ("passage".to_string(), Value::from(text)),
            ("entities".to_string(), entities.iter().cloned().collect()),
            ("answers".to_string(), answers.into_iter().collect()),
        ]);
        each(Record {
            file: record.file,
            at: record.at,
            values,
        })?;
    }
    Ok(())
}
