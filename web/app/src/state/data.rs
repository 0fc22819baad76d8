//! Rows to learn from: bundled, pasted, or out of a file whose columns a person names.

use compacter_core::data::{Format, Table, read_table};
use compacter_core::task::{self, Columns, Task};
use compacter_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// Seed of the splits, the same for every run, so that runs compare.
const DATA_SEED: u64 = 42;
/// More bytes are not a table to edit in a page.
const LARGEST_FILE: usize = 64 << 20;

/// Rows to learn from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Data {
    /// Name of the task, which begins every source text.
    pub name: String,
    /// Text and label.
    pub rows: Vec<[String; 2]>,
    /// Training rows to use of those that the split leaves.
    pub samples: usize,
}

/// A file whose columns are still to be chosen; the guess is the first choice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Import {
    /// The file's name.
    pub file: String,
    /// Column names.
    pub header: Vec<String>,
    /// Rows, all as wide as the header.
    pub rows: Vec<Vec<String>>,
    /// The column with the text.
    pub text: usize,
    /// The column with the label.
    pub label: usize,
}

/// A bundled data set as a table.
pub(super) fn bundled(name: &str) -> Result<Table> {
    let bytes = compacter_assets::data(name)
        .ok_or_else(|| Error::Setting(format!("no bundled data set is called `{name}`")))?;
    read_table(bytes, Format::Tsv, &format!("{name}.tsv"), true)
}

impl Data {
    /// A bundled data set, all of it.
    pub(super) fn bundled(name: &str) -> Result<Self> {
        let rows = bundled(name)?.rows.into_iter();
        let rows = rows.filter_map(|row| row.try_into().ok()).collect();
        Ok(Self::new(name, rows))
    }

    fn new(name: &str, rows: Vec<[String; 2]>) -> Self {
        let mut data = Self {
            name: name.into(),
            rows,
            samples: 0,
        };
        data.samples = data.largest_samples();
        data
    }

    /// Training rows that the split leaves.
    pub fn largest_samples(&self) -> usize {
        let rows = self.rows.len();
        let left = rows - rows / 4;
        left - left / 10
    }

    /// The labels with their numbers of rows, in order.
    pub fn balance(&self) -> Vec<(&str, usize)> {
        let mut counts: Vec<(&str, usize)> = Vec::new();
        for [_, label] in &self.rows {
            match counts.binary_search_by(|(name, _)| (*name).cmp(label)) {
                Ok(at) => counts[at].1 += 1,
                Err(at) => counts.insert(at, (label, 1)),
            }
        }
        counts
    }

    /// The rows as a task, split, with as many training rows as are wanted.
    pub(super) fn task(&self) -> Result<Task> {
        let table = Table {
            file: self.name.clone(),
            header: vec!["text".into(), "label".into()],
            rows: self.rows.iter().map(|row| row.to_vec()).collect(),
            lines: (2..self.rows.len() + 2).collect(),
        };
        let columns = Columns {
            text: "text".into(),
            label: Some("label".into()),
            ..Columns::default()
        };
        let mut task = task::own(&self.name, &table, &columns, None, None, DATA_SEED)?;
        let samples = self.samples.max(1);
        task::draw(&mut task.train, samples, DATA_SEED, "train-samples");
        Ok(task)
    }
}

impl Import {
    /// Reads a file and guesses its columns.
    pub fn read(file: &str, bytes: &[u8]) -> Result<Self> {
        if bytes.len() > LARGEST_FILE {
            let (size, most) = (bytes.len() >> 20, LARGEST_FILE >> 20);
            let message =
                format!("is {size} MB; the page takes {most} MB, the command line any size");
            return Err(Error::file(file, message));
        }
        let table = read_table(bytes, Format::from_name(file)?, file, true)?;
        if table.header.len() < 2 {
            let message = "has one column: a text and its label are needed, each in its own";
            return Err(Error::file(file, message));
        }
        let (text, label) = guess(&table);
        Ok(Self {
            file: file.into(),
            header: table.header,
            rows: table.rows,
            text,
            label,
        })
    }

