//! Parquet, with the columns that data sets of text have. The reader's own panics are caught and told
//! as errors.
#![no_main]

use compacter_core::data::read_parquet;
use compacter_fuzz::{bounded, quiet};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    quiet(&["/parquet-", "/bytes-"]);
    bounded(|| {
        for columns in [&["text", "label"][..], &["names", "score", "flag"]] {
            let _ = read_parquet(data.to_vec(), "file", columns, &mut |_, _| Ok(()));
        }
    });
});
