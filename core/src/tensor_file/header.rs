//! The header of a safetensors file: its length, then a text that names every tensor.

use super::not_whole;
use crate::{Error, Result};
use safetensors::tensor::Metadata;
use std::io::Read;

/// Bytes before a header's text: its length.
pub(crate) const LENGTH: usize = 8;
/// The longest text that the format allows.
const LONGEST: u64 = 100_000_000;

/// How many bytes of a safetensors file are its header, by the first eight: what to fetch before
/// its tensors are known. `file` is for the error, as everywhere here.
pub fn header_bytes(file: &str, first: &[u8]) -> Result<usize> {
    let Some(first) = first.first_chunk::<LENGTH>() else {
        return Err(not_whole(file, format!("{} bytes", first.len())));
    };
    let text = u64::from_le_bytes(*first);
    if text > LONGEST {
        let why = format!("a header of {text} bytes, at most {LONGEST} are allowed");
        return Err(not_whole(file, why));
    }
    Ok(LENGTH + text as usize)
}

/// What a header's text says. Checks that the tensors follow each other without a gap, each as
/// long as its shape says.
pub(crate) fn parse_header(file: &str, text: &[u8]) -> Result<Metadata> {
    serde_json::from_slice(text).map_err(|e| not_whole(file, e))
}

/// Reads the header whose first [`LENGTH`] bytes have come.
pub(super) fn read_header(reader: impl Read, first: &[u8], file: &str) -> Result<Metadata> {
    let text = header_bytes(file, first)? - LENGTH;
    parse_header(file, &take(reader, text, file)?)
}

/// The next bytes, fewer at the end of the file: what a header claims is not allocated before it
/// has come.
pub(super) fn take(reader: impl Read, count: usize, file: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match reader.take(count as u64).read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(e) => Err(Error::file(file, e.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_beyond_the_formats_is_an_error() {
        let length = |text: u64| header_bytes("m", &text.to_le_bytes());
        assert_eq!(length(LONGEST).unwrap(), LENGTH + LONGEST as usize);
        let error = length(LONGEST + 1).unwrap_err().to_string();
        assert!(
            error.contains("100000001 bytes, at most 100000000"),
            "{error}"
        );
        let error = header_bytes("m", &[0; 7]).unwrap_err().to_string();
        assert!(error.contains("(7 bytes)"), "{error}");
    }
}
