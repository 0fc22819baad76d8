//! Finds a task's files in a folder and reads their rows, whatever they are written in.

use super::super::Files;
use super::record::{At, Record};
#[cfg(feature = "parquet")]
use super::spec::Form;
use super::spec::{Column, Spec, Suite};
use super::unfold::unfold;
use crate::data::{Format, Object, read_objects, read_table};
use crate::{Error, Result};
use serde_json::Value;

/// A file that a task is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Train,
    Validation,
    Matched,
    Mismatched,
}

/// How the official archive names it, without ending.
fn official_name(spec: &Spec, part: Part) -> String {
    let name = match (part, spec.suite) {
        (Part::Train, _) => "train",
        (Part::Validation, Suite::Glue) => "dev",
        (Part::Validation, Suite::SuperGlue) => "val",
        (Part::Matched, _) => "dev_matched",
        (Part::Mismatched, _) => "dev_mismatched",
    };
    let ending = if spec.tsv.is_empty() { "jsonl" } else { "tsv" };
    format!("{name}.{ending}")
}

/// How the hub names it within a configuration's folder.
pub(super) fn hub_name(part: Part) -> String {
    let name = match part {
        Part::Train => "train",
        Part::Validation => "validation",
        Part::Matched => "validation_matched",
        Part::Mismatched => "validation_mismatched",
    };
    format!("{name}-00000-of-00001.parquet")
}

/// Where a file may lie: in the folder itself, or in one below it that is named for the task.
fn places(spec: &Spec) -> Vec<String> {
    let folder = spec.folder;
    let suite = match spec.suite {
        Suite::Glue => format!("glue/{folder}/"),
        Suite::SuperGlue => format!("superglue/{folder}/"),
    };
    let mut places = vec![String::new(), format!("{folder}/"), suite];
    places.extend(spec.configs.iter().map(|config| format!("{config}/")));
    places
}

/// Calls `each` for every row of a part; whether the part is there. In each place the official
/// file is looked for before the hub's.
pub(super) fn read(
    spec: &Spec,
    files: &dyn Files,
    part: Part,
    each: &mut dyn FnMut(Record) -> Result<()>,
) -> Result<bool> {
    for place in places(spec) {
        let path = place.clone() + &official_name(spec, part);
        if let Some(bytes) = files.read(&path)? {
            match spec.tsv.is_empty() {
                true => jsonl(spec, &bytes, &path, each)?,
                false => tsv(spec, &bytes, &path, each)?,
            }
            return Ok(true);
        }
        let path = place + &hub_name(part);
        if let Some(bytes) = files.read(&path)? {
            parquet(spec, bytes, &path, each)?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// The error for a part that is nowhere.
pub(super) fn missing(spec: &Spec, part: Part, parts: &[Part]) -> Error {
    let list = |name: &dyn Fn(Part) -> String| {
        let names: Vec<String> = parts.iter().map(|part| name(*part)).collect();
        names.join(", ")
    };
    let message = format!(
        "not there, neither here nor in {}/; {} is made of {}, or from the hub of {}/{}",
        spec.folder,
        spec.name,
        list(&|part| official_name(spec, part)),
        spec.configs[0],
        list(&hub_name),
    );
    Error::file(official_name(spec, part), message)
}

fn tsv(
    spec: &Spec,
    bytes: &[u8],
    file: &str,
    each: &mut dyn FnMut(Record) -> Result<()>,
) -> Result<()> {
    let header = spec
        .tsv
        .iter()
        .all(|column| matches!(column, Column::Name(_)));
    let table = read_table(bytes, Format::Tsv, file, header)?;
    let width = table.rows.first().map_or(0, Vec::len);
    let place = |column: &Column| match *column {
        Column::Name(name) => table.column(name),
        Column::Place(index) if index < width => Ok(index),
        Column::Place(_) => {
            let message = format!("{width} columns, but {} has 4", spec.name);
            Err(Error::line(file, 1, message))
        }
    };
    let places = spec.tsv.iter().map(place).collect::<Result<Vec<usize>>>()?;
    let names: Vec<&str> = spec
        .fields
        .iter()
        .map(|(name, _)| *name)
        .chain(["label"])
        .collect();
    for (row, &line) in table.rows.iter().zip(&table.lines) {
        let cell =
            |(name, &place): (&&str, &usize)| (name.to_string(), Value::from(row[place].as_str()));
        let values: Object = names.iter().zip(&places).map(cell).collect();
        each(Record {
            file,
            at: At::Line(line),
            values,
        })?;
    }
    Ok(())
}

fn jsonl(
    spec: &Spec,
    bytes: &[u8],
    file: &str,
    each: &mut dyn FnMut(Record) -> Result<()>,
) -> Result<()> {
    let mut questions = 0;
    read_objects(bytes, file, &mut |line, values| {
        let record = Record {
            file,
            at: At::Line(line),
            values,
        };
        unfold(spec.form, record, &mut questions, each)
    })
}

/// The hub's columns that a task needs.
#[cfg(feature = "parquet")]
fn hub_columns(spec: &Spec) -> Vec<&'static str> {
    let mut columns: Vec<&str> = spec.fields.iter().map(|(name, _)| *name).collect();
    columns.extend(match spec.form {
        Form::Record => &["answers"][..],
        Form::MultiRc => &["idx", "label"],
        Form::Wsc => &[
            "span1_index",
            "span1_text",
            "span2_index",
            "span2_text",
            "label",
        ],
        Form::Plain | Form::Score => &["label"],
    });
    columns
}

#[cfg(feature = "parquet")]
fn parquet(
    spec: &Spec,
    bytes: Vec<u8>,
    file: &str,
    each: &mut dyn FnMut(Record) -> Result<()>,
) -> Result<()> {
    crate::data::read_parquet(bytes, file, &hub_columns(spec), &mut |row, values| {
        each(Record {
            file,
            at: At::Row(row),
            values,
        })
    })
}

#[cfg(not(feature = "parquet"))]
fn parquet(
    _: &Spec,
    _: Vec<u8>,
    file: &str,
    _: &mut dyn FnMut(Record) -> Result<()>,
) -> Result<()> {
    Err(Error::file(
        file,
        "this build reads no Parquet: give the official files",
    ))
}
