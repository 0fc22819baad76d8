//! Tables out of TSV, CSV and JSON Lines.
//!
//! Nothing is repaired silently: a ragged line, a byte that is not UTF-8 or a file without rows is an
//! error that names the line.

use super::objects::object;
use crate::{Error, Result};
use serde_json::Value;

/// Rows of text under named columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The file's name, for messages.
    pub file: String,
    /// Column names; empty if the file has none.
    pub header: Vec<String>,
    /// Rows, all of one width.
    pub rows: Vec<Vec<String>>,
    /// The line each row starts on, counted from 1.
    pub lines: Vec<usize>,
}

impl Table {
    /// Index of the column called `name`; the error lists what there is.
    pub fn column(&self, name: &str) -> Result<usize> {
        let mut found = (0..self.header.len()).filter(|&i| self.header[i] == name);
        match (found.next(), found.next()) {
            (Some(index), None) => Ok(index),
            (Some(_), Some(_)) => Err(Error::line(
                &self.file,
                1,
                format!("the column `{name}` stands there twice"),
            )),
            _ => {
                let there: Vec<String> = self.header.iter().map(|c| format!("`{c}`")).collect();
                let there = if there.is_empty() {
                    "no header".to_string()
                } else {
                    there.join(", ")
                };
                let message = format!("no column `{name}`; the file has {there}");
                Err(Error::file(&self.file, message))
            }
        }
    }
}

/// How a table is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Tab-separated without any quoting, as GLUE's files are.
    Tsv,
    /// Comma-separated, fields quoted with `"` where needed (RFC 4180).
    Csv,
    /// One JSON object a line.
    Jsonl,
}

impl Format {
    /// By the file name's ending, `.gz` aside: `.csv`, `.jsonl`/`.ndjson`, `.tsv`/`.txt`/`.tab`.
    pub fn from_name(name: &str) -> Result<Self> {
        let lower = name.to_lowercase();
        let stem = lower.strip_suffix(".gz").unwrap_or(&lower);
        match stem.rsplit_once('.').map(|(_, ending)| ending) {
            Some("tsv" | "txt" | "tab") => Ok(Self::Tsv),
            Some("csv") => Ok(Self::Csv),
            Some("jsonl" | "ndjson") => Ok(Self::Jsonl),
            _ => Err(Error::file(
                name,
                "unknown kind of file: expected .tsv, .csv or .jsonl (each also with .gz)",
            )),
        }
    }
}

/// Reads a whole file. `header` says whether the first line of TSV and CSV names the columns;
/// in JSON Lines the keys of the first object do.
pub fn read_table(bytes: &[u8], format: Format, file: &str, header: bool) -> Result<Table> {
    let text = line_text(bytes, file)?;
    let table = match format {
        Format::Tsv => tsv(text, file, header),
        Format::Csv => csv_table(text, file, header),
        Format::Jsonl => jsonl(text, file),
    }?;
    if table.rows.is_empty() {
        return Err(Error::file(file, "the file has a header but no rows"));
    }
    Ok(table)
}

/// The text of a file: a byte order mark is left out, other encodings than UTF-8 and files without
/// anything in them are errors.
pub(super) fn line_text<'a>(bytes: &'a [u8], file: &str) -> Result<&'a str> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        Error::line(
            file,
            line_at(bytes, at),
            format!("not UTF-8: byte 0x{:02x}", bytes[at]),
        )
    })?;
    if text.trim().is_empty() {
        return Err(Error::file(file, "the file is empty"));
    }
    Ok(text)
}

/// The lines of a text that are not blank, each with its number, counted from 1.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text.split('\n').enumerate();
    numbered
        .map(|(index, line)| (index + 1, line))
        .filter(|(_, line)| !line.trim().is_empty())
}

/// The line, counted from 1, that the byte at `offset` lies on.
fn line_at(bytes: &[u8], offset: usize) -> usize {
    1 + bytes[..offset]
        .iter()
        .filter(|&&byte| byte == b'\n')
        .count()
}

/// Puts records together; the first one is the header if there is to be one, and sets the width.
struct Builder {
    table: Table,
    width: Option<usize>,
    header: bool,
}

impl Builder {
    fn new(file: &str, header: bool) -> Self {
        let table = Table {
            file: file.into(),
            header: vec![],
            rows: vec![],
            lines: vec![],
        };
        Self {
            table,
            width: None,
            header,
        }
    }

    fn push(&mut self, line: usize, fields: Vec<String>) -> Result<()> {
        let width = *self.width.get_or_insert(fields.len());
        if fields.len() != width {
            let count = fields.len();
            let plural = if count == 1 { "" } else { "s" };
            let source = if self.header {
                "the header"
            } else {
                "the first line"
            };
            return Err(Error::line(
                &self.table.file,
                line,
                format!("{count} field{plural}, but {source} has {width}"),
            ));
        }
        if self.header && self.table.header.is_empty() {
            self.table.header = fields.into_iter().map(|f| f.trim().to_string()).collect();
        } else {
            self.table.rows.push(fields);
            self.table.lines.push(line);
        }
        Ok(())
    }
}

fn tsv(text: &str, file: &str, header: bool) -> Result<Table> {
    let mut builder = Builder::new(file, header);
    // Line ends at the end of the file are no rows; a blank line between rows is one, and ragged.
    for (index, line) in text.trim_end_matches(['\n', '\r']).split('\n').enumerate() {
        let line = line.strip_suffix('\r').unwrap_or(line);
        builder.push(index + 1, line.split('\t').map(str::to_string).collect())?;
    }
    Ok(builder.table)
}

