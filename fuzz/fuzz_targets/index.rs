//! The index of weights in several files: what it names lies in its folder.
#![no_main]

use compacter_core::tensor_file::shards;
use compacter_fuzz::bounded;
use libfuzzer_sys::fuzz_target;
use std::path::{Component, Path};

fuzz_target!(|data: &[u8]| bounded(|| {
    for name in shards(data, "file").into_iter().flatten() {
        let plain = |part: Component<'_>| matches!(part, Component::Normal(_));
        assert!(Path::new(&name).components().all(plain), "{name:?}");
    }
}));
