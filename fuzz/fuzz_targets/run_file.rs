//! The TOML file of a run.
#![no_main]

use compacter_core::run_file::read;
use compacter_fuzz::bounded;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| bounded(|| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let known = ["task", "method", "lr", "sites", "n"].map(String::from);
    if let Ok(options) = read(text, "file", &known, &|_, _| Ok(())) {
        assert!(options.keys().all(|key| known.contains(key)));
    }
}));
