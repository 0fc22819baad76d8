//! A checkpoint tensor by tensor: what its files hold is known and checked from their headers
//! alone, and no more than one tensor is ever in memory beside the device.

use super::model::{Weight, two_dims};
use super::{Storage, T5, T5Config};
use crate::engine::float_values;
use crate::tensor_file::{
    Archive, Floats, LENGTH, Stored, header_bytes, is_torch, not_whole, parse_header,
};
use crate::{Error, Result};
use burn::tensor::{Device, Int, Tensor, TensorData};
use safetensors::Dtype;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{Cursor, Read, Seek};
use std::ops::Range;

/// The embedding table.
const TABLE: &str = "shared.weight";
/// Carried by published files, used by nothing (Hugging Face lists it as unexpected).
const IGNORED: &str = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight";
/// Copies of the table that published files carry.
const COPIES: [&str; 3] = [
    "encoder.embed_tokens.weight",
    "decoder.embed_tokens.weight",
    "lm_head.weight",
];

/// Where a tensor lies: bytes `start..end` of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The file, as the caller named it.
    pub file: String,
    /// The tensor's name in the file.
    pub name: String,
    /// Its first byte, counted from the file's.
    pub start: u64,
    /// The byte after its last.
    pub end: u64,
}

#[derive(Debug)]
struct Found {
    slot: Slot,
    floats: Floats,
    shape: Vec<usize>,
}

/// Loads a base tensor by tensor: [`Self::header`] (or [`Self::torch`]) for each file, then
/// [`Self::take`] for each of [`Self::slots`], then [`Self::finish`].
///
/// Missing, extra and mis-shaped tensors are errors before any weight has been read, except what
/// published files are known to carry.
#[derive(Debug)]
pub struct Loader {
    config: T5Config,
    storage: Storage,
    device: Device,
    expected: BTreeMap<String, Vec<usize>>,
    files: Vec<String>,
    found: BTreeMap<String, Found>,
    tensors: BTreeMap<String, Weight>,
    /// SHA-256 of the values of each tensor: what the base is told by, and what the table is
    /// compared with its copies by, without keeping any.
    sums: BTreeMap<String, [u8; 32]>,
}

impl Loader {
    /// A loader that keeps frozen matrices as `storage` on `device`.
    pub fn new(config: T5Config, storage: Storage, device: &Device) -> Self {
        Self {
            expected: config.tensors().into_iter().collect(),
            config,
            storage,
            device: device.clone(),
            files: Vec::new(),
            found: BTreeMap::new(),
            tensors: BTreeMap::new(),
            sums: BTreeMap::new(),
        }
    }

    /// Takes note of a file by its first bytes, at least all of its header. `length` is the whole
    /// file's where that is known; where it is not, a file cut off shows when its last tensor is
    /// taken.
    pub fn header(&mut self, file: &str, prefix: &[u8], length: Option<u64>) -> Result<()> {
        let start = header_bytes(file, prefix)?;
        let Some(text) = prefix.get(LENGTH..start) else {
            let why = format!("a header of {start} bytes, here are {}", prefix.len());
            return Err(not_whole(file, why));
        };
        let header = parse_header(file, text)?;
        let whole = start as u64 + header.data_len() as u64;
        if let Some(length) = length.filter(|length| *length != whole) {
            return Err(not_whole(file, format!("{length} bytes, expected {whole}")));
        }
        for name in header.offset_keys() {
            let Some(info) = header.info(&name) else {
                continue;
            };
            let (from, to) = info.data_offsets;
            let bytes = (start + from) as u64..(start + to) as u64;
            self.note(file, &name, info.dtype, &info.shape, bytes)?;
        }
        self.files.push(file.into());
        Ok(())
    }

    /// Takes note of a file of `torch.save` (`pytorch_model.bin`) by its directory and its state
    /// dict, of which nothing is executed; no tensor is read.
    pub fn torch(&mut self, file: &str, reader: impl Read + Seek) -> Result<()> {
        for stored in Archive::open(reader, file)?.stored()? {
            let Stored {
                name,
                dtype,
                shape,
                bytes,
            } = stored;
            self.note(file, &name, dtype, &shape, bytes)?;
        }
        self.files.push(file.into());
        Ok(())
    }

    /// Takes note of one tensor, if it belongs into this T5.
    fn note(
        &mut self,
        file: &str,
        name: &str,
        dtype: Dtype,
        shape: &[usize],
        bytes: Range<u64>,
    ) -> Result<()> {
        let floats = Floats::new(dtype, name, file)?;
        self.check(file, name, shape)?;
        let slot = Slot {
            file: file.into(),
            name: name.into(),
            start: bytes.start,
            end: bytes.end,
        };
        let found = Found {
            slot,
            floats,
            shape: shape.into(),
        };
        match self.found.insert(name.into(), found) {
            Some(_) => Err(Error::tensor(file, name, "is in more than one file")),
            None => Ok(()),
        }
    }

    /// Whether a tensor belongs into this T5.
    fn check(&self, file: &str, name: &str, shape: &[usize]) -> Result<()> {
        let copy = COPIES.contains(&name).then_some(TABLE);
        let expected = self.expected.get(name);
        match expected.or_else(|| self.expected.get(copy?)) {
            Some(expected) if expected != shape => {
                let message = format!("is {shape:?}, expected {expected:?} by config.json");
                Err(Error::tensor(file, name, message))
            }
            None if name != IGNORED => {
                let message = "is no tensor of the T5 in config.json";
                Err(Error::tensor(file, name, message))
            }
            _ => Ok(()),
        }
    }

