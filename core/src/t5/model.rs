//! A loaded base, and the trained tensors laid over it.

use super::T5Config;
use crate::method::Method;
use crate::{Error, Result};
use burn::tensor::{Device, Tensor, TensorData};
use std::collections::BTreeMap;

/// The frozen base: every tensor under its Hugging Face name.
///
/// Vectors are kept as `[1, len]`, linears as on disk, `[out, in]`. One base serves any number of
/// [`Weights`], so that adapters are swapped without touching it.
#[derive(Debug, Clone)]
pub struct T5 {
    config: T5Config,
    tensors: BTreeMap<String, Tensor<2>>,
    device: Device,
}

impl T5 {
    /// A base of these tensors; the caller has checked names and shapes against `config`.
    pub(super) fn new(
        config: T5Config,
        tensors: BTreeMap<String, Tensor<2>>,
        device: &Device,
    ) -> Self {
        Self {
            config,
            tensors,
            device: device.clone(),
        }
    }

    /// Its sizes.
    pub fn config(&self) -> &T5Config {
        &self.config
    }

    /// Where it lives.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// One of its tensors: `[out, in]`, or `[1, len]` for a vector.
    pub fn tensor(&self, name: &str) -> Result<Tensor<2>> {
        let missing = || Error::tensor("model", name, "not in this model");
        self.tensors.get(name).cloned().ok_or_else(missing)
    }

    /// No method at all: the base as it was loaded.
    pub fn untouched(&self) -> Weights {
        Weights {
            method: None,
            tensors: BTreeMap::new(),
        }
    }
}

/// What a method trains: tensors that replace the base's or are added to it.
#[derive(Debug, Clone)]
pub struct Weights {
    /// The method; `None` is the untouched base.
    pub method: Option<Method>,
    /// `[out, in]` or `[1, len]`, by the name of the base's tensor or of the method's group.
    pub tensors: BTreeMap<String, Tensor<2>>,
}

/// A vector becomes `[1, len]`, a matrix stays, more dimensions are packed as `[1, len]`.
pub(super) fn two_dims(shape: &[usize]) -> [usize; 2] {
    match shape {
        [rows, columns] => [*rows, *columns],
        _ => [1, shape.iter().product()],
    }
}

/// A tensor on `device` from host values.
pub(crate) fn upload(values: Vec<f32>, shape: [usize; 2], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values, shape), device)
}
