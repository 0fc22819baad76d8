//! Tables of one's own: the first byte chooses TSV, CSV or JSON Lines, and whether a header is read.
#![no_main]

use compacter_core::data::{Format, read_table};
use compacter_core::task::{Columns, own};
use compacter_fuzz::bounded;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| bounded(|| {
    let Some((first, bytes)) = data.split_first() else {
        return;
    };
    let format = [Format::Tsv, Format::Csv, Format::Jsonl][usize::from(first / 2 % 3)];
    if let Ok(table) = read_table(bytes, format, "file", first % 2 == 0) {
        assert_eq!(table.rows.len(), table.lines.len());
        assert!(
            table
                .rows
                .iter()
                .all(|row| row.len() == table.rows[0].len())
        );
        let columns = Columns {
            text: "text".into(),
            label: Some("label".into()),
            ..Columns::default()
        };
        let _ = own("task", &table, &columns, None, None, 1);
    }
}));
