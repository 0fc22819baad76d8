//! Rows out of Parquet files, the form in which the hub keeps data sets.
//!
//! Such a file may come from anybody: what would take unbounded time, memory or stack is refused
//! before it is read, and a panic inside the reader becomes an error that names the file.

mod headers;
mod pages;
#[cfg(test)]
pub(crate) mod testing;
mod thrift;

use super::objects::{Each, Object};
use crate::{Error, Result};
use bytes::Bytes;
use pages::{Checked, Guarded};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, reader::RowIter};
use parquet::schema::types::Type;
use serde_json::{Number, Value};
use std::panic::{AssertUnwindSafe, catch_unwind};
use thrift::{is_struct, schema};

const MAGIC: &[u8] = b"PAR1";
/// Largest footer: real ones have some hundred bytes a column and row group.
const MAX_FOOTER: usize = 64 << 20;
/// Levels of the footer: the statistics of a column's sizes are the eighth.
const MOST_NESTED: u8 = 16;
/// Most nodes of the schema, which the reader descends into by recursion.
const MAX_NODES: u64 = 500;
/// Most rows: the largest task has fewer than a million.
const MAX_ROWS: i64 = 20_000_000;
/// Most bytes of text in all rows together: a dictionary can repeat one long text without end.
const MAX_TEXT: usize = 4 << 30;
/// Rows and bytes of text that a file of any length may have, and beside them for each of its bytes:
/// a thousand equal rows take no more room than one.
const SMALL_ROWS: usize = 1 << 16;
const ROWS_A_BYTE: usize = 8;
const SMALL_TEXT: usize = 16 << 20;
const TEXT_A_BYTE: usize = 256;

/// Calls `each` for every row of a Parquet file, with those of its columns that are named. A file
/// without one of `columns` is an error that lists what it has.
pub fn read_parquet(bytes: Vec<u8>, file: &str, columns: &[&str], each: &mut Each) -> Result<()> {
    let end = check_footer(&bytes, file)?;
    let bytes = Bytes::from(bytes);
    let read = AssertUnwindSafe(|| rows(Checked { bytes, end }, file, columns, each));
    let broken = |_| {
        Err(Error::file(
            file,
            "broken Parquet: the reader gave up on it",
        ))
    };
    catch_unwind(read).unwrap_or_else(broken)
}

fn rows(bytes: Checked, file: &str, columns: &[&str], each: &mut Each) -> Result<()> {
    let broken = |error: parquet::errors::ParquetError| {
        Error::file(file, format!("broken Parquet: {error}"))
    };
    let length = bytes.bytes.len();
    let reader = SerializedFileReader::new(bytes).map_err(broken)?;
    let reader = Guarded(reader, length as u64);
    let metadata = reader.metadata().file_metadata();
    let count = metadata.num_rows();
    if count <= 0 {
        return Err(Error::file(
            file,
            format!("{count} rows: there is nothing to read"),
        ));
    }
    let most = SMALL_ROWS.saturating_add(length.saturating_mul(ROWS_A_BYTE));
    let most = i64::try_from(most).map_or(MAX_ROWS, |most| most.min(MAX_ROWS));
    if count > most {
        let message =
            format!("claims {count} rows: at most {most} are read of a file of its length");
        return Err(Error::file(file, message));
    }
    let schema = projection(metadata.schema_descr().root_schema(), file, columns)?;
    let iter = RowIter::from_file(Some(schema), &reader).map_err(broken)?;
    let room = SMALL_TEXT.saturating_add(length.saturating_mul(TEXT_A_BYTE));
    let mut room = room.min(MAX_TEXT);
    for (index, row) in iter.enumerate() {
        if index as i64 == count {
            return Err(Error::file(
                file,
                format!("has more than the {count} rows it claims"),
            ));
        }
        let mut object = Object::new();
        for (name, field) in row.map_err(broken)?.into_columns() {
            let value = value(field, &mut room).map_err(|what| {
                Error::file(file, format!("row {}, column `{name}`: {what}", index + 1))
            })?;
            object.insert(name, value);
        }
        each(index + 1, object)?;
    }
    Ok(())
}

