//! A loaded base, and the trained tensors laid over it.

use super::{Projections, Storage, T5Config};
use crate::kernels::{Packed, linear};
use crate::method::Method;
use crate::packing::{Packer, Packing};
use crate::{Error, Result};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

/// One tensor of the base on the device.
#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "a few hundred of them, and a box would be met at every use"
)]
pub(super) enum Weight {
    /// f32 as it is: `[out, in]`, or `[1, len]` for a vector.
    Plain(Tensor<2>),
    /// A matrix in fewer bits.
    Packed(Packed),
}

impl Weight {
    /// From values in row order; an error is the value that cannot be packed. Only a row is held
    /// beside what goes to the device.
    pub(super) fn new(
        mut values: impl Iterator<Item = f32>,
        shape: [usize; 2],
        packing: Option<Packing>,
        device: &Device,
    ) -> std::result::Result<Self, f32> {
        let [rows, columns] = shape;
        let Some(packing) = packing else {
            let values: Vec<f32> = values.collect();
            // Weights stay for good: buffers of just their size, not the next larger of a pool.
            let data = TensorData::new(values, shape);
            let tensor = device.memory_persistent_allocations(data, |data| {
                Tensor::from_data(data, (device, DType::F32))
            });
            return Ok(Self::Plain(tensor));
        };
        let mut packer = Packer::new(packing, rows * columns);
        let mut row = Vec::with_capacity(columns);
        for _ in 0..rows {
            row.clear();
            row.extend(values.by_ref().take(columns));
            packer.push(&row)?;
        }
        let (words, scales) = packer.finish();
        let packed = Packed::new(words, scales, packing, rows, device);
        Ok(Self::Packed(packed))
    }

    /// All of it in f32.
    fn unpack(&self) -> Tensor<2> {
        match self {
            Self::Plain(tensor) => tensor.clone(),
            Self::Packed(packed) => packed.unpack(),
        }
    }

    /// Some of its rows in f32.
    pub(super) fn select(&self, ids: Tensor<1, Int>) -> Tensor<2> {
        match self {
            Self::Plain(tensor) => tensor.clone().select(0, ids),
            Self::Packed(packed) => packed.select(ids),
        }
    }

    /// `x W^T` for a matrix `[out, in]`; `x: [rows, in]`.
    fn linear(&self, x: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Plain(tensor) => linear(x, tensor.clone()),
            Self::Packed(packed) => packed.linear(x),
        }
    }
}

/// The frozen base: every tensor under its Hugging Face name.
///
/// Vectors are kept as `[1, len]`, linears as on disk, `[out, in]`. One base serves any number of
/// [`Weights`], so that adapters are swapped without touching it.
#[derive(Debug, Clone)]
pub struct T5 {
    config: T5Config,
    storage: Storage,
    tensors: BTreeMap<String, Weight>,
    device: Device,
    /// See [`Self::hash`].
    pub(super) hash: Option<String>,
}

impl T5 {
    /// A base of these tensors; the caller has checked names and shapes against `config`.
    pub(super) fn new(
        config: T5Config,
        storage: Storage,
        tensors: BTreeMap<String, Weight>,
        device: &Device,
    ) -> Self {
        Self {
            config,
            storage,
            tensors,
            device: device.clone(),
            hash: None,
        }
    }

    /// SHA-256 over its tensors' names and values as they were in its files, whatever they are kept
    /// as; `None` for random weights.
    pub fn hash(&self) -> Option<&str> {
        self.hash.as_deref()
    }

    /// Its sizes.
    pub fn config(&self) -> &T5Config {
        &self.config
    }

    /// What its matrices are kept as.
    pub fn storage(&self) -> Storage {
        self.storage
    }

    /// Where it lives.
    pub fn device(&self) -> &Device {
        &self.device
    }

    fn weight(&self, name: &str) -> Result<&Weight> {
        let missing = || Error::tensor("model", name, "not in this model");
        self.tensors.get(name).ok_or_else(missing)
    }

    /// One of its tensors in f32: `[out, in]`, or `[1, len]` for a vector.
    pub fn tensor(&self, name: &str) -> Result<Tensor<2>> {
        Ok(self.weight(name)?.unpack())
    }

    /// Rows of one of its matrices in f32: `[ids, columns]`.
    pub(super) fn select(&self, name: &str, ids: Tensor<1, Int>) -> Result<Tensor<2>> {
        Ok(self.weight(name)?.select(ids))
    }

    /// Consecutive rows of one of its matrices in f32: `[rows, columns]`.
    pub(super) fn rows(&self, name: &str, rows: Range<usize>) -> Result<Tensor<2>> {
        let ids: Vec<i32> = rows.map(|row| row as i32).collect();
        let ids = Tensor::from_data(TensorData::new(ids.clone(), [ids.len()]), &self.device);
        self.select(name, ids)
    }

    /// `x W^T` with one of its matrices `W: [out, in]`; `x: [rows, in]`.
    pub(super) fn linear(&self, name: &str, x: Tensor<2>) -> Result<Tensor<2>> {
        Ok(self.weight(name)?.linear(x))
    }

    /// No method at all: the base as it was loaded.
    pub fn untouched(&self) -> Weights {
        Weights {
            method: None,
            tensors: BTreeMap::new(),
            fixed: BTreeSet::new(),
            projections: None,
        }
    }
}

/// Trained tensors, their gradients or their moments by name.
pub type Tensors = BTreeMap<String, Tensor<2>>;

/// What a method trains: tensors that replace the base's or are added to it.
#[derive(Debug, Clone)]
pub struct Weights {
    /// The method; `None` is the untouched base.
    pub method: Option<Method>,
    /// `[out, in]` or `[1, len]`, by the name of the base's tensor or of the method's group.
    pub tensors: Tensors,
    /// Those of them that are not trained but stay as they were drawn.
    pub fixed: BTreeSet<String>,
    /// The random projections along which the method moves the base's tensors, if it does.
    pub projections: Option<Arc<Projections>>,
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
