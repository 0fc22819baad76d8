//! An adapter of the library as one of our adapter files.

use super::config::File;
use super::names::{PREFIX, theirs};
use crate::artifact::{Header, write};
use crate::method::RULE;
use crate::t5::T5Config;
use crate::tensor_file::{self, HostTensors};
use crate::{Error, Result};

/// The files of an adapter: bytes, each with a name for errors.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// `adapter_config.json`.
    pub config: (&'a [u8], &'a str),
    /// The tensors, as a torch pickle or as safetensors.
    pub weights: (&'a [u8], &'a str),
    /// The shared rule, of either kind, where the tensors lack it.
    pub rule: Option<(&'a [u8], &'a str)>,
}

/// An adapter of the library under our names.
#[derive(Debug)]
pub struct Imported {
    /// What our file will say of it; the task is the adapter's name, and no labels are known.
    pub header: Header,
    tensors: Vec<(String, Vec<usize>, Vec<u8>)>,
}

impl Imported {
    /// The bytes of our adapter file.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        write(&self.tensors, self.header.metadata()?)
    }
}

/// Reads an adapter for a base of these sizes; whatever would compute something else here is an
/// error.
pub fn import(source: &Source, base: &T5Config) -> Result<Imported> {
    let (bytes, name) = source.config;
    let file = File::read(bytes, name)?;
    let method = file.method(base, name)?;
    let (bytes, weights) = source.weights;
    let mut found = tensor_file::read(bytes, weights)?;
    let prefixed = found.keys().any(|name| name.starts_with(PREFIX));
    let prefix = if prefixed { PREFIX } else { "" };
    let layer = method.adapters.as_ref().map(|adapters| adapters.layer);
    let mut tensors = Vec::new();
    for part in method.added(base).into_iter().flat_map(|group| group.parts) {
        let Some(layer) = layer else { continue };
        let name = format!("{prefix}{}", theirs(&part.name, &file.name, layer));
        let values = match found.remove(&name) {
            None if part.name == RULE => rule(source, &name)?,
            None => {
                let message = format!("missing, expected {:?}", part.shape);
                return Err(Error::tensor(weights, name, message));
            }
            Some(values) => values,
        };
        let (shape, values) = values;
        if shape != part.shape {
            let message = format!("is {shape:?}, expected {:?}", part.shape);
            return Err(Error::tensor(weights, name, message));
        }
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        tensors.push((part.name, shape, bytes));
    }
    if let Some(name) = found.keys().next() {
        let message = format!(
            "belongs to no adapter `{}` as its configuration has it",
            file.name
        );
        return Err(Error::tensor(weights, name, message));
    }
    let mut header = Header::new(method, base.clone());
    header.task = file.name;
    Ok(Imported { header, tensors })
}

/// The shared rule out of a file of its own.
fn rule(source: &Source, name: &str) -> Result<(Vec<usize>, Vec<f32>)> {
    let Some((bytes, file)) = source.rule else {
        return Err(Error::tensor(
            source.weights.1,
            name,
            "missing: the library leaves the shared rule A out when it saves from a \
             T5ForConditionalGeneration, and makes up another when it loads. Save it from the \
             trained model (`model.shared_parameters[NAME].phm_rule`) and give that file with \
             `--rule phm_rule.safetensors`, or save the adapter from a T5AdapterModel, which keeps it",
        ));
    };
    let found: HostTensors = tensor_file::read(bytes, file)?;
    let mut rules = found
        .into_iter()
        .filter(|(name, _)| name.ends_with("phm_rule"));
    match (rules.next(), rules.next()) {
        (Some((_, rule)), None) => Ok(rule),
        _ => Err(Error::file(
            file,
            "expected one tensor whose name ends in `phm_rule`",
        )),
    }
}
