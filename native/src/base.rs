//! The base model: bundled, a folder in the Hugging Face layout, an id on the Hub, or sizes alone.

use crate::failure::usage;
use crate::files;
use crate::hub::{Hub, Snapshot, is_id};
use anyhow::{Context, Result};
use compacter_core::data::Tokenizer;
use compacter_core::t5::{Loader, Storage, T5, T5Config};
use compacter_core::tensor_file::{self, header_bytes, is_torch};
use compacter_core::{Device, Error};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The forms of weights that are read, the one to take first: the file, or an index of several.
pub(crate) const WEIGHTS: [&str; 2] = ["model.safetensors", "pytorch_model.bin"];

/// The name of the bundled model.
pub(crate) const BUNDLED: &str = "bundled";

/// The sizes, in a folder in the Hugging Face layout.
pub(crate) const CONFIG: &str = "config.json";
/// Text to ids, there.
pub(crate) const TOKENIZER: &str = "tokenizer.json";

/// Where a base comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Base {
    /// The small T5 inside the program.
    Bundled,
    /// A folder with config.json, tokenizer.json and model.safetensors or pytorch_model.bin; also one
    /// of the Hub's cache.
    Dir(PathBuf),
}

/// The bundled base (none named) or that of a folder, loaded tensor by tensor; for a window of
/// one's own around the trainer.
pub fn open_base(
    model: Option<&str>,
    storage: Storage,
    device: &Device,
) -> Result<(T5, Tokenizer)> {
    let base = Base::new(model)?;
    let tokenizer = base.tokenizer()?;
    let model = base.model(base.config()?, storage, device)?;
    Ok((model, tokenizer))
}

/// The files of a model on the Hub, fetched if need be; none if `model` is none of its: a path that
/// exists goes first.
pub(crate) fn snapshot(model: Option<&str>, revision: Option<&str>) -> Result<Option<Snapshot>> {
    if let Some(id) = model.filter(|name| is_id(name) && !Path::new(name).exists()) {
        return Hub::from_env()?.model(id, revision).map(Some);
    }
    match revision {
        Some(revision) => Err(usage(format!(
            "--revision {revision} goes with the id of a model on the Hub, as in --model \
             google-t5/t5-base"
        ))),
        None => Ok(None),
    }
}

impl Base {
    /// From `--model`.
    pub(crate) fn new(model: Option<&str>) -> Result<Self> {
        Self::at(model, None)
    }

    /// From `--model` and `--revision`; fetches what the cache lacks of a model on the Hub.
    pub(crate) fn at(model: Option<&str>, revision: Option<&str>) -> Result<Self> {
        if let Some(snapshot) = snapshot(model, revision)? {
            return Ok(Self::Dir(snapshot.folder));
        }
        let Some(name) = model.filter(|name| *name != BUNDLED) else {
            return Ok(Self::Bundled);
        };
        let path = PathBuf::from(name);
        if path.is_dir() {
            return Ok(Self::Dir(path));
        }
        if T5Config::preset(name).is_some() {
            return Err(usage(format!(
                "--model {name}: the program holds no weights of {name}; give the folder that has \
                 its config.json, tokenizer.json and model.safetensors, or fetch it by --model \
                 google-t5/{name}"
            )));
        }
        let message = "no such folder: --model takes a folder, an id on the Hub such as \
                       google-t5/t5-base, or `bundled`";
        Err(Error::file(name, message).into())
    }

    /// One of its small files, `config.json` or `tokenizer.json`, and its name for errors.
    pub(crate) fn part(&self, name: &str) -> Result<(Vec<u8>, String)> {
        match self {
            Self::Bundled => {
                let bytes = match name {
                    CONFIG => compacter_assets::CONFIG,
                    _ => compacter_assets::TOKENIZER,
                };
                Ok((bytes.to_vec(), format!("bundled {name}")))
            }
            Self::Dir(dir) => {
                let path = dir.join(name);
                Ok((files::read(&path)?, path.display().to_string()))
            }
        }
    }

    /// Sizes.
    pub(crate) fn config(&self) -> Result<T5Config> {
        let (bytes, name) = self.part(CONFIG)?;
        Ok(T5Config::from_json(&bytes, &name)?)
    }

