//! `tokenizer.json` up to the first zero byte, then a text for it. The library's panics are caught
//! and told as errors.
#![no_main]

use compacter_core::data::Tokenizer;
use compacter_fuzz::{bounded, quiet, two};
use libfuzzer_sys::fuzz_target;

fn read(data: &[u8]) {
    let (file, text) = two(data);
    let Ok(tokenizer) = Tokenizer::from_bytes(file, "file") else {
        return;
    };
    let _ = tokenizer.vocab_size();
    for text in [
        "A small text, 2 lines\n\u{e9}\u{1f600}",
        &String::from_utf8_lossy(text),
    ] {
        if let Ok(ids) = tokenizer.encode(text, 64) {
            assert!(!ids.is_empty() && ids.len() <= 64);
            let _ = tokenizer.decode(&ids);
        }
    }
    let _ = tokenizer.decode(&[0, 1, 2, 3, u32::MAX]);
}

fuzz_target!(|data: &[u8]| {
    quiet(&["/fancy-regex-", "/tokenizers-"]);
    bounded(|| read(data));
});