/// The schema with the named columns alone, so that no other is decoded.
fn projection(root: &Type, file: &str, columns: &[&str]) -> Result<Type> {
    let there = root.get_fields();
    let mut fields = Vec::with_capacity(columns.len());
    for name in columns {
        let Some(field) = there.iter().find(|field| field.name() == *name) else {
            let quoted = |names: &mut dyn Iterator<Item = &str>| -> String {
                let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
                names.join(", ")
            };
            let message = format!(
                "no column `{name}`; expected {}, the file has {}",
                quoted(&mut columns.iter().copied()),
                quoted(&mut there.iter().map(|field| field.name()))
            );
            return Err(Error::file(file, message));
        };
        fields.push(field.clone());
    }
    let builder = Type::group_type_builder(root.name()).with_fields(fields);
    builder
        .build()
        .map_err(|error| Error::file(file, format!("broken Parquet: {error}")))
}

/// A field as JSON; `room` is what text may still come. Other types than data sets of text have
/// are refused in words.
fn value(field: Field, room: &mut usize) -> std::result::Result<Value, String> {
    let float = |value: f64| Number::from_f64(value).map_or(Value::Null, Value::Number);
    Ok(match field {
        Field::Null => Value::Null,
        Field::Bool(value) => value.into(),
        Field::Byte(value) => value.into(),
        Field::Short(value) => value.into(),
        Field::Int(value) => value.into(),
        Field::Long(value) => value.into(),
        Field::UByte(value) => value.into(),
        Field::UShort(value) => value.into(),
        Field::UInt(value) => value.into(),
        Field::ULong(value) => value.into(),
        Field::Float(value) => float(value.into()),
        Field::Double(value) => float(value),
        Field::Str(text) => {
            let left = room.checked_sub(text.len());
            *room = left.ok_or_else(|| "more text than the file has room for".to_string())?;
            text.into()
        }
        Field::Group(row) => {
            let mut object = Object::new();
            for (name, field) in row.into_columns() {
                object.insert(name, value(field, room)?);
            }
            object.into()
        }
        Field::ListInternal(list) => {
            let items = list.elements().iter().cloned();
            Value::Array(
                items
                    .map(|item| value(item, room))
                    .collect::<std::result::Result<_, _>>()?,
            )
        }
        other => {
            return Err(format!(
                "expected text, a number, a list or a struct, found {other}"
            ));
        }
    })
}