    /// Text to ids.
    pub(crate) fn tokenizer(&self) -> Result<Tokenizer> {
        let (bytes, name) = self.part(TOKENIZER)?;
        Ok(Tokenizer::from_bytes(&bytes, &name)?)
    }

    /// Weights on a device, kept as `storage`.
    pub(crate) fn model(&self, config: T5Config, storage: Storage, device: &Device) -> Result<T5> {
        let loader = Loader::new(config, storage, device);
        match self {
            Self::Bundled => {
                let name = "bundled model.safetensors".to_string();
                Ok(loader.load(&[(name, compacter_assets::WEIGHTS)])?)
            }
            Self::Dir(dir) => stream(loader, &weight_files(dir)?),
        }
    }
}

/// Loads tensor by tensor, so that no whole file is ever in memory.
fn stream(mut loader: Loader, paths: &[PathBuf]) -> Result<T5> {
    let mut files = BTreeMap::new();
    for path in paths {
        let name = path.display().to_string();
        let failed = |e: std::io::Error| Error::file(&name, e.to_string());
        let mut file = File::open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let mut header = Vec::new();
        read(&mut file, 0..length.min(8), &mut header).map_err(failed)?;
        if is_torch(&header) {
            file.rewind().map_err(failed)?;
            loader.torch(&name, BufReader::new(&file))?;
        } else {
            let end = header_bytes(&name, &header)? as u64;
            read(&mut file, 0..length.min(end), &mut header).map_err(failed)?;
            loader.header(&name, &header, Some(length))?;
        }
        files.insert(name, file);
    }
    let mut bytes = Vec::new();
    for slot in loader.slots()? {
        let file = files.get_mut(&slot.file).context("a slot names its file")?;
        let failed = |e: std::io::Error| Error::file(&slot.file, e.to_string());
        read(file, slot.start..slot.end, &mut bytes).map_err(failed)?;
        loader.take(&slot.name, &bytes)?;
    }
    Ok(loader.finish()?)
}

/// A range of a file's bytes in place of what `bytes` held.
fn read(file: &mut File, range: Range<u64>, bytes: &mut Vec<u8>) -> std::io::Result<()> {
    bytes.clear();
    file.seek(SeekFrom::Start(range.start))?;
    file.take(range.end - range.start).read_to_end(bytes)?;
    Ok(())
}

/// `model.safetensors`, or the files that `model.safetensors.index.json` names; else the same of
/// `pytorch_model.bin`.
pub(crate) fn weight_files(dir: &Path) -> Result<Vec<PathBuf>> {
    for name in WEIGHTS {
        let (single, index) = (dir.join(name), dir.join(format!("{name}.index.json")));
        if single.is_file() {
            return Ok(vec![single]);
        }
        if index.is_file() {
            return Ok(shards(&index)?
                .into_iter()
                .map(|name| dir.join(name))
                .collect());
        }
    }
    // Its absence is reported by whoever opens it.
    Ok(vec![dir.join(WEIGHTS[0])])
}

/// The files that an index names.
pub(crate) fn shards(index: &Path) -> Result<BTreeSet<String>> {
    let name = index.display().to_string();
    Ok(tensor_file::shards(&files::read(index)?, &name)?)
}

/// The sizes that `params` and `bench` go by: a published size, `bundled`, a folder, or the id of a
/// model on the Hub, of which nothing but config.json is fetched.
pub(crate) fn sizes(name: &str) -> Result<T5Config> {
    if let Some(config) = T5Config::preset(name) {
        return Ok(config);
    }
    if name == BUNDLED || Path::new(name).is_dir() {
        return Base::new(Some(name))?.config();
    }
    if is_id(name) && !Path::new(name).exists() {
        return Base::Dir(Hub::from_env()?.config(name, None)?.folder).config();
    }
    Err(usage(format!(
        "unknown size `{name}`: it is t5-small, t5-base, t5-large, bundled, a folder with a \
         config.json or the id of a model on the Hub"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_without_weights() {
        assert_eq!(sizes("t5-base").unwrap().d_model, 768);
        assert!(sizes("t5-huge").is_err());
        assert!(
            Base::new(Some("t5-base"))
                .unwrap_err()
                .to_string()
                .contains("no weights")
        );
        let revision = Base::at(Some(BUNDLED), Some("main")).unwrap_err();
        assert!(revision.to_string().contains("the id of a model"));
    }
}
