//! Adapter files to and from the trained tensors on a device.

use super::{Header, write};
use crate::engine::float_values;
use crate::method::{Group, Method, Part};
use crate::t5::{Projections, T5, T5Config, Weights, upload};
use crate::tensor_file::read_safetensors;
use crate::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};

/// The trained tensors of a method on a base of these sizes, base tensors as groups of one part.
fn groups(method: &Method, config: &T5Config) -> Vec<Group> {
    let mut groups = method.added(config);
    for (name, shape) in method.trained_base(config) {
        let part = Part {
            name: name.clone(),
            shape,
            init: crate::method::Init::Zero,
        };
        groups.push(Group {
            name,
            parts: vec![part],
            trained: true,
        });
    }
    groups
}

/// The bytes of an adapter file.
pub async fn save(weights: &Weights, header: &Header) -> Result<Vec<u8>> {
    let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    for group in groups(&header.method, &header.base) {
        let Some(tensor) = weights.tensors.get(&group.name) else {
            return Err(Error::tensor("adapter", group.name, "was not trained"));
        };
        let values = float_values(tensor.clone()).await?;
        let mut start = 0;
        for part in group.parts {
            let end = start + part.len();
            let bytes = values[start..end]
                .iter()
                .flat_map(|v| v.to_le_bytes())
                .collect();
            start = end;
            tensors.push((part.name, part.shape, bytes));
        }
    }
    write(&tensors, header.metadata()?)
}

/// Reads an adapter for this base; another base is refused.
pub fn load(bytes: &[u8], file: &str, model: &T5) -> Result<(Header, Weights)> {
    let header = Header::read(bytes, file)?;
    let config = model.config();
    if header.base != *config {
        let describe = |c: &T5Config| {
            let (enc, dec) = (c.num_layers, c.num_decoder_layers);
            format!(
                "d_model {}, {enc} + {dec} layers, {} ids",
                c.d_model, c.vocab_size
            )
        };
        let (want, have) = (describe(&header.base), describe(config));
        let message = format!("was trained on a base of {want}; this base has {have}");
        return Err(Error::file(file, message));
    }
    if let (Some(want), Some(have)) = (header.base_hash.as_deref(), model.hash())
        && want != have
    {
        let short = |hash: &str| hash.chars().take(12).collect::<String>();
        let (want, have) = (short(want), short(have));
        let message = format!(
            "was trained on a base of the same sizes but other weights (SHA-256 {want}…); this \
             base is {have}…"
        );
        return Err(Error::file(file, message));
    }
    let mut found = read_safetensors(bytes, file)?;
    let (mut tensors, mut fixed) = (BTreeMap::new(), BTreeSet::new());
    for group in groups(&header.method, config) {
        if !group.trained {
            fixed.insert(group.name.clone());
        }
        let mut values = Vec::new();
        for part in &group.parts {
            match found.remove(&part.name) {
                Some((shape, part_values)) if shape == part.shape => values.extend(part_values),
                Some((shape, _)) => {
                    let message = format!("is {shape:?}, expected {:?}", part.shape);
                    return Err(Error::tensor(file, &part.name, message));
                }
                None => {
                    let message = format!("missing, expected {:?}", part.shape);
                    return Err(Error::tensor(file, &part.name, message));
                }
            }
        }
        let shape = group.packed_shape();
        tensors.insert(group.name, upload(values, shape, model.device()));
    }
    if let Some(name) = found.keys().next() {
        return Err(Error::tensor(file, name, "is no tensor of this method"));
    }
    let projections = Projections::of(&header.method, model)?;
    Ok((
        header.clone(),
        Weights {
            method: Some(header.method),
            tensors,
            fixed,
            projections,
        },
    ))
}
