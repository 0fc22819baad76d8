//! An adapter of the AdapterHub library: its configuration up to the first zero byte, then its
//! tensors, on a small base.
#![no_main]

use compacter_core::artifact::adapterhub::{Source, import};
use compacter_core::t5::T5Config;
use compacter_fuzz::bounded;
use libfuzzer_sys::fuzz_target;

const BASE: &[u8] = br#"{"vocab_size": 96, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2,
    "num_heads": 4}"#;

fuzz_target!(|data: &[u8]| bounded(|| {
    let (config, weights) = compacter_fuzz::two(data);
    let Ok(base) = T5Config::from_json(BASE, "base") else {
        return;
    };
    let source = Source {
        config: (config, "config"),
        weights: (weights, "weights"),
        rule: Some((weights, "rule")),
    };
    if let Ok(imported) = import(&source, &base) {
        let _ = imported.to_bytes();
    }
}));
