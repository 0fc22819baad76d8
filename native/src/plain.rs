//! A folder with a plain Hugging Face T5, written whole or not at all.

use crate::base::{Base, CONFIG, TOKENIZER};
use crate::failure::usage;
use anyhow::{Context, Result};
use compacter_core::artifact::write_base;
use compacter_core::block_on;
use compacter_core::t5::{T5, Weights};
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

const WEIGHTS: &str = "model.safetensors";

/// Makes a folder for output that holds nothing yet.
pub(crate) fn new_folder(flag: &str, path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).with_context(|| format!("{}", path.display()))?;
    let mut entries = std::fs::read_dir(path).with_context(|| format!("{}", path.display()))?;
    match entries.next() {
        Some(_) => Err(usage(format!(
            "{flag} {}: the folder is not empty; name another",
            path.display()
        ))),
        None => Ok(()),
    }
}

/// Writes the base's `config.json` and `tokenizer.json`, and all its weights in f32 with trained
/// ones in place of its own.
pub(crate) fn write(base: &Base, model: &T5, weights: &Weights, folder: &Path) -> Result<()> {
    for name in [CONFIG, TOKENIZER] {
        let path = folder.join(name);
        let (bytes, _) = base.part(name)?;
        std::fs::write(&path, bytes).with_context(|| format!("{}", path.display()))?;
    }
    // A model that is cut off must not look like one.
    let (path, temporary) = (folder.join(WEIGHTS), folder.join(format!("{WEIGHTS}.tmp")));
    let name = path.display().to_string();
    let file = File::create(&temporary).with_context(|| name.clone())?;
    let mut to = BufWriter::new(file);
    block_on(write_base(model, weights, &name, &mut to))?;
    to.get_ref().sync_all().with_context(|| name.clone())?;
    std::fs::rename(&temporary, &path).context(name)
}
