//! An adapter file: its header, what follows from it, and its way into a link and back.
#![no_main]

use compacter_core::artifact::{Header, adapterhub, from_text, mergeable, to_text};
use compacter_fuzz::bounded;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| bounded(|| {
    if let Ok(header) = Header::read(data, "file") {
        let _ = header.method.trainable(&header.base);
        let _ = header.method.percent(&header.base);
        let _ = mergeable(&header.method, &header.base);
        let _ = adapterhub::export(data, "file", "name");
        if let Ok(text) = to_text(data) {
            let back = from_text(&text).map(|bytes| Header::read(&bytes, "link"));
            assert_eq!(back, Ok(Ok(header)));
        }
    }
}));
