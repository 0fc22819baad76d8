//! The method's layer at a place of the model.

use super::layers::{activate, layer_norm};
use super::{Activation, Forward, Stack, Weights};
use crate::kernels::{AdapterShape, kron_sum, lphm, lphm_adapter};
use crate::method::{AdapterInput, Adapters, FACTORS, Layer, Place, RULE, Rule};
use crate::{Error, Result};
use burn::tensor::Tensor;

/// The matrix of one projection, in the form in which its layer has it.
#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "made and taken apart within one pass: handles of tensors, never a collection of these"
)]
pub(crate) enum Matrix {
    /// `[in, out]`.
    Whole(Tensor<2>),
    /// `[in, rank]` and `[rank, out]`.
    Thin(Tensor<2>, Tensor<2>),
    /// A `[n, n, n]`, s `[n, in/n, rank]`, t `[n, rank, out/n]`.
    Factors(Tensor<3>, Tensor<3>, Tensor<3>),
}

/// Everything that one adapter on width `d_model` is made of.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    /// Down and up, each with its bias `[1, out]`.
    pub projections: [(Matrix, Tensor<2>); 2],
    /// Weight and bias, `[1, d_model]`, of the norms before and after.
    norms: [Option<[Tensor<2>; 2]>; 2],
}

/// Takes a packed tensor apart, from its front.
struct Packed {
    tensor: Tensor<2>,
    at: usize,
}

impl Packed {
    fn take<const D: usize>(&mut self, shape: [usize; D]) -> Tensor<D> {
        let end = self.at + shape.iter().product::<usize>();
        let part = self.tensor.clone().slice([0..1, self.at..end]);
        self.at = end;
        part.reshape(shape)
    }
}

impl Weights {
    /// One of the method's own packed tensors.
    fn own(&self, name: &str) -> Result<Packed> {
        let missing = || Error::tensor("adapter", name, "missing");
        let tensor = self.tensors.get(name).cloned().ok_or_else(missing)?;
        Ok(Packed { tensor, at: 0 })
    }

    /// The parts of the adapter called `place` on width `model`.
    pub(crate) fn adapter_parts(
        &self,
        adapters: &Adapters,
        place: &str,
        model: usize,
    ) -> Result<Parts> {
        let mut own = self.own(place)?;
        let mut rules = match adapters.layer.rule() {
            Some((_, Rule { own: true, .. })) => Some(self.own(&format!("{place}.{RULE}"))?),
            _ => None,
        };
        let mut shared = match adapters.layer {
            Layer::Lphm { shared: true, .. } => Some(self.own(FACTORS)?),
            _ => None,
        };
        let inner = adapters.bottleneck;
        let mut projection = |input: usize, output: usize| -> Result<(Matrix, Tensor<2>)> {
            let mut rule = |n: usize, rule: Rule| match &mut rules {
                Some(rules) => Ok(take_rule(rules, n, rule)),
                None => self.own(RULE).map(|mut all| take_rule(&mut all, n, rule)),
            };
            let matrix = match adapters.layer {
                Layer::Dense => Matrix::Whole(own.take([output, input]).transpose()),
                Layer::LowRank { rank } => {
                    Matrix::Thin(own.take([input, rank]), own.take([rank, output]))
                }
                Layer::Phm { n, rule: kind } => {
                    let w = own.take([n, input / n, output / n]);
                    Matrix::Whole(kron_sum(rule(n, kind)?, w))
                }
                Layer::Lphm {
                    n,
                    rank,
                    rule: kind,
                    ..
                } => {
                    let factors = shared.as_mut().unwrap_or(&mut own);
                    let s = factors.take([n, input / n, rank]);
                    let t = factors.take([n, rank, output / n]);
                    Matrix::Factors(rule(n, kind)?, s, t)
                }
            };
            Ok((matrix, own.take([1, output])))
        };
        let projections = [projection(model, inner)?, projection(inner, model)?];
        let mut norm = |wanted: bool| wanted.then(|| [own.take([1, model]), own.take([1, model])]);
        let norms = [norm(adapters.pre_norm), norm(adapters.post_norm)];
        Ok(Parts { projections, norms })
    }
}

/// The next A `[n, n, n]` of a packed tensor.
fn take_rule(packed: &mut Packed, n: usize, rule: Rule) -> Tensor<3> {
    if rule.factorised {
        let left: Tensor<3> = packed.take([n, n, 1]);
        return left.matmul(packed.take([n, 1, n]));
    }
    packed.take([n, n, n])
}

/// `x W + b` of one projection; `x: [rows, in]`.
fn project(x: Tensor<2>, matrix: Matrix, bias: Tensor<2>) -> Tensor<2> {
    match matrix {
        Matrix::Whole(w) => x.matmul(w) + bias,
        Matrix::Thin(left, right) => x.matmul(left).matmul(right) + bias,
        Matrix::Factors(rule, s, t) => {
            let width = bias.dims()[1];
            lphm(x, rule, s, t, bias.reshape([width]))
        }
    }
}

impl Forward<'_> {
    /// `y + post(up(activation(down(pre(z)))))` where the method has an adapter, else `y`; z is y, or
    /// y plus the block's input `x`; both `[rows, d_model]`.
    pub(super) fn adapter(
        &self,
        x: &Tensor<2>,
        y: Tensor<2>,
        stack: Stack,
        block: usize,
        layer: usize,
    ) -> Result<Tensor<2>> {
        let method = self.weights.method.as_ref();
        let adapters = method.and_then(|method| method.adapters.as_ref());
        let Some(adapters) = adapters.filter(|all| all.are_at(stack, block, layer)) else {
            return Ok(y);
        };
        let place = Place {
            stack,
            block,
            layer,
        };
        let place = place.name();
        let model = self.model.config().d_model;
        if let Some(shape) = fused(adapters, model)? {
            let rule = self.weights.own(RULE)?.take([shape.n, shape.n, shape.n]);
            let packed = self.weights.own(&place)?.take([shape.len()]);
            return Ok(lphm_adapter(y, rule, packed, &shape));
        }
        let parts = self.weights.adapter_parts(adapters, &place, model)?;
        let [(down, down_bias), (up, up_bias)] = parts.projections;
        let [pre, post] = parts.norms;
        let norm = |x: Tensor<2>, norm: Option<[Tensor<2>; 2]>| match norm {
            Some([weight, bias]) => layer_norm(x, weight, bias),
            None => x,
        };
        let z = match adapters.input {
            AdapterInput::Sublayer => y.clone(),
            AdapterInput::Residual => x.clone() + y.clone(),
        };
        let inner = project(norm(z, pre), down, down_bias); // [rows, bottleneck]
        let inner = activate(inner, adapters.activation);
        Ok(y + norm(project(inner, up, up_bias), post))
    }
}

/// The shape for the fused kernel, if these adapters are what it computes.
fn fused(adapters: &Adapters, model: usize) -> Result<Option<AdapterShape>> {
    let plain = adapters.activation == Activation::GeluNew
        && adapters.input == AdapterInput::Sublayer
        && !(adapters.pre_norm || adapters.post_norm);
    match adapters.layer {
        Layer::Lphm {
            n,
            rank,
            rule:
                Rule {
                    own: false,
                    factorised: false,
                    ..
                },
            shared: false,
        } if plain => AdapterShape::new(n, rank, model, adapters.bottleneck).map(Some),
        _ => Ok(None),
    }
}
