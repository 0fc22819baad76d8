//! Tensor files: the header alone, and all of a small one.
#![no_main]

use compacter_fuzz::bounded;
use libfuzzer_sys::fuzz_target;
use std::io::Cursor;

fuzz_target!(|data: &[u8]| bounded(|| {
    let listed = compacter_core::tensor_file::list(Cursor::new(data), "file");
    if let Ok(tensors) = compacter_core::tensor_file::read(data, "file") {
        // What can be read can be listed, with the same shapes.
        let listed = listed.map(|listing| listing.tensors).unwrap_or_default();
        assert_eq!(listed.len(), tensors.len());
        assert!(
            listed
                .iter()
                .all(|entry| tensors[&entry.name].0 == entry.shape)
        );
    }
}));
