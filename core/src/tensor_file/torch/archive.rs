//! The file around a pickled state dict: where each tensor's bytes lie in it.

use super::is_torch;
use super::old::Old;
use super::pickle::{self, OLD, Tensors};
use super::tensor::Storage;
use super::zip::Zipped;
use crate::tensor_file::{Floats, HostTensors};
use crate::{Error, Result};
use safetensors::Dtype;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

/// What [`Archive::read`] unpacks at most, in bytes; whole models go tensor by tensor.
const MOST_BYTES: u64 = 1 << 30;
/// What it unpacks of a file of any length, and how many times the file's length beside it: numbers
/// of an adapter hardly compress, those of a bomb do a thousandfold.
const SMALL_BYTES: u64 = 16 << 20;
const MOST_PACKED: u64 = 8;

/// A tensor that lies in the file as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Its name in the state dict.
    pub name: String,
    /// Its type.
    pub dtype: Dtype,
    /// Its sizes.
    pub shape: Vec<usize>,
    /// Its bytes in the file.
    pub bytes: Range<u64>,
}

/// The numbers of a file, in either form.
#[derive(Debug)]
enum Numbers<R> {
    Zipped(Zipped<R>),
    Old(Old<R>),
}

/// An open file of `torch.save`, its state dict read and no tensor yet.
#[derive(Debug)]
pub struct Archive<R> {
    numbers: Numbers<R>,
    file: String,
    /// The file's length.
    length: u64,
    tensors: Tensors,
}

impl<R: Read + Seek> Archive<R> {
    /// Reads the file's directory and its state dict; `file` is for errors.
    pub fn open(mut reader: R, file: &str) -> Result<Self> {
        let mut first = Vec::new();
        let failed = |e: std::io::Error| Error::file(file, e.to_string());
        let mut head = reader.by_ref().take(OLD.len() as u64);
        head.read_to_end(&mut first).map_err(failed)?;
        if !is_torch(&first) {
            let message = "is no file of torch.save: it is no zip archive";
            return Err(Error::file(file, message));
        }
        let length = reader.seek(SeekFrom::End(0)).map_err(failed)?;
        let (numbers, tensors) = if first == OLD {
            let (old, tensors) = Old::open(reader, length, file)?;
            (Numbers::Old(old), tensors)
        } else {
            let zipped = Zipped::open(reader, length, file)?;
            let text = zipped.entry("data.pkl", pickle::LONGEST)?;
            (Numbers::Zipped(zipped), pickle::state_dict(&text, file)?)
        };
        Ok(Self {
            numbers,
            file: file.into(),
            length,
            tensors,
        })
    }

    /// The bytes of a storage that is kept as it is; an error says why not.
    pub(super) fn data_range(&self, key: &str) -> std::result::Result<Range<u64>, String> {
        match &self.numbers {
            Numbers::Zipped(zipped) => zipped.data_range(key),
            Numbers::Old(old) => old.data_range(key),
        }
    }

    /// A storage's numbers, of at most so many bytes.
    fn bytes(&self, key: &str, most: u64) -> Result<Vec<u8>> {
        match &self.numbers {
            Numbers::Zipped(zipped) => zipped.entry(&format!("data/{key}"), most),
            Numbers::Old(old) => old.bytes(key),
        }
    }