/// Refuses what the reader would trip over: it takes the footer's word for its own length, and
/// walks the schema by recursion. Gives the place where it begins.
fn check_footer(bytes: &[u8], file: &str) -> Result<usize> {
    let wrong = |message: String| Err(Error::file(file, message));
    let framed = bytes.len() >= 12 && bytes.starts_with(MAGIC) && bytes.ends_with(MAGIC);
    if !framed {
        return wrong("not a Parquet file: it must begin and end with `PAR1`".into());
    }
    let end = bytes.len() - 8;
    let length = bytes[end..end + 4].iter().rev();
    let length = length.fold(0usize, |sum, byte| sum << 8 | usize::from(*byte));
    if length > MAX_FOOTER || length > end - 4 {
        return wrong(format!(
            "broken Parquet: a footer of {length} bytes in a file of {}",
            bytes.len()
        ));
    }
    let footer = &bytes[end - length..end];
    match schema(footer) {
        Some(schema) if schema.nodes > MAX_NODES => wrong(format!(
            "{} nodes in its schema: at most {MAX_NODES} are read",
            schema.nodes
        )),
        Some(schema) if schema.children >= schema.nodes => wrong(format!(
            "broken Parquet: {} nodes below one of {} in its schema",
            schema.children, schema.nodes
        )),
        // The reader passes over a list by its own word, and truth values have no bytes there: a
        // file of 741 claimed two hundred million, which took seconds.
        Some(_) if !is_struct(footer, headers::FILE, MOST_NESTED) => wrong(
            "broken Parquet: the footer is not whole, or a field in it is not what Parquet has there"
                .into(),
        ),
        Some(_) => Ok(end - length),
        None => wrong("broken Parquet: the footer does not begin with version and schema".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use testing::{Column, write};

    fn read(bytes: Vec<u8>, columns: &[&str]) -> Result<Vec<Value>> {
        let mut seen = vec![];
        read_parquet(bytes, "t.parquet", columns, &mut |row, object| {
            assert_eq!(row, seen.len() + 1);
            seen.push(Value::Object(object));
            Ok(())
        })?;
        Ok(seen)
    }

    fn sample() -> Vec<u8> {
        write(&[
            ("text", Column::text(&["a", "b", "a"])),
            ("label", Column::Long(vec![0, 1, 1])),
            ("score", Column::Float(vec![0.5, 3.8, 5.0])),
            ("flag", Column::Bool(vec![true, false, true])),
            ("names", Column::list(&[&["x", "y"], &[], &["z"]])),
        ])
    }

    #[test]
    fn named_columns_come_as_json() {
        let columns = ["text", "names", "label", "flag"];
        let rows = read(sample(), &columns).unwrap();
        assert_eq!(
            rows[0],
            serde_json::json!({"text": "a", "label": 0, "flag": true, "names": ["x", "y"]})
        );
        assert_eq!(rows[1]["names"], serde_json::json!([]));
        assert_eq!((rows.len(), &rows[2]["text"]), (3, &Value::from("a")));
        assert_eq!(read(sample(), &["score"]).unwrap()[0]["score"], 0.5);
    }

    #[test]
    fn a_footer_does_not_claim_more_than_it_has() {
        let whole = sample();
        let end = whole.len() - 8;
        let length = u32::from_le_bytes(whole[end..end + 4].try_into().unwrap());
        // In place of the footer's end, a list of 2^28 truth values, which have no bytes of their own;
        // and the same within the bytes of a list where the reader takes the first for the version.
        let list: &[u8] = &[0x19, 0xf1, 0xff, 0xff, 0xff, 0x7f, 0];
        for claim in [list.to_vec(), [&[0x09, 2, 0x63], list].concat()] {
            let length = length + claim.len() as u32 - 1;
            let bytes = [&whole[..end - 1], &claim, &length.to_le_bytes(), MAGIC].concat();
            let message = read(bytes, &["text"]).unwrap_err().to_string();
            assert!(message.starts_with("t.parquet: broken Parquet: the footer is not whole"));
        }
    }

    #[test]
    fn other_columns_are_named() {
        let message = read(sample(), &["text", "idx"]).unwrap_err().to_string();
        assert_eq!(
            message,
            "t.parquet: no column `idx`; expected `text`, `idx`, the file has `text`, `label`, \
             `score`, `flag`, `names`"
        );
    }

    #[test]
    fn no_cut_and_no_flipped_byte_escapes_as_a_panic() {
        let whole = sample();
        for length in 0..whole.len() {
            assert!(read(whole[..length].to_vec(), &["text"]).is_err());
        }
        let columns = ["text", "label", "score", "flag", "names"];
        for place in 0..whole.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[place] ^= flip;
                if let Ok(rows) = read(bytes, &columns) {
                    assert!(rows.len() < 100, "byte {place}: {} rows", rows.len());
                }
            }
        }
    }

    #[test]
    fn what_a_footer_claims_is_bounded() {
        let framed = |footer: &[u8], length: u32| {
            let bytes = [b"PAR1", footer, &length.to_le_bytes(), b"PAR1"].concat();
            read(bytes, &["text"]).unwrap_err().to_string()
        };
        assert!(framed(b"", u32::MAX).contains("a footer of 4294967295 bytes in a file of 12"));
        let deep = [0x15, 0x02, 0x19, 0xfc, 0xa0, 0x8d, 0x06]; // a list of 100,000 structs
        assert!(framed(&deep, 7).contains("100000 nodes in its schema"));
        assert!(framed(b"{}", 2).contains("does not begin with version and schema"));
        let message = read(b"idx,text\n".to_vec(), &["text"]).unwrap_err();
        assert!(
            message
                .to_string()
                .contains("must begin and end with `PAR1`")
        );
    }
}
