//! A safetensors file read one tensor after the other, so that none of it is held twice.

use super::header::{LENGTH, read_header, take};
use super::{Floats, not_whole};
use crate::{Error, Result};
use safetensors::tensor::Metadata;
use std::collections::HashMap;
use std::io::Read;

/// Name, sizes and values of a tensor.
type Named = (String, Vec<usize>, Vec<f32>);

/// The tensors of a safetensors file as they come, in the order of their bytes.
pub(crate) struct Stream<'a, R> {
    reader: R,
    file: &'a str,
    header: Metadata,
    /// Last first.
    names: Vec<String>,
}

impl<'a, R: Read> Stream<'a, R> {
    /// Reads the header; `file` is for errors.
    pub(crate) fn open(mut reader: R, file: &'a str) -> Result<Self> {
        let first = take(&mut reader, LENGTH, file)?;
        let header = read_header(&mut reader, &first, file)?;
        let mut names = header.offset_keys();
        names.reverse();
        Ok(Self {
            reader,
            file,
            header,
            names,
        })
    }

    /// Texts beside the tensors.
    pub(crate) fn metadata(&self) -> Option<&HashMap<String, String>> {
        self.header.metadata().as_ref()
    }

    /// The next tensor; an error where the file ends too early or late.
    pub(crate) fn next(&mut self) -> Result<Option<Named>> {
        let Some(name) = self.names.pop() else {
            let more = take(&mut self.reader, 1, self.file)?;
            let end = more.is_empty().then_some(None);
            return end.ok_or_else(|| not_whole(self.file, "more bytes than its tensors have"));
        };
        let info = self.header.info(&name);
        let info = info.ok_or_else(|| Error::tensor(self.file, &name, "missing"))?;
        let floats = Floats::new(info.dtype, &name, self.file)?;
        let length = info.data_offsets.1 - info.data_offsets.0;
        let bytes = take(&mut self.reader, length, self.file)?;
        if bytes.len() < length {
            return Err(not_whole(self.file, format!("`{name}` is cut off")));
        }
        let values = floats.values(&bytes).collect();
        Ok(Some((name, info.shape.clone(), values)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_file::read_safetensors;

    fn all(bytes: &[u8]) -> Result<Vec<Named>> {
        let mut stream = Stream::open(bytes, "m")?;
        let mut tensors = Vec::new();
        while let Some(tensor) = stream.next()? {
            tensors.push(tensor);
        }
        Ok(tensors)
    }

    #[test]
    fn it_reads_what_the_whole_file_holds() {
        let bytes = compacter_assets::WEIGHTS;
        let mut whole = read_safetensors(bytes, "m").unwrap();
        for (name, shape, values) in all(bytes).unwrap() {
            assert_eq!(whole.remove(&name), Some((shape, values)), "{name}");
        }
        assert!(whole.is_empty());
    }

    #[test]
    fn a_file_of_another_length_is_an_error() {
        let bytes = compacter_assets::WEIGHTS;
        for cut in [0, 7, 8, 100, bytes.len() - 1] {
            let error = all(&bytes[..cut]).unwrap_err().to_string();
            assert!(
                error.starts_with("m: not a whole safetensors file"),
                "{error}"
            );
        }
        let error = all(&[bytes, &[0]].concat()).unwrap_err().to_string();
        assert!(error.contains("more bytes"), "{error}");
    }
}
