//! Parquet files for tests, written by the crate that reads them.

use parquet::data_type::{BoolType, ByteArray, ByteArrayType, FloatType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use std::sync::Arc;

/// A column's values, one a row.
pub(crate) enum Column {
    Text(Vec<String>),
    Long(Vec<i64>),
    Float(Vec<f32>),
    Bool(Vec<bool>),
    List(Vec<Vec<String>>),
    /// A struct of numbers, each member with its name.
    Struct(Vec<(&'static str, Vec<i64>)>),
}

impl Column {
    pub(crate) fn text(values: &[&str]) -> Self {
        Self::Text(values.iter().map(|value| value.to_string()).collect())
    }

    pub(crate) fn list(values: &[&[&str]]) -> Self {
        let owned = |row: &&[&str]| row.iter().map(|value| value.to_string()).collect();
        Self::List(values.iter().map(owned).collect())
    }

    /// As the hub's files have it: everything optional, lists in three levels.
    fn schema(&self, name: &str) -> String {
        match self {
            Self::Text(_) => format!("optional binary {name} (UTF8);"),
            Self::Long(_) => format!("optional int64 {name};"),
            Self::Float(_) => format!("optional float {name};"),
            Self::Bool(_) => format!("optional boolean {name};"),
            Self::List(_) => format!(
                "optional group {name} (LIST) {{ repeated group list {{ optional binary element \
                 (UTF8); }} }}"
            ),
            Self::Struct(members) => {
                let member = |(name, _): &(&str, Vec<i64>)| format!("optional int64 {name};");
                let members: String = members.iter().map(member).collect();
                format!("optional group {name} {{ {members} }}")
            }
        }
    }

    /// The leaf columns: values, definition and repetition levels.
    fn leaves(&self) -> Vec<(Leaf, Vec<i16>, Option<Vec<i16>>)> {
        let bytes = |texts: &mut dyn Iterator<Item = &String>| {
            Leaf::Text(
                texts
                    .map(|text| ByteArray::from(text.as_bytes().to_vec()))
                    .collect(),
            )
        };
        match self {
            Self::Text(texts) => vec![(bytes(&mut texts.iter()), vec![1; texts.len()], None)],
            Self::Long(values) => vec![(Leaf::Long(values.clone()), vec![1; values.len()], None)],
            Self::Float(values) => vec![(Leaf::Float(values.clone()), vec![1; values.len()], None)],
            Self::Bool(values) => vec![(Leaf::Bool(values.clone()), vec![1; values.len()], None)],
            Self::List(lists) => {
                let (mut definition, mut repetition) = (vec![], vec![]);
                for list in lists {
                    // An empty list is defined up to the list and no further.
                    definition.extend(if list.is_empty() {
                        vec![1]
                    } else {
                        vec![3; list.len()]
                    });
                    repetition.push(0);
                    repetition.extend(list.iter().skip(1).map(|_| 1));
                }
                let texts = bytes(&mut lists.iter().flatten());
                vec![(texts, definition, Some(repetition))]
            }
            Self::Struct(members) => {
                let leaf = |(_, values): &(&str, Vec<i64>)| {
                    (Leaf::Long(values.clone()), vec![2; values.len()], None)
                };
                members.iter().map(leaf).collect()
            }
        }
    }
}

enum Leaf {
    Text(Vec<ByteArray>),
    Long(Vec<i64>),
    Float(Vec<f32>),
    Bool(Vec<bool>),
}

/// A file of one row group with these columns, compressed as the hub's are.
pub(crate) fn write(columns: &[(&str, Column)]) -> Vec<u8> {
    let fields: String = columns
        .iter()
        .map(|(name, column)| column.schema(name))
        .collect();
    let schema = Arc::new(parse_message_type(&format!("message schema {{ {fields} }}")).unwrap());
    let properties = WriterProperties::builder()
        .set_compression(parquet::basic::Compression::SNAPPY)
        .build();
    let mut file = vec![];
    let mut writer = SerializedFileWriter::new(&mut file, schema, Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for (leaf, definition, repetition) in columns.iter().flat_map(|(_, column)| column.leaves()) {
        let mut column = group.next_column().unwrap().unwrap();
        let (definition, repetition) = (Some(&definition[..]), repetition.as_deref());
        match leaf {
            Leaf::Text(values) => column
                .typed::<ByteArrayType>()
                .write_batch(&values, definition, repetition),
            Leaf::Long(values) => column
                .typed::<Int64Type>()
                .write_batch(&values, definition, repetition),
            Leaf::Float(values) => column
                .typed::<FloatType>()
                .write_batch(&values, definition, repetition),
            Leaf::Bool(values) => column
                .typed::<BoolType>()
                .write_batch(&values, definition, repetition),
        }
        .unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
    file
}
