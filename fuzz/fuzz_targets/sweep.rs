//! The TOML file of a sweep, and the runs that it means.
#![no_main]

use compacter_core::sweep::Sweep;
use compacter_core::t5::T5Config;
use compacter_fuzz::bounded;
use libfuzzer_sys::fuzz_target;

const KNOWN: [&str; 12] = [
    "task",
    "method",
    "seed",
    "lr",
    "n",
    "rank",
    "bottleneck",
    "sites",
    "drop-layers",
    "prompt",
    "dimension",
    "train-samples",
];

fuzz_target!(|data: &[u8]| bounded(|| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let known = KNOWN.map(String::from);
    let Ok(sweep) = Sweep::parse(text, "file", &known, &|_, _| Ok(())) else {
        return;
    };
    if let Some(config) = T5Config::preset("t5-small") {
        let _ = sweep.points(&config);
    }
}));
