//! Holds what the pages of a Parquet file claim to the length of the file: the reader allocates by
//! their word.

use super::headers::PAGE;
use super::thrift::{I32_FIELD, is_struct, varint};
use bytes::Bytes;
use parquet::basic::Encoding;
use parquet::bloom_filter::Sbbf;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, FileReader, Length, RowGroupReader};
use parquet::record::reader::RowIter;
use parquet::schema::types::Type;
use std::io::Read;

/// What a page of a file of any length may unpack to, and how many times the file's length beside.
const SMALL_PAGE: u64 = 1 << 20;
const MOST_PACKED: u64 = 64;
/// Values of lists that a column of a row group may have in a file of any length, and beside it for
/// each of its bytes: all of them could be in one row.
const SMALL_LISTS: u64 = 1 << 16;
const MOST_A_BYTE: u64 = 8;
/// Bytes that a dictionary has at least for each of its values.
const DICTIONARY_VALUE: usize = 4;

/// Levels of a page's header, of which a data page's statistics are the third.
const MOST_NESTED: u8 = 8;

fn wrong(message: impl Into<String>) -> ParquetError {
    ParquetError::General(message.into())
}

/// The bytes of a file whose footer begins at `end`.
pub(super) struct Checked {
    pub(super) bytes: Bytes,
    pub(super) end: usize,
}

impl Length for Checked {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }
}

/// Bytes whose end is an error to whoever reads on: the reader passes over what is not there, as often
/// as a list says.
pub(super) struct Strict(<Bytes as ChunkReader>::T);

impl Read for Strict {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        match self.0.read(into)? {
            0 if !into.is_empty() => Err(std::io::ErrorKind::UnexpectedEof.into()),
            count => Ok(count),
        }
    }
}

impl ChunkReader for Checked {
    type T = Strict;

    /// Before the footer this is where a page's header begins.
    fn get_read(&self, start: u64) -> Result<Self::T> {
        let data = self.bytes.get(..self.end).unwrap_or_default();
        if let Some(header) = usize::try_from(start).ok().and_then(|at| data.get(at..)) {
            let most = SMALL_PAGE.saturating_add(self.len().saturating_mul(MOST_PACKED));
            let size = page_size(header).ok_or_else(|| wrong("a page has no size"))?;
            if size > most {
                let message = format!("a page of {size} bytes: at most {most} are unpacked");
                return Err(wrong(message));
            }
            if !is_struct(header, PAGE, MOST_NESTED) {
                return Err(wrong(
                    "a page's header is not whole, or not one of Parquet's",
                ));
            }
        }
        self.bytes.get_read(start).map(Strict)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        self.bytes.get_bytes(start, length)
    }
}

/// The unpacked length that a page's header gives second, behind its kind, as every writer has it.
fn page_size(header: &[u8]) -> Option<u64> {
    let mut bytes = header.iter().copied();
    let mut number = || {
        (bytes.next()? == I32_FIELD).then_some(())?;
        varint(&mut bytes)
    };
    number()?;
    let size = number()?;
    // Zigzag: odd numbers are below 0.
    (size % 2 == 0).then_some(size / 2)
}

/// A reader whose pages are looked at.
pub(super) struct Guarded<R>(pub(super) R, pub(super) u64);

impl<R: FileReader> FileReader for Guarded<R> {
    fn metadata(&self) -> &ParquetMetaData {
        self.0.metadata()
    }

    fn num_row_groups(&self) -> usize {
        self.0.num_row_groups()
    }

    fn get_row_group(&self, i: usize) -> Result<Box<dyn RowGroupReader + '_>> {
        Ok(Box::new(Group(self.0.get_row_group(i)?, self.1)))
    }

    fn get_row_iter(&self, projection: Option<Type>) -> Result<RowIter<'_>> {
        RowIter::from_file(projection, self)
    }
}

struct Group<'a>(Box<dyn RowGroupReader + 'a>, u64);

impl RowGroupReader for Group<'_> {
    fn metadata(&self) -> &RowGroupMetaData {
        self.0.metadata()
    }

    fn num_columns(&self) -> usize {
        self.0.num_columns()
    }

    fn get_column_page_reader(&self, i: usize) -> Result<Box<dyn PageReader>> {
        let column = self.metadata().schema_descr().column(i);
        let most = SMALL_LISTS.saturating_add(self.1.saturating_mul(MOST_A_BYTE));
        Ok(Box::new(Pages {
            inner: self.0.get_column_page_reader(i)?,
            left: match column.max_rep_level() {
                0 => u64::MAX,
                _ => most,
            },
        }))
    }

    fn get_column_bloom_filter(&self, i: usize) -> Option<&Sbbf> {
        self.0.get_column_bloom_filter(i)
    }

    fn get_row_iter(&self, projection: Option<Type>) -> Result<RowIter<'_>> {
        RowIter::from_row_group(projection, self)
    }
}

