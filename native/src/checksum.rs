//! SHA-256, for the file beside a checkpoint that `sha256sum -c` understands.

use sha2::{Digest, Sha256};

/// The digest as hexadecimal text.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    text(Sha256::new_with_prefix(bytes))
}

/// The same, of bytes that came in parts.
pub(crate) fn text(sum: Sha256) -> String {
    let digest = sum.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::sha256;

    #[test]
    fn standard_examples() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sha256(b""), empty);
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(b"abc"), abc);
        let million = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
        assert_eq!(sha256(&vec![b'a'; 1_000_000]), million);
    }
}
