//! The base's tensors moved along random projections of one short vector (Intrinsic-SAID).
//!
//! `W = W_0 + λ_W · ray_W(θ)`, `ray = H(G · (H(B · θ))[Π])[..DD] / (√(LL Σ G²) · √(DD / LL))` with DD
//! the numbers of W and LL the power of two above. Of a seeded projection only the signs that θ
//! meets are kept; G and Π are drawn anew wherever they are needed.

use super::model::{two_dims, upload};
use super::{T5, Weights};
use crate::kernels::{Spread, Transform, fastfood_spread, hadamard, levels};
use crate::method::{INTRINSIC, INTRINSIC_SCALES, Method};
use crate::random::Stream;
use crate::{Error, Result};
use burn::tensor::{Device, Int, Tensor, TensorData};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The numbers of one tensor's projection, where they are given instead of drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    /// B, ± 1, of the padded length.
    pub signs: Vec<f32>,
    /// Π, of the padded length.
    pub gather: Vec<u32>,
    /// G, of the padded length.
    pub gaussians: Vec<f32>,
    /// `√(LL Σ G²)`.
    pub divisor: f64,
}

impl Drawn {
    /// `ray(θ)` of `len` numbers, `[1, len]`; `theta: [1, d']`, `published` as in
    /// [`Intrinsic`](crate::method::Intrinsic). The lists are of the power of two above `len`.
    pub fn ray(&self, theta: Tensor<2>, len: usize, published: bool) -> Tensor<2> {
        let (known, device) = (theta.dims()[1], theta.device());
        let projection = self.clone().projection(known, [1, len], &device);
        let unused = row(levels(), &device);
        projection.ray(theta, &unused, published)
    }

    /// As a projection of `theta` numbers to a tensor's shape.
    fn projection(self, theta: usize, shape: [usize; 2], device: &Device) -> Projection {
        let bits = bits(shape[0] * shape[1]);
        let size = 1usize << bits;
        let period = theta.next_power_of_two().min(size);
        let places = self.gather.iter().map(|at| (*at as usize % period) as i32);
        let places = TensorData::new(places.collect::<Vec<i32>>(), [self.gather.len()]);
        Projection {
            index: 0,
            shape,
            bits,
            signs: row(self.signs[..theta.min(size)].to_vec(), device),
            source: Source::Given(Box::new(Explicit {
                gather: Tensor::from_data(places, device),
                gaussians: row(self.gaussians, device),
            })),
            divisor: self.divisor,
        }
    }
}

/// How Π and G are had.
#[derive(Debug, Clone)]
enum Source {
    Seeded(Spread),
    Given(Box<Explicit>),
}

/// Π and G as numbers.
#[derive(Debug, Clone)]
struct Explicit {
    /// Π modulo the period.
    gather: Tensor<1, Int>,
    /// `[1, LL]`.
    gaussians: Tensor<2>,
}

/// One tensor's projection.
#[derive(Debug, Clone)]
struct Projection {
    /// Its number among the base's tensors.
    index: usize,
    shape: [usize; 2],
    /// log2 of LL.
    bits: u32,
    /// B where θ is not zero, `[1, min(d', LL)]`.
    signs: Tensor<2>,
    source: Source,
    divisor: f64,
}

/// Projections of all of a base's tensors.
#[derive(Debug, Clone)]
pub struct Projections {
    /// Gaussian quantiles, `[1, 4096]`.
    levels: Tensor<2>,
    all: BTreeMap<String, Projection>,
    published_gradient: bool,
}

/// log2 of the power of two that holds `len`.
fn bits(len: usize) -> u32 {
    len.next_power_of_two().trailing_zeros()
}

/// θ's length, if the method has one.
fn theta(method: &Method, model: &T5) -> Option<usize> {
    let added = method.added(model.config()).into_iter();
    let mut groups = added.filter(|group| group.name == INTRINSIC);
    groups.next().map(|group| group.len())
}

