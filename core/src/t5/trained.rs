//! The trained tensors of a method: initialised, tracked, frozen.

use super::model::upload;
use super::{T5, Weights};
use crate::Result;
use crate::method::{Init, Method};
use crate::random::Stream;
use burn::tensor::Tensor;
use std::collections::BTreeMap;

impl Weights {
    /// A method's starting point on this base: its layers from `seed`, the base's as loaded.
    pub fn start(model: &T5, method: &Method, seed: u64) -> Result<Self> {
        let mut tensors = BTreeMap::new();
        for group in method.added(model.config()) {
            let mut values = Vec::with_capacity(group.len());
            for part in &group.parts {
                let mut stream = Stream::new(seed, &part.name);
                values.extend((0..part.len()).map(|_| match part.init {
                    Init::Zero => 0.0,
                    Init::Normal(deviation) => (stream.normal() * deviation) as f32,
                    Init::Uniform(bound) => ((stream.uniform() * 2.0 - 1.0) * bound) as f32,
                }));
            }
            let shape = group.packed_shape();
            tensors.insert(group.name, upload(values, shape, model.device()));
        }
        for (name, _) in method.trained_base(model.config()) {
            let tensor = model.tensor(&name)?;
            tensors.insert(name, tensor);
        }
        Ok(Self {
            method: Some(method.clone()),
            tensors,
        })
    }

    /// The same values as leaves that receive gradients.
    pub fn tracked(&self) -> Self {
        self.map(|tensor| Tensor::from_inner(tensor.inner()).require_grad())
    }

    /// The same values without a graph, for scoring.
    pub fn frozen(&self) -> Self {
        self.map(|tensor| Tensor::from_inner(tensor.inner()))
    }

    fn map(&self, f: impl Fn(Tensor<2>) -> Tensor<2>) -> Self {
        let tensors = self
            .tensors
            .iter()
            .map(|(name, tensor)| (name.clone(), f(tensor.clone())));
        Self {
            method: self.method.clone(),
            tensors: tensors.collect(),
        }
    }
}
