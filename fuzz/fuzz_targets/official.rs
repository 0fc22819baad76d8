//! The files of GLUE and SuperGLUE: the first byte chooses the task, all its files are the rest.
#![no_main]

use compacter_core::Result;
use compacter_core::task::{Files, OFFICIAL, Recipe, official};
use compacter_fuzz::bounded;
use libfuzzer_sys::fuzz_target;

struct All<'a>(&'a [u8]);

impl Files for All<'_> {
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        // Parquet has a target of its own.
        let here = !name.ends_with(".parquet");
        Ok(here.then(|| self.0.to_vec()))
    }
}

fuzz_target!(|data: &[u8]| bounded(|| {
    let Some((first, bytes)) = data.split_first() else {
        return;
    };
    let recipe = Recipe {
        seed: 1,
        prefix: first & 0x80 != 0,
        exact: first & 0x40 != 0,
    };
    let name = OFFICIAL[usize::from(first & 0x3f) % OFFICIAL.len()];
    let _ = official(name, &All(bytes), &recipe);
}));