impl Projections {
    /// The projections that a method draws for this base from its seed; none if it has none.
    pub fn of(method: &Method, model: &T5) -> Result<Option<Arc<Self>>> {
        let (Some(intrinsic), Some(theta)) = (method.intrinsic, theta(method, model)) else {
            return Ok(None);
        };
        let values = levels();
        let [low, high] = [intrinsic.seed as u32, (intrinsic.seed >> 32) as u32];
        let period = bits(theta);
        let mut all = BTreeMap::new();
        for (index, (name, shape)) in model.config().tensors().into_iter().enumerate() {
            let shape = two_dims(&shape);
            let bits = bits(shape[0] * shape[1]);
            let spread = Spread::new(bits, period.min(bits), [low, high, index as u32, bits]);
            let size = 1usize << bits;
            let mut stream = Stream::new(intrinsic.seed, &format!("signs/{name}"));
            let sign = |_| if stream.uniform() < 0.5 { -1.0 } else { 1.0 };
            let signs: Vec<f32> = (0..theta.min(size)).map(sign).collect();
            let projection = Projection {
                index,
                shape,
                bits,
                signs: row(signs, model.device()),
                source: Source::Seeded(spread),
                divisor: (size as f64 * spread.squares(&values)).sqrt(),
            };
            all.insert(name, projection);
        }
        Ok(Some(Arc::new(Self {
            levels: row(values, model.device()),
            all,
            published_gradient: intrinsic.published_gradient,
        })))
    }

    /// Projections whose numbers are given by tensor; an error names the tensor whose are not of
    /// its padded length.
    pub fn given(
        method: &Method,
        model: &T5,
        mut drawn: impl FnMut(&str) -> Option<Drawn>,
    ) -> Result<Option<Arc<Self>>> {
        let Some(seeded) = Self::of(method, model)? else {
            return Ok(None);
        };
        let mut given = Self::clone(&seeded);
        let theta = theta(method, model).unwrap_or_default();
        for (name, projection) in &mut given.all {
            let size = 1usize << projection.bits;
            let fits = |drawn: &Drawn| {
                let lens = [drawn.signs.len(), drawn.gather.len(), drawn.gaussians.len()];
                lens == [size; 3] && drawn.gather.iter().all(|at| (*at as usize) < size)
            };
            let message = || format!("its projection must have {size} signs, places and Gaussians");
            let drawn = drawn(name)
                .filter(fits)
                .ok_or_else(|| Error::tensor("projections", name, message()))?;
            *projection = Projection {
                index: projection.index,
                ..drawn.projection(theta, projection.shape, model.device())
            };
        }
        Ok(Some(Arc::new(given)))
    }

    /// `W_0 + λ_W · ray_W(θ)` of one of the base's tensors.
    pub(super) fn moved(
        &self,
        name: &str,
        model: &T5,
        weights: &Weights,
    ) -> Result<Option<Tensor<2>>> {
        let Some(projection) = self.all.get(name) else {
            return Ok(None);
        };
        let own = |name: &str| {
            let tensor = weights.tensors.get(name).cloned();
            tensor.ok_or_else(|| Error::tensor("adapter", name, "missing"))
        };
        let at = projection.index;
        let scale = own(INTRINSIC_SCALES)?.slice([0..1, at..at + 1]); // [1, 1]
        let ray = projection.ray(own(INTRINSIC)?, &self.levels, self.published_gradient);
        Ok(Some(model.tensor(name)? + ray * scale))
    }
}

impl Projection {
    /// The projection of θ `[1, d']` in the tensor's shape.
    fn ray(&self, theta: Tensor<2>, levels: &Tensor<2>, published: bool) -> Tensor<2> {
        let size = 1usize << self.bits;
        let used = self.signs.dims()[1];
        let len = self.shape[0] * self.shape[1];
        let period = bits(theta.dims()[1]).min(self.bits);
        let theta = theta.slice([0..1, 0..used]) * self.signs.clone();
        let first = Transform {
            bits: period,
            len: 1 << period,
            scale: 1.0,
            gradient: 1.0,
        };
        let h = hadamard(theta, first); // [1, P]
        let z = match &self.source {
            Source::Seeded(spread) => fastfood_spread(h, levels.clone(), *spread),
            Source::Given(given) => h.select(1, given.gather.clone()) * given.gaussians.clone(),
        };
        let scale = 1.0 / (self.divisor * (len as f64 / size as f64).sqrt());
        let second = Transform {
            bits: self.bits,
            len,
            scale: scale as f32,
            // The published backward of H divides by √LL, twice.
            gradient: if published { 1.0 / size as f32 } else { 1.0 },
        };
        hadamard(z, second).reshape(self.shape)
    }
}

/// A row on the device.
fn row(values: Vec<f32>, device: &Device) -> Tensor<2> {
    let len = values.len();
    upload(values, [1, len], device)
}
