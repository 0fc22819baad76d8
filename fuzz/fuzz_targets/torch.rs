//! A file of `torch.save` as it lies on a disk: the zip archive, the pickle, the numbers.
#![no_main]

use compacter_core::tensor_file::{Archive, list, read};
use compacter_fuzz::bounded;
use libfuzzer_sys::fuzz_target;
use std::io::Cursor;

fuzz_target!(|data: &[u8]| bounded(|| {
    let _ = list(Cursor::new(data), "file");
    let _ = read(data, "file");
    if let Ok(archive) = Archive::open(Cursor::new(data), "file")
        && let Ok(stored) = archive.stored()
    {
        let inside = |at: u64| at <= data.len() as u64;
        assert!(
            stored
                .iter()
                .all(|one| one.bytes.start <= one.bytes.end && inside(one.bytes.end))
        );
    }
}));
