//! Bases from whole files or from nothing.

use super::model::{Weight, two_dims};
use super::{Loader, Storage, T5, T5Config};
use crate::Result;
use crate::random::Stream;
use burn::tensor::Device;
use std::collections::BTreeMap;

impl T5 {
    /// Loads a base in f32 from the bytes of its files, each with its name; missing, extra and
    /// mis-shaped tensors are errors, except what published files are known to carry.
    ///
    /// A [`Loader`] keeps weights in fewer bits, or takes files that are not in memory.
    pub fn from_safetensors(
        config: T5Config,
        shards: &[(String, Vec<u8>)],
        device: &Device,
    ) -> Result<Self> {
        Loader::new(config, Storage::F32, device).load(shards)
    }

    /// Random weights of the given sizes, for benchmarks: normal, scaled by 1/√in.
    pub fn random(config: T5Config, storage: Storage, seed: u64, device: &Device) -> Result<Self> {
        let mut tensors = BTreeMap::new();
        for (name, shape) in config.tensors() {
            let mut stream = Stream::new(seed, &name);
            let norm = name.ends_with("layer_norm.weight");
            let width = shape.last().copied().unwrap_or(1);
            let bound = (3.0 / width as f64).sqrt();
            let values = std::iter::repeat_with(|| match norm {
                true => 1.0,
                false => ((stream.uniform() * 2.0 - 1.0) * bound) as f32,
            });
            let values = values.take(shape.iter().product());
            let packing = storage.packing(&name, &shape);
            let weight = Weight::new(values, two_dims(&shape), packing, device);
            let weight = weight.map_err(|value| storage.refuses(value, "random weights", &name))?;
            tensors.insert(name, weight);
        }
        Ok(Self::new(config, storage, tensors, device))
    }
}
