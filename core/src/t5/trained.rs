//! The trained tensors of a method: initialised, tracked, frozen.

use super::model::upload;
use super::{Projections, T5, Weights};
use crate::Result;
use crate::method::{Init, Method, Part};
use crate::random::Stream;
use burn::tensor::Tensor;
use std::collections::{BTreeMap, BTreeSet};

impl Weights {
    /// A method's starting point on this base: its layers from `seed`, the base's as loaded.
    pub fn start(model: &T5, method: &Method, seed: u64) -> Result<Self> {
        let (mut tensors, mut fixed) = (BTreeMap::new(), BTreeSet::new());
        for group in method.added(model.config()) {
            if !group.trained {
                fixed.insert(group.name.clone());
            }
            if let [
                Part {
                    shape,
                    init: Init::Embedding,
                    ..
                },
            ] = group.parts.as_slice()
            {
                let rows = model.rows("shared.weight", 0..shape[0])?;
                tensors.insert(group.name, rows);
                continue;
            }
            let mut values = Vec::with_capacity(group.len());
            for part in &group.parts {
                let mut stream = Stream::new(seed, &part.name);
                values.extend((0..part.len()).map(|_| match part.init {
                    Init::Zero | Init::Embedding => 0.0,
                    Init::One => 1.0,
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
            fixed,
            projections: Projections::of(method, model)?,
        })
    }

    /// The same values as leaves that receive gradients, but for what stays as it is.
    pub fn tracked(&self) -> Self {
        self.map(|name, tensor| {
            let leaf = Tensor::from_inner(tensor.inner());
            match self.fixed.contains(name) {
                true => leaf,
                false => leaf.require_grad(),
            }
        })
    }

    /// The same values without a graph, for scoring.
    pub fn frozen(&self) -> Self {
        self.map(|_, tensor| Tensor::from_inner(tensor.inner()))
    }

    fn map(&self, f: impl Fn(&str, Tensor<2>) -> Tensor<2>) -> Self {
        let tensors = self
            .tensors
            .iter()
            .map(|(name, tensor)| (name.clone(), f(name, tensor.clone())));
        Self {
            method: self.method.clone(),
            tensors: tensors.collect(),
            fixed: self.fixed.clone(),
            projections: self.projections.clone(),
        }
    }
}
