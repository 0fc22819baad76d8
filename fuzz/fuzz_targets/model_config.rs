//! `config.json` of a T5, and what follows from its sizes: tensors, methods, a plan.
#![no_main]

use compacter_core::method::{Method, NAMES, Overrides};
use compacter_core::t5::{Pass, Plan, Storage, T5Config, products};
use compacter_fuzz::bounded;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| bounded(|| {
    let Ok(config) = T5Config::from_json(data, "file") else {
        return;
    };
    let _ = config.parameters();
    let name = NAMES[data.len() % NAMES.len()];
    if let Ok(method) = Method::resolve(name, &config, &Overrides::default()) {
        let _ = method.percent(&config);
        let pass = Pass {
            rows: 8,
            source: 128,
            target: 16,
            dropout: true,
            activation_checkpointing: data.len() % 2 == 0,
        };
        let _ = Plan::new(&config, &method, Storage::F32, pass).total();
        let _ = products(&config, &method, pass);
    }
}));