fn csv_table(text: &str, file: &str, header: bool) -> Result<Table> {
    let mut builder = Builder::new(file, header);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true) // raggedness is reported here, with the line
        .from_reader(text.as_bytes());
    let mut record = csv::StringRecord::new();
    loop {
        let mut start = reader.position().byte() as usize;
        match reader.read_record(&mut record) {
            Ok(false) => return Ok(builder.table),
            Ok(true) => {
                // The reader's position lies before the blank lines that it skips.
                start += text[start..].len() - text[start..].trim_start_matches(['\n', '\r']).len();
                let line = line_at(text.as_bytes(), start);
                builder.push(line, record.iter().map(str::to_string).collect())?;
            }
            Err(error) => {
                return Err(Error::line(
                    file,
                    line_at(text.as_bytes(), start),
                    error.to_string(),
                ));
            }
        }
    }
}

fn jsonl(text: &str, file: &str) -> Result<Table> {
    let mut table = Table {
        file: file.into(),
        header: vec![],
        rows: vec![],
        lines: vec![],
    };
    for (number, line) in lines(text) {
        let object = object(line, file, number)?;
        if table.rows.is_empty() {
            table.header = object.keys().cloned().collect();
        }
        let mut row = Vec::with_capacity(table.header.len());
        for key in &table.header {
            match object.get(key) {
                Some(Value::String(text)) => row.push(text.clone()),
                Some(Value::Null) => row.push(String::new()),
                Some(other) => row.push(other.to_string()),
                None => {
                    let message = format!("no key `{key}`, which the first object has");
                    return Err(Error::line(file, number, message));
                }
            }
        }
        table.rows.push(row);
        table.lines.push(number);
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(text: &[u8], format: Format) -> String {
        read_table(text, format, "f", true).unwrap_err().to_string()
    }

    #[test]
    fn tsv_knows_no_quotes_and_strips_the_mark_and_carriage_returns() {
        let bytes = b"\xef\xbb\xbfa\tb\r\n\"x\ty\"\r\n\t2\n\n";
        let table = read_table(bytes, Format::Tsv, "f", true).unwrap();
        assert_eq!(table.header, ["a", "b"]);
        assert_eq!(table.rows, [["\"x", "y\""], ["", "2"]]);
        assert_eq!(table.lines, [2, 3]);
        assert_eq!(table.column("b").unwrap(), 1);
        let missing = table.column("c").unwrap_err().to_string();
        assert_eq!(missing, "f: no column `c`; the file has `a`, `b`");
        let bare = read_table(b"1\t2\n3\t4", Format::Tsv, "f", false).unwrap();
        assert_eq!((bare.header.len(), bare.rows.len()), (0, 2));
    }

    #[test]
    fn csv_has_quotes_and_lines_count_those_inside_fields_and_blank_ones() {
        let text = b"a,b\n\"x, \"\"y\"\"\nz\",1\n\n2,3\n";
        let table = read_table(text, Format::Csv, "f", true).unwrap();
        assert_eq!(table.rows, [["x, \"y\"\nz", "1"], ["2", "3"]]);
        assert_eq!(table.lines, [2, 5]);
        assert_eq!(
            failure(b"a,b\n\"x\ny\",1\n\n2\n", Format::Csv),
            "f:5: 1 field, but the header has 2"
        );
    }

    #[test]
    fn jsonl_takes_any_value_as_text() {
        let text = b"{\"t\": \"a\\tb\", \"n\": 1, \"y\": true, \"z\": null}\n\n\
            {\"n\": 2.5, \"t\": \"\", \"y\": false, \"z\": [1], \"more\": 0}\n";
        let table = read_table(text, Format::Jsonl, "f", true).unwrap();
        assert_eq!(table.lines, [1, 3]);
        let at = |row: usize, name: &str| table.rows[row][table.column(name).unwrap()].as_str();
        assert_eq!(
            [at(0, "t"), at(0, "n"), at(0, "y"), at(0, "z")],
            ["a\tb", "1", "true", ""]
        );
        assert_eq!([at(1, "t"), at(1, "n"), at(1, "z")], ["", "2.5", "[1]"]);
        assert_eq!(
            failure(b"{\"a\":1}\n[1]\n", Format::Jsonl),
            "f:2: not a JSON object but a list"
        );
        assert!(failure(b"{\"a\":1}\n{\"a\":\n", Format::Jsonl).starts_with("f:2: not a JSON obj"));
        assert!(failure(b"{\"a\":1}\n{}\n", Format::Jsonl).starts_with("f:2: no key `a`"));
    }

    #[test]
    fn bad_files_are_errors_with_their_line() {
        assert_eq!(
            failure(b"a\tb\n1\t2\n3\n", Format::Tsv),
            "f:3: 1 field, but the header has 2"
        );
        assert_eq!(
            failure(b"a\tb\n\n3\t4\n", Format::Tsv),
            "f:2: 1 field, but the header has 2"
        );
        assert_eq!(
            failure(b"a\tb\n1\t2\nx\xff\t3\n", Format::Tsv),
            "f:3: not UTF-8: byte 0xff"
        );
        for format in [Format::Tsv, Format::Csv, Format::Jsonl] {
            assert_eq!(failure(b"", format), "f: the file is empty");
            assert_eq!(
                failure(b"\xef\xbb\xbf\n \n", format),
                "f: the file is empty"
            );
        }
        assert_eq!(
            failure(b"a\tb\n", Format::Tsv),
            "f: the file has a header but no rows"
        );
    }

    #[test]
    fn the_name_says_the_format() {
        assert_eq!(Format::from_name("dir.csv/A.TSV.gz"), Ok(Format::Tsv));
        assert_eq!(Format::from_name("a.csv"), Ok(Format::Csv));
        assert_eq!(Format::from_name("a.jsonl"), Ok(Format::Jsonl));
        assert!(Format::from_name("a.parquet").is_err());
    }
}