    /// Names, types and shapes, in the state dict's order.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, Dtype, &[usize])> {
        let tensors = self.tensors.iter();
        tensors.map(|(name, tensor)| (name.as_str(), tensor.storage.dtype, &tensor.shape[..]))
    }

    /// Where each tensor lies in the file, so that it can be read alone; a tensor that is packed
    /// or not in row order is an error.
    pub fn stored(&self) -> Result<Vec<Stored>> {
        let mut all = Vec::with_capacity(self.tensors.len());
        for (name, tensor) in &self.tensors {
            let wrong = |message: String| Error::tensor(&self.file, name, message);
            if !tensor.is_contiguous() {
                let message = "its numbers are not in row order: save it with .contiguous()";
                return Err(wrong(message.into()));
            }
            let storage = &tensor.storage;
            let all_bytes = self.data_range(&storage.key).map_err(wrong)?;
            let have = all_bytes.end - all_bytes.start;
            if storage.bytes() != Some(have) {
                let numbers = storage.elements;
                return Err(wrong(format!(
                    "its {numbers} numbers have {have} bytes in the file"
                )));
            }
            // Inside the storage, as the tensor's making has checked.
            let from = all_bytes.start + tensor.offset * storage.width();
            let length = tensor.elements() as u64 * storage.width();
            all.push(Stored {
                name: name.clone(),
                dtype: storage.dtype,
                shape: tensor.shape.clone(),
                bytes: from..from + length,
            });
        }
        Ok(all)
    }

    /// Every tensor as f32, for small files: checks the archive's checksums, takes packed entries
    /// and any strides.
    pub fn read(&self) -> Result<HostTensors> {
        let packed = self.length.saturating_mul(MOST_PACKED);
        let most = packed.saturating_add(SMALL_BYTES).min(MOST_BYTES);
        let mut left = most;
        let mut found = HostTensors::new();
        // The storage that was unpacked last: of a flat one every tensor is a part.
        let mut last: Option<(&Storage, Vec<f32>)> = None;
        for (name, tensor) in &self.tensors {
            let storage = &tensor.storage;
            let floats = Floats::new(storage.dtype, name, &self.file)?;
            let beyond = || {
                let message = format!(
                    "is beyond {most} bytes unpacked, which is no adapter in a file of {}",
                    self.length
                );
                Error::tensor(&self.file, name, message)
            };
            let known = last.take().filter(|(known, _)| *known == storage);
            let numbers = match known {
                Some((_, numbers)) => numbers,
                None => {
                    let expected = storage.bytes().filter(|bytes| *bytes <= left);
                    let expected = expected.ok_or_else(beyond)?;
                    left -= expected;
                    let bytes = self.bytes(&storage.key, expected)?;
                    if bytes.len() as u64 != expected {
                        let (have, numbers) = (bytes.len(), storage.elements);
                        let message =
                            format!("its {numbers} numbers have {have} bytes in the file");
                        return Err(Error::tensor(&self.file, name, message));
                    }
                    floats.values(&bytes).collect()
                }
            };
            let own = tensor.elements() as u64 * storage.width();
            left = left.checked_sub(own).ok_or_else(beyond)?;
            let values = tensor.gather(&numbers);
            found.insert(name.clone(), (tensor.shape.clone(), values));
            last = Some((storage, numbers));
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rawzip::CompressionMethod;
    use std::io::Cursor;

    /// An adapter as the AdapterHub library pickles it.
    const FILE: &[u8] = include_bytes!(
        "../../../../tests/fixtures/reference/adapterhub/compacter++/adapter/pytorch_adapter.bin"
    );
    /// The same as safetensors.
    const SAME: &[u8] = include_bytes!(
        "../../../../tests/fixtures/reference/adapterhub/compacter++/adapter_safetensors/adapter.safetensors"
    );

    fn open(bytes: &[u8]) -> Result<Archive<Cursor<&[u8]>>> {
        Archive::open(Cursor::new(bytes), "x.bin")
    }

    fn error(bytes: &[u8]) -> String {
        open(bytes)
            .and_then(|a| a.read().map(drop))
            .unwrap_err()
            .to_string()
    }

    /// A state dict of one tensor `w`, 2 × 3, in an archive whose entries are packed as `method`.
    fn archive(method: CompressionMethod, elements: u8, entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut pickle = b"\x80\x02}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n(".to_vec();
        pickle.extend(b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK");
        pickle.extend([elements, b't', b'Q', b'K', 0]);
        pickle.extend(b"K\x02K\x03\x86K\x03K\x01\x86\x89ccollections\nOrderedDict\n)RtRs.");
        let values: Vec<u8> = (0..6).flat_map(|v| (v as f32).to_le_bytes()).collect();
        let own = [("a/data.pkl", &pickle[..]), ("a/data/0", &values[..])];
        packed(method, &[&own, entries].concat())
    }

    fn packed(method: CompressionMethod, entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut zip = rawzip::ZipArchiveWriter::new(&mut bytes);
        for (name, content) in entries {
            let builder = zip.new_file(name).compression_method(method);
            let (mut entry, config) = builder.start().unwrap();
            let descriptor = if method == CompressionMethod::DEFLATE {
                let level = flate2::Compression::best();
                let deflate = flate2::write::DeflateEncoder::new(&mut entry, level);
                let mut writer = config.wrap(deflate);
                std::io::Write::write_all(&mut writer, content).unwrap();
                let (deflate, descriptor) = writer.finish().unwrap();
                deflate.finish().unwrap();
                descriptor
            } else {
                let mut writer = config.wrap(&mut entry);
                std::io::Write::write_all(&mut writer, content).unwrap();
                writer.finish().unwrap().1
            };
            entry.finish(descriptor).unwrap();
        }
        zip.finish().unwrap();
        bytes
    }

    #[test]
    fn a_torch_file_reads_as_its_safetensors_twin() {
        let same = crate::tensor_file::read(SAME, "x.safetensors").unwrap();
        let archive = open(FILE).unwrap();
        assert_eq!(archive.read().unwrap(), same);
        let stored = archive.stored().unwrap();
        assert_eq!(stored.len(), same.len());
        for one in stored {
            let bytes = &FILE[one.bytes.start as usize..one.bytes.end as usize];
            let values: Vec<f32> = Floats::F32.values(bytes).collect();
            assert_eq!((one.shape, values), same[&one.name]);
        }
    }

    #[test]
    fn a_cut_or_changed_file_is_an_error_or_another_tensor_but_no_panic() {
        for end in (0..FILE.len()).step_by(17) {
            assert!(open(&FILE[..end]).is_err(), "{end}");
        }
        let mut stream = crate::random::Stream::new(5, "torch");
        for _ in 0..2000 {
            let mut changed = FILE.to_vec();
            let at = (stream.uniform() * changed.len() as f64) as usize;
            changed[at] ^= 1 << (stream.uniform() * 8.0) as u32;
            // A checksum finds what the directory does not.
            if let Ok(archive) = open(&changed) {
                let _ = archive.read();
                let _ = archive.stored();
            }
        }
    }

    #[test]
    fn packed_entries_are_read_whole_but_not_alone() {
        let packed = archive(CompressionMethod::DEFLATE, 6, &[]);
        let archive = open(&packed).unwrap();
        assert_eq!(
            archive.read().unwrap()["w"].1,
            [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
        );
        let error = archive.stored().unwrap_err().to_string();
        assert!(error.contains("compressed"), "{error}");
    }

    #[test]
    fn an_archive_keeps_its_word() {
        let plain = |elements, entries: &[(&str, &[u8])]| {
            archive(CompressionMethod::STORE, elements, entries)
        };
        assert!(open(&plain(6, &[("a/byteorder", b"little")])).is_ok());
        assert!(error(&plain(6, &[("a/byteorder", b"big")])).contains("big-endian"));
        assert!(error(&plain(6, &[("b/data.pkl", b"")])).contains("more than one data.pkl"));
        assert!(error(&plain(6, &[("a/data/0", b"")])).contains("two entries"));
        // 7 numbers said, 6 there.
        assert!(error(&plain(7, &[])).contains("7 numbers"));
        let wrong = open(&plain(7, &[]))
            .unwrap()
            .stored()
            .unwrap_err()
            .to_string();
        assert!(wrong.contains("7 numbers"), "{wrong}");
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        // 40 MiB of zeros where 24 bytes are said to be, and a pickle longer than any.
        let zeros = vec![0; 40 << 20];
        let bomb = archive(CompressionMethod::DEFLATE, 6, &[("a/byteorder", &zeros)]);
        assert!(bomb.len() < 1 << 20);
        assert!(error(&bomb).contains("more than 16 bytes"));
        // As many zeros as the pickle says, but a thousand times the file.
        let mut pickle = b"\x80\x02}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n(".to_vec();
        pickle.extend(b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x001X\x03\0\0\0cpu");
        pickle.extend(b"J\0\0\xa0\0tQK\0J\0\0\xa0\0\x85K\x01\x85\x89)tRs.");
        let entries = [("a/data.pkl", &pickle[..]), ("a/data/1", &zeros[..])];
        let bomb = packed(CompressionMethod::DEFLATE, &entries);
        let message = error(&bomb);
        assert!(message.contains("no adapter in a file of"), "{message}");
    }

    #[test]
    fn what_is_no_file_of_torch_is_said() {
        assert!(error(OLD).contains("cut off"));
        assert!(error(b"PK\x03\x04").contains("not a whole file"));
        assert!(error(b"hello").contains("no zip archive"));
    }
}
