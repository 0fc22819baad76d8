//! The form that `torch.save` had before version 1.6: pickles, then one storage after another, each
//! behind its count of numbers.

use super::broken;
use super::pickle::{self, Tensors};
use super::tensor::Storage;
use crate::Result;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

/// Bytes of the count in front of a storage.
const COUNT: u64 = 8;

/// An open file.
#[derive(Debug)]
pub(super) struct Old<R> {
    reader: RefCell<R>,
    file: String,
    /// Where each storage's numbers lie, by its name.
    storages: BTreeMap<String, Range<u64>>,
}

impl<R: Read + Seek> Old<R> {
    /// Reads the pickles and finds the storages in a file of so many bytes; `file` is for errors.
    pub(super) fn open(mut reader: R, length: u64, file: &str) -> Result<(Self, Tensors)> {
        let failed = |e: std::io::Error| broken(file, e);
        let mut text = Vec::new();
        reader.rewind().map_err(failed)?;
        let mut front = reader.by_ref().take(2 * pickle::LONGEST);
        front.read_to_end(&mut text).map_err(failed)?;
        let pickle::Old { tensors, keys, end } = pickle::old(&text, file)?;
        let known = tensors.iter().map(|(_, tensor)| &tensor.storage);
        let known: BTreeMap<&str, &Storage> = known
            .map(|storage| (storage.key.as_str(), storage))
            .collect();
        let mut storages = BTreeMap::new();
        let mut at = end;
        for key in keys {
            let wrong = |why: &str| broken(file, format!("storage `{key}` {why}"));
            let storage = known.get(key.as_str());
            let storage = storage.ok_or_else(|| wrong("is no tensor's"))?;
            let mut count = [0; COUNT as usize];
            reader.seek(SeekFrom::Start(at)).map_err(failed)?;
            reader.read_exact(&mut count).map_err(failed)?;
            if u64::from_le_bytes(count) != storage.elements {
                return Err(wrong("has another length than its tensors say"));
            }
            let start = at + COUNT;
            let end = storage.bytes().and_then(|bytes| start.checked_add(bytes));
            let end = end.filter(|end| *end <= length);
            at = end.ok_or_else(|| wrong("is cut off"))?;
            storages.insert(key, start..at);
        }
        let file = file.to_string();
        let reader = RefCell::new(reader);
        let old = Self {
            reader,
            file,
            storages,
        };
        Ok((old, tensors))
    }

    /// The bytes of a storage's numbers in the file; an error says why there are none.
    pub(super) fn data_range(&self, key: &str) -> std::result::Result<Range<u64>, String> {
        let range = self.storages.get(key).cloned();
        range.ok_or_else(|| format!("the file has no storage `{key}`"))
    }

    /// The numbers of a storage.
    pub(super) fn bytes(&self, key: &str) -> Result<Vec<u8>> {
        let failed = |why: String| broken(&self.file, why);
        let range = self.data_range(key).map_err(failed)?;
        let mut reader = self.reader.borrow_mut();
        let mut bytes = Vec::new();
        let read = reader.seek(SeekFrom::Start(range.start)).and_then(|_| {
            let mut part = reader.by_ref().take(range.end - range.start);
            part.read_to_end(&mut bytes)
        });
        read.map_err(|e| failed(e.to_string()))?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Archive;
    use crate::tensor_file::{HostTensors, is_torch, list};
    use std::io::Cursor;

    /// Made by tests/fixtures/torch/make.py: two tensors of one storage, of three types.
    const OLD: &[u8] = include_bytes!("../../../../tests/fixtures/torch/old.bin");
    /// The same as torch saves it today.
    const NEW: &[u8] = include_bytes!("../../../../tests/fixtures/torch/new.bin");

    fn read(bytes: &[u8]) -> crate::Result<HostTensors> {
        Archive::open(Cursor::new(bytes), "x.bin")?.read()
    }

    #[test]
    fn the_old_form_reads_as_the_new_one() {
        assert!(is_torch(OLD));
        let tensors = read(OLD).unwrap();
        assert_eq!(tensors, read(NEW).unwrap());
        assert_eq!(
            tensors["c.view"].1,
            [0.625, 0.75, 0.875, 1.125, 1.25, 1.375]
        );
        assert_eq!(list(Cursor::new(OLD), "x.bin").unwrap().tensors.len(), 5);
    }

    #[test]
    fn a_tensor_can_be_read_alone() {
        let archive = Archive::open(Cursor::new(OLD), "x.bin").unwrap();
        let error = archive.stored().unwrap_err().to_string();
        assert!(
            error.contains("`c.view`") && error.contains("row order"),
            "{error}"
        );
        let last = OLD.len() as u64;
        let range = archive.data_range("94874839934080").unwrap();
        assert_eq!(range, last - 8..last);
    }

    #[test]
    fn a_cut_or_changed_file_is_an_error_or_another_tensor_but_no_panic() {
        for end in 0..OLD.len() {
            assert!(read(&OLD[..end]).is_err(), "{end}");
        }
        for at in 0..OLD.len() {
            for bit in 0..8 {
                let mut changed = OLD.to_vec();
                changed[at] ^= 1 << bit;
                let _ = read(&changed);
            }
        }
    }
}