    /// Pasted text: tab-separated, comma-separated or JSON lines, whichever its first line looks like.
    pub fn paste(text: &str) -> Result<Self> {
        let first = text.trim_start().lines().next().unwrap_or_default();
        let file = match first {
            line if line.starts_with('{') => "pasted.jsonl",
            line if line.contains('\t') => "pasted.tsv",
            _ => "pasted.csv",
        };
        Self::read(file, text.as_bytes())
    }

    /// The chosen columns as rows to learn from.
    pub(super) fn data(&self) -> Result<Data> {
        if self.text == self.label {
            let name = &self.header[self.text];
            let message = format!("`{name}` is chosen as text and as label: choose two columns");
            return Err(Error::file(&self.file, message));
        }
        let row = |row: &Vec<String>| [row[self.text].clone(), row[self.label].trim().to_string()];
        let stem = self.file.rsplit(['/', '\\']).next().unwrap_or_default();
        let stem = stem.split('.').next().filter(|stem| !stem.is_empty());
        Ok(Data::new(
            stem.unwrap_or("mine"),
            self.rows.iter().map(row).collect(),
        ))
    }
}

/// The text is the column with the longest cells, the label the one with the fewest different ones.
fn guess(table: &Table) -> (usize, usize) {
    let columns = 0..table.header.len();
    let length = |&at: &usize| table.rows.iter().map(|row| row[at].len()).sum::<usize>();
    let text = columns.clone().max_by_key(length).unwrap_or(0);
    let kinds = |&at: &usize| {
        let cells = table.rows.iter().map(|row| row[at].trim());
        let kinds = cells
            .clone()
            .collect::<std::collections::BTreeSet<_>>()
            .len();
        // A column with one value teaches nothing; of two alike, words tell more than numbers.
        let numbers = cells.clone().all(|cell| cell.parse::<f64>().is_ok());
        let named = table.header[at].to_lowercase();
        let called = ["label", "class", "target"]
            .iter()
            .any(|name| named.contains(name));
        (kinds < 2, !called, kinds, numbers)
    };
    let label = columns.filter(|&at| at != text).min_by_key(kinds);
    (text, label.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CSV: &str = "id,when,verdict,review\n\
        1,2020,good,\"A fine, fine film\"\n2,2020,bad,A dull film indeed\n\
        3,2020,good,Better than the book was\n4,2020,bad,Worse than the book was\n";

    #[test]
    fn columns_are_guessed_and_can_be_changed() {
        let mut import = Import::read("my films.csv", CSV.as_bytes()).unwrap();
        assert_eq!((import.text, import.label), (3, 2));
        let data = import.data().unwrap();
        assert_eq!((data.name.as_str(), data.rows.len()), ("my films", 4));
        assert_eq!(data.rows[0], ["A fine, fine film", "good"]);
        assert_eq!(data.balance(), [("bad", 2), ("good", 2)]);
        import.label = 3;
        let error = import.data().unwrap_err().to_string();
        assert!(error.contains("`review`"), "{error}");
    }

    #[test]
    fn pasted_text_is_taken_for_what_it_looks_like() {
        assert_eq!(Import::paste(CSV).unwrap().label, 2);
        let tabs = Import::paste("text\tlabel\nso good\ta\nso bad\tb\n").unwrap();
        assert_eq!((tabs.text, tabs.label), (0, 1));
        let json = Import::paste("{\"t\":\"so good\",\"l\":\"a\"}\n{\"t\":\"so bad\",\"l\":\"b\"}");
        assert_eq!(json.unwrap().rows.len(), 2);
        assert!(Import::paste("just a sentence").is_err());
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said() {
        let error = |bytes: &[u8], name| Import::read(name, bytes).unwrap_err().to_string();
        assert!(error(b"a,b\n1\n", "ragged.csv").contains("ragged.csv:2"));
        assert!(error(b"a\n1\n", "narrow.tsv").contains("one column"));
        assert!(error(b"\xff\xfe", "bytes.tsv").contains("UTF-8"));
        assert!(error(b"a,b\n1,2\n", "table.xlsx").contains(".csv"));
    }
}