    /// The base's name of a tensor in a file; `None` for what is no part of the base. Files that
    /// carry only a copy of the table name it by the copy.
    fn own_name<'a>(&self, name: &'a str) -> Option<&'a str> {
        if name == COPIES[0] && !self.found.contains_key(TABLE) {
            return Some(TABLE);
        }
        self.expected.contains_key(name).then_some(name)
    }

    /// Every tensor that must be taken, file by file in the order of its bytes, once the headers
    /// of all files have been seen; an error names what they lack.
    pub fn slots(&self) -> Result<Vec<Slot>> {
        let named_so: Vec<_> = self.found.keys().filter_map(|n| self.own_name(n)).collect();
        for (name, shape) in self.config.tensors() {
            if !named_so.contains(&name.as_str()) {
                let message = format!("missing, expected {shape:?}");
                return Err(Error::tensor(self.files.join(", "), name, message));
            }
        }
        let mut slots: Vec<Slot> = self
            .found
            .values()
            .filter(|found| found.slot.name != IGNORED)
            .map(|found| found.slot.clone())
            .collect();
        slots.sort_by(|a, b| (&a.file, a.start).cmp(&(&b.file, b.start)));
        Ok(slots)
    }

    /// Takes a tensor's bytes to the device; nothing of them is kept here.
    pub fn take(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let Some(found) = self.found.get(name) else {
            let files = self.files.join(", ");
            return Err(Error::tensor(files, name, "is in no header"));
        };
        let (slot, floats) = (&found.slot, found.floats);
        let expected = slot.end - slot.start;
        if bytes.len() as u64 != expected {
            let message = format!("{} bytes, expected {expected}", bytes.len());
            return Err(Error::tensor(&slot.file, name, message));
        }
        let own = self.own_name(name);
        if own.is_some() || self.copies().next().is_some() {
            self.sums.insert(name.into(), sum(floats, bytes));
        }
        let Some(own) = own else {
            return Ok(());
        };
        let packing = self.storage.packing(own, &found.shape);
        let shape = two_dims(&found.shape);
        let weight = Weight::new(floats.values(bytes), shape, packing, &self.device);
        let refused = |value| self.storage.refuses(value, &slot.file, name);
        let weight = weight.map_err(refused)?;
        self.tensors.insert(own.into(), weight);
        Ok(())
    }

    /// Copies of the table beside the table itself.
    fn copies(&self) -> impl Iterator<Item = &Found> {
        let copy = |found: &&Found| {
            let name = found.slot.name.as_str();
            COPIES.contains(&name) && self.own_name(name).is_none()
        };
        self.found.values().filter(copy)
    }

    /// Waits until the device has all that was taken. A program waits by itself; a browser does
    /// not, and holds what it has not passed on: call this every few dozen megabytes there.
    pub async fn settle(&self) -> Result<()> {
        let Some(weight) = self.tensors.values().next_back() else {
            return Ok(());
        };
        let first = Tensor::<1, Int>::from_data(TensorData::new(vec![0i32], [1]), &self.device);
        float_values(weight.select(first)).await.map(drop)
    }

    /// SHA-256 over the names and the sums of the base's tensors, in hexadecimal.
    fn hash(&self) -> String {
        let mut hash = Sha256::new();
        let own = self.sums.iter().filter_map(|(name, sum)| {
            let own = self.own_name(name)?;
            Some((own, sum))
        });
        let sums: BTreeMap<&str, &[u8; 32]> = own.collect();
        for (name, sum) in sums {
            hash.update(name);
            hash.update(sum);
        }
        let hash = hash.finalize();
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The base, when every tensor has been taken.
    pub fn finish(self) -> Result<T5> {
        for slot in self.slots()? {
            let name = slot.name.as_str();
            let taken = match self.own_name(name) {
                Some(own) => self.tensors.contains_key(own),
                None => self.sums.contains_key(name),
            };
            if !taken {
                return Err(Error::tensor(slot.file, slot.name, "was not read"));
            }
        }
        let table = self
            .sums
            .iter()
            .find(|(name, _)| self.own_name(name) == Some(TABLE));
        for copy in self.copies() {
            if table.map(|(_, sum)| sum) != self.sums.get(&copy.slot.name) {
                let message = "differs from shared.weight, which it should equal";
                return Err(Error::tensor(&copy.slot.file, &copy.slot.name, message));
            }
        }
        let hash = self.hash();
        let mut model = T5::new(self.config, self.storage, self.tensors, &self.device);
        model.hash = Some(hash);
        Ok(model)
    }

    /// All at once, from the bytes of whole files.
    pub fn load(mut self, files: &[(String, impl AsRef<[u8]>)]) -> Result<T5> {
        for (file, bytes) in files {
            let bytes = bytes.as_ref();
            match is_torch(bytes) {
                true => self.torch(file, Cursor::new(bytes))?,
                false => self.header(file, bytes, Some(bytes.len() as u64))?,
            }
        }
        for slot in self.slots()? {
            let file = files.iter().find(|(file, _)| *file == slot.file);
            let range = slot.start as usize..slot.end as usize;
            let bytes = file.and_then(|(_, bytes)| bytes.as_ref().get(range));
            self.take(&slot.name, bytes.unwrap_or_default())?;
        }
        self.finish()
    }
}

/// SHA-256 of a tensor's values as f32, whatever they are stored as.
fn sum(floats: Floats, bytes: &[u8]) -> [u8; 32] {
    if floats == Floats::F32 {
        return Sha256::digest(bytes).into();
    }
    let mut hash = Sha256::new();
    floats
        .values(bytes)
        .for_each(|value| hash.update(value.to_le_bytes()));
    hash.finalize().into()
}