struct Pages {
    inner: Box<dyn PageReader>,
    /// Values that the column may still have.
    left: u64,
}

impl Pages {
    fn check(&mut self, page: &Page) -> Result<()> {
        let values = page.num_values();
        if let Page::DictionaryPage { buf, .. } = page {
            return match values as usize > buf.len() / DICTIONARY_VALUE {
                true => Err(wrong(format!("{values} values in {} bytes", buf.len()))),
                false => Ok(()),
            };
        }
        // The reader allocates by a number within the page's data.
        let encoding = page.encoding();
        if let Encoding::DELTA_LENGTH_BYTE_ARRAY | Encoding::DELTA_BYTE_ARRAY = encoding {
            return Err(wrong(format!(
                "texts are encoded as {encoding}: write them plain or with a dictionary"
            )));
        }
        let left = self.left.checked_sub(u64::from(values));
        self.left = left.ok_or_else(|| wrong("more values in lists than the file has room for"))?;
        Ok(())
    }
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.inner.get_next_page()?;
        if let Some(page) = &page {
            self.check(page)?;
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.inner.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.inner.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.inner.at_record_boundary()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::parquet::testing::{Column, write};

    fn read(bytes: Vec<u8>) -> String {
        let read = crate::data::read_parquet(bytes, "t.parquet", &["text"], &mut |_, _| Ok(()));
        read.err().map(|e| e.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_dictionary_has_room_for_its_values() {
        let mut bytes = write(&[("text", Column::text(&["a", "b", "a"]))]);
        assert_eq!(read(bytes.clone()), "");
        // The number of values in the first page's header, 2 as zigzag: the fuzzer found 1 << 30.
        let place = bytes.windows(3).position(|w| w == [0x4c, 0x15, 4]).unwrap() + 2;
        bytes[place] = 0x7e;
        assert!(read(bytes).contains("63 values in 10 bytes"));
    }

    #[test]
    fn a_page_unpacks_to_no_more_than_a_file_of_its_length_has() {
        let header = |size: &[u8]| {
            let bytes = Bytes::from([&[0x15, 0, 0x15], size, &[0x15, 2, 0]].concat());
            let end = bytes.len();
            Checked { bytes, end }
                .get_read(0)
                .err()
                .map(|e| e.to_string())
        };
        assert_eq!(header(&[0x80, 0x01]), None);
        let huge = header(&[0xfe, 0xff, 0xff, 0xff, 0x0f]).unwrap();
        assert!(huge.contains("a page of 2147483647 bytes"), "{huge}");
        assert!(header(&[0x01]).unwrap().contains("no size"));
    }

    #[test]
    fn a_page_ends_with_its_file() {
        let bytes = Bytes::from_static(b"PAR1");
        let end = 0; // all of it is the footer
        let mut read = Checked { bytes, end }.get_read(3).unwrap();
        let mut byte = [0];
        assert_eq!(read.read(&mut byte).unwrap(), 1);
        assert!(read.read(&mut byte).is_err());
    }

    #[test]
    fn a_list_of_endless_nothing_is_refused() {
        let mut pages = Pages {
            inner: Box::new(Empty),
            left: SMALL_LISTS,
        };
        let mut page = |encoding, num_values| {
            let none = Bytes::new();
            pages.check(&Page::DataPage {
                buf: none,
                num_values,
                encoding,
                def_level_encoding: Encoding::RLE,
                rep_level_encoding: Encoding::RLE,
                statistics: None,
            })
        };
        assert!(page(Encoding::PLAIN, SMALL_LISTS as u32).is_ok());
        assert!(page(Encoding::PLAIN, 1).is_err());
        assert!(page(Encoding::DELTA_BYTE_ARRAY, 0).is_err());
    }

    struct Empty;

    impl Iterator for Empty {
        type Item = Result<Page>;

        fn next(&mut self) -> Option<Self::Item> {
            None
        }
    }

    impl PageReader for Empty {
        fn get_next_page(&mut self) -> Result<Option<Page>> {
            Ok(None)
        }

        fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
            Ok(None)
        }

        fn skip_next_page(&mut self) -> Result<()> {
            Ok(())
        }
    }
}
