//! The zip archive of `torch.save`: its entries, whole and checked, or where they lie in the file.

use super::{big_endian, broken};
use crate::{Error, Result};
use flate2::read::DeflateDecoder;
use rawzip::{
    CompressionMethod, RECOMMENDED_BUFFER_SIZE, ReaderAt, ZipArchive, ZipArchiveEntryWayfinder,
    ZipLocator,
};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

/// More entries than the tensors of any T5.
const MOST_ENTRIES: usize = 1 << 16;

/// A reader that is asked for bytes at a place.
#[derive(Debug)]
struct Shared<R>(RefCell<R>);

impl<R: Read + Seek> ReaderAt for Shared<R> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
        let mut reader = self.0.borrow_mut();
        reader.seek(SeekFrom::Start(offset))?;
        reader.read(buffer)
    }
}

/// One entry of the archive.
#[derive(Debug, Clone, Copy)]
struct Entry {
    place: ZipArchiveEntryWayfinder,
    method: CompressionMethod,
    encrypted: bool,
}

/// An open archive.
#[derive(Debug)]
pub(super) struct Zipped<R> {
    zip: ZipArchive<Shared<R>>,
    file: String,
    /// By name, below the archive's one folder.
    entries: BTreeMap<String, Entry>,
}

impl<R: Read + Seek> Zipped<R> {
    /// Reads the directory of an archive of so many bytes; `file` is for errors.
    pub(super) fn open(reader: R, length: u64, file: &str) -> Result<Self> {
        let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
        let shared = Shared(RefCell::new(reader));
        let zip = ZipLocator::new().locate_in_reader(shared, &mut buffer, length);
        let zip = zip.map_err(|(_, e)| broken(file, e))?;
        let archive = Self {
            entries: entries(&zip, &mut buffer, file)?,
            zip,
            file: file.into(),
        };
        archive.check_byte_order()?;
        Ok(archive)
    }

    fn check_byte_order(&self) -> Result<()> {
        let name = "byteorder";
        if self.entries.contains_key(name) && self.entry(name, 16)? != b"little" {
            return Err(big_endian(&self.file));
        }
        Ok(())
    }

    /// A whole entry, of at most so many bytes, checked against its checksum.
    pub(super) fn entry(&self, name: &str, most: u64) -> Result<Vec<u8>> {
        let wrong = |why: String| broken(&self.file, format!("`{name}`: {why}"));
        let entry = self.entries.get(name);
        let entry = entry.ok_or_else(|| wrong("is not in the archive".into()))?;
        let found = self.zip.get_entry(entry.place);
        let found = found.map_err(|e| wrong(e.to_string()))?;
        let raw = found.reader();
        let mut bytes = Vec::new();
        let read = match entry.method {
            CompressionMethod::STORE => {
                let checked = found.verifying_reader(raw);
                checked.take(most + 1).read_to_end(&mut bytes)
            }
            CompressionMethod::DEFLATE => {
                let checked = found.verifying_reader(DeflateDecoder::new(raw));
                checked.take(most + 1).read_to_end(&mut bytes)
            }
            other => return Err(wrong(format!("is packed as {other:?}, expected deflate"))),
        };
        read.map_err(|e| wrong(e.to_string()))?;
        if bytes.len() as u64 > most {
            return Err(wrong(format!("has more than {most} bytes")));
        }
        Ok(bytes)
    }

    /// The bytes of a storage's entry that is kept as it is; an error says why not.
    pub(super) fn data_range(&self, key: &str) -> std::result::Result<Range<u64>, String> {
        let name = format!("data/{key}");
        let entry = self.entries.get(&name);
        let entry = entry.ok_or_else(|| format!("the archive has no `{name}`"))?;
        if entry.method != CompressionMethod::STORE || entry.encrypted {
            return Err(format!(
                "`{name}` is compressed or encrypted, so that it cannot be read alone: save the \
                 model with torch.save or as safetensors"
            ));
        }
        let found = self.zip.get_entry(entry.place);
        let (start, end) = found
            .map_err(|e| format!("`{name}`: {e}"))?
            .compressed_data_range();
        match start <= end && end <= self.zip.directory_offset() {
            true => Ok(start..end),
            false => Err(format!("`{name}` ends behind the archive's data")),
        }
    }
}

/// The archive's directory, without the name of the one folder that all lies in.
fn entries<R: Read + Seek>(
    zip: &ZipArchive<Shared<R>>,
    buffer: &mut [u8],
    file: &str,
) -> Result<BTreeMap<String, Entry>> {
    let mut all = BTreeMap::new();
    let mut records = zip.entries(buffer);
    while let Some(record) = records.next_entry().map_err(|e| broken(file, e))? {
        let path = record.file_path();
        let name = String::from_utf8_lossy(path.as_ref()).into_owned();
        let entry = Entry {
            place: record.wayfinder(),
            method: record.compression_method(),
            encrypted: record.flags().is_encrypted(),
        };
        if all.insert(name.clone(), entry).is_some() {
            return Err(Error::file(file, format!("has two entries `{name}`")));
        }
        if all.len() > MOST_ENTRIES {
            let message = format!("has more than {MOST_ENTRIES} entries");
            return Err(Error::file(file, message));
        }
    }
    if all.len() as u64 != zip.entries_hint() {
        return Err(broken(file, "its directory is not whole"));
    }
    let mut roots = all.keys().filter_map(|name| name.strip_suffix("data.pkl"));
    let plain = |root: &&str| root.is_empty() || root.find('/') == Some(root.len() - 1);
    let root = match (roots.next().filter(plain), roots.next()) {
        (Some(root), None) => root.to_string(),
        (None, _) => {
            let message = "is no file of torch.save: the archive has no data.pkl";
            return Err(Error::file(file, message));
        }
        _ => return Err(Error::file(file, "has more than one data.pkl")),
    };
    let below = |(name, entry): (String, Entry)| Some((name.strip_prefix(&root)?.into(), entry));
    Ok(all.into_iter().filter_map(below).collect())
}
