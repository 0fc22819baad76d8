//! SHA-256, for the file beside a checkpoint that `sha256sum -c` understands.

use sha2::{Digest, Sha256};
use std::io::{self, Read};

/// The digest of what is left to read, as hexadecimal text.
pub(crate) fn sha256(mut reader: impl Read) -> io::Result<String> {
    let mut sum = Sha256::new();
    io::copy(&mut reader, &mut sum)?;
    Ok(text(sum))
}

/// The same, of bytes that came in parts.
pub(crate) fn text(sum: Sha256) -> String {
    let digest = sum.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_examples() {
        let sum = |bytes: &[u8]| sha256(bytes).unwrap();
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sum(b""), empty);
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sum(b"abc"), abc);
        let million = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
        assert_eq!(sum(&vec![b'a'; 1_000_000]), million);
    }
}
