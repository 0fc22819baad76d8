//! One of our adapter files as the library's folder.

use super::config::File;
use super::names::theirs;
use crate::artifact::{Header, write};
use crate::method::BaseTrains;
use crate::tensor_file::read_safetensors;
use crate::{Error, Result};
use std::collections::HashMap;

/// The files of a folder that the library loads with `use_safetensors=True`.
#[derive(Debug)]
pub struct Exported {
    /// `adapter_config.json`.
    pub config: Vec<u8>,
    /// `adapter.safetensors`, the shared rule among its tensors.
    pub weights: Vec<u8>,
    /// Names of the trained tensors of the base, for which the library's files have no room: the
    /// base must hold them (see [`write_base`](crate::artifact::write_base)).
    pub of_the_base: Vec<String>,
}

/// Turns the bytes of our adapter file into the library's; `name` is what it will be called there.
///
/// Names of tensors begin as in a `T5ForConditionalGeneration`, which a `T5AdapterModel` loads too.
pub fn export(adapter: &[u8], file: &str, name: &str) -> Result<Exported> {
    if name.is_empty() || name.contains('.') {
        let message = format!("an adapter cannot be called `{name}`: give it a name without dots");
        return Err(Error::Setting(message));
    }
    let header = Header::read(adapter, file)?;
    let (method, base) = (&header.method, &header.base);
    let Some(described) = File::describe(method, base, name) else {
        return Err(Error::file(
            file,
            format!(
                "the AdapterHub library has no form for the method `{}` as it is set here: it has \
                 bottleneck adapters, dense or with one shared rule, after all self-attentions, all \
                 feed-forward blocks, or both",
                method.name
            ),
        ));
    };
    if method.base == BaseTrains::All {
        return Err(Error::file(
            file,
            "trains the whole base, which is no adapter there",
        ));
    }
    let mut found = read_safetensors(adapter, file)?;
    let layer = method.adapters.as_ref().map(|adapters| adapters.layer);
    let mut tensors = Vec::new();
    for part in method.added(base).into_iter().flat_map(|group| group.parts) {
        let Some((layer, (shape, values))) = layer.zip(found.remove(&part.name)) else {
            let message = format!("missing, expected {:?}", part.shape);
            return Err(Error::tensor(file, part.name, message));
        };
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        tensors.push((theirs(&part.name, name, layer), shape, bytes));
    }
    let config =
        serde_json::to_vec_pretty(&described).map_err(|e| Error::Setting(e.to_string()))?;
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    Ok(Exported {
        config,
        weights: write(&tensors, metadata)?,
        of_the_base: found.into_keys().collect(),
    })
}
