//! Backward passes: only for parents that are tracked, keeping only what they need.

use super::{AdapterShape, DropoutMask, KernelBackend, Spread, Transform};
use crate::packing::Packing;
use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{AutodiffBackend, TensorMetadata};
use std::ops::Range;

#[derive(Debug)]
struct Adapter;

impl<B: KernelBackend> Backward<B, 3> for Adapter {
    type State = ([FloatTensor<B>; 3], AdapterShape);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [for_x, for_rule, for_packed] = ops.parents;
        let ([x, rule, packed], shape) = ops.state;
        let grad = grads.consume::<B>(&ops.node);
        let wants = [for_x.is_some(), for_rule.is_some(), for_packed.is_some()];
        let (x, rule, packed) = B::adapter_backward(x, rule, packed, grad, shape, wants);
        for (node, gradient) in [(for_x, x), (for_rule, rule), (for_packed, packed)] {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

#[derive(Debug)]
struct KronSum;

impl<B: KernelBackend> Backward<B, 2> for KronSum {
    type State = [FloatTensor<B>; 2];

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [for_a, for_b] = ops.parents;
        let [a, b] = ops.state;
        let grad = grads.consume::<B>(&ops.node);
        let (a, b) = B::kron_sum_backward(a, b, grad);
        for (node, gradient) in [(for_a, a), (for_b, b)] {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

#[derive(Debug)]
struct GeluNew;

impl<B: KernelBackend> Backward<B, 1> for GeluNew {
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [node] = ops.parents;
        let grad = grads.consume::<B>(&ops.node);
        if let Some(node) = node {
            grads.register::<B>(node.id, B::gelu_new_backward(ops.state, grad));
        }
    }
}

#[derive(Debug)]
struct RmsNorm;

impl<B: KernelBackend> Backward<B, 2> for RmsNorm {
    type State = ([FloatTensor<B>; 2], f32);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [for_x, for_weight] = ops.parents;
        let ([x, weight], epsilon) = ops.state;
        let grad = grads.consume::<B>(&ops.node);
        let wanted = for_weight.is_some();
        let (x, weight) = B::rms_norm_backward(x, weight, grad, epsilon, wanted);
        for (node, gradient) in [(for_x, x), (for_weight, weight)] {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

#[derive(Debug)]
struct Softmax;

impl<B: KernelBackend> Backward<B, 1> for Softmax {
    /// Its output.
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [node] = ops.parents;
        let grad = grads.consume::<B>(&ops.node);
        if let Some(node) = node {
            grads.register::<B>(node.id, B::row_softmax_backward(ops.state, grad));
        }
    }
}

#[derive(Debug)]
struct Dropout;

impl<B: KernelBackend> Backward<B, 1> for Dropout {
    type State = DropoutMask;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [node] = ops.parents;
        let grad = grads.consume::<B>(&ops.node);
        if let Some(node) = node {
            grads.register::<B>(node.id, B::hash_dropout(grad, ops.state));
        }
    }
}

#[derive(Debug)]
struct Linear;

impl<B: KernelBackend> Backward<B, 2> for Linear {
    /// x where w has a gradient, w where x has.
    type State = [Option<FloatTensor<B>>; 2];

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [for_x, for_w] = ops.parents;
        let [x, w] = ops.state;
        let grad = grads.consume::<B>(&ops.node);
        if let (Some(node), Some(x)) = (for_w, x) {
            let transposed = B::float_transpose(grad.clone());
            grads.register::<B>(node.id, B::plain_product(transposed, x));
        }
        if let (Some(node), Some(w)) = (for_x, w) {
            grads.register::<B>(node.id, B::plain_product(grad, w));
        }
    }
}

#[derive(Debug)]
struct PackedLinear;

impl<B: KernelBackend> Backward<B, 1> for PackedLinear {
    /// Packed handles alone: the f32 matrix lives no longer than a product.
    type State = (IntTensor<B>, FloatTensor<B>, Packing);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [node] = ops.parents;
        let (words, scales, packing) = ops.state;
        let grad = grads.consume::<B>(&ops.node);
        if let Some(node) = node {
            let grad = B::packed_linear_backward(grad, words, scales, packing);
            grads.register::<B>(node.id, grad);
        }
    }
}

#[derive(Debug)]
struct Hadamard;

impl<B: KernelBackend> Backward<B, 1> for Hadamard {
    /// The transpose of what was done: linear, so that no values are kept.
    type State = Transform;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [node] = ops.parents;
        let grad = grads.consume::<B>(&ops.node);
        if let Some(node) = node {
            grads.register::<B>(node.id, B::hadamard(grad, ops.state));
        }
    }
}

#[derive(Debug)]
struct FastfoodSpread;

impl<B: KernelBackend> Backward<B, 1> for FastfoodSpread {
    type State = (FloatTensor<B>, Spread);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [node] = ops.parents;
        let (levels, spread) = ops.state;
        let grad = grads.consume::<B>(&ops.node);
        if let Some(node) = node {
            grads.register::<B>(node.id, B::fastfood_gather(grad, levels, spread));
        }
    }
}

impl<B: KernelBackend, C: CheckpointStrategy> KernelBackend for Autodiff<B, C> {
    fn adapter_forward(
        x: FloatTensor<Self>,
        rule: FloatTensor<Self>,
        packed: FloatTensor<Self>,
        shape: AdapterShape,
    ) -> FloatTensor<Self> {
        let nodes = [x.node(), rule.node(), packed.node()];
        let prepared = Adapter.prepare::<C>(nodes).compute_bound().stateful();
        let [x, rule, packed] = [x, rule, packed].map(|tensor| tensor.into_primitive());
        match prepared {
            OpsKind::Tracked(prepared) => {
                let y = B::adapter_forward(x.clone(), rule.clone(), packed.clone(), shape);
                prepared.finish(([x, rule, packed], shape), y)
            }
            OpsKind::UnTracked(prepared) => {
                prepared.finish(B::adapter_forward(x, rule, packed, shape))
            }
        }
    }

    fn kron_sum(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        let prepared = KronSum
            .prepare::<C>([a.node(), b.node()])
            .compute_bound()
            .stateful();
        let [a, b] = [a, b].map(|tensor| tensor.into_primitive());
        match prepared {
            OpsKind::Tracked(prepared) => {
                let w = B::kron_sum(a.clone(), b.clone());
                prepared.finish([a, b], w)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::kron_sum(a, b)),
        }
    }

    fn gelu_new(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let prepared = GeluNew.prepare::<C>([x.node()]).compute_bound().stateful();
        let x = x.into_primitive();
        match prepared {
            OpsKind::Tracked(prepared) => prepared.finish(x.clone(), B::gelu_new(x)),
            OpsKind::UnTracked(prepared) => prepared.finish(B::gelu_new(x)),
        }
    }

    fn rms_norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self> {
        let nodes = [x.node(), weight.node()];
        let prepared = RmsNorm.prepare::<C>(nodes).compute_bound().stateful();
        let [x, weight] = [x, weight].map(|tensor| tensor.into_primitive());
        match prepared {
            OpsKind::Tracked(prepared) => {
                let y = B::rms_norm(x.clone(), weight.clone(), epsilon);
                prepared.finish(([x, weight], epsilon), y)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::rms_norm(x, weight, epsilon)),
        }
    }

    fn row_softmax(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let prepared = Softmax.prepare::<C>([x.node()]).compute_bound().stateful();
        let y = B::row_softmax(x.into_primitive());
        match prepared {
            OpsKind::Tracked(prepared) => prepared.finish(y.clone(), y),
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }

    fn hash_dropout(x: FloatTensor<Self>, mask: DropoutMask) -> FloatTensor<Self> {
        let prepared = Dropout.prepare::<C>([x.node()]).compute_bound().stateful();
        let x = x.into_primitive();
        match prepared {
            OpsKind::Tracked(prepared) => prepared.finish(mask, B::hash_dropout(x, mask)),
            OpsKind::UnTracked(prepared) => prepared.finish(B::hash_dropout(x, mask)),
        }
    }

    fn hadamard(x: FloatTensor<Self>, transform: Transform) -> FloatTensor<Self> {
        let prepared = Hadamard.prepare::<C>([x.node()]).compute_bound().stateful();
        let x = x.into_primitive();
        match prepared {
            OpsKind::Tracked(prepared) => {
                let back = transform.transposed(x.shape().num_elements());
                prepared.finish(back, B::hadamard(x, transform))
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::hadamard(x, transform)),
        }
    }

    fn fastfood_spread(
        h: FloatTensor<Self>,
        levels: FloatTensor<Self>,
        spread: Spread,
    ) -> FloatTensor<Self> {
        let prepared = FastfoodSpread
            .prepare::<C>([h.node()])
            .compute_bound()
            .stateful();
        let [h, levels] = [h, levels].map(|tensor| tensor.into_primitive());
        match prepared {
            OpsKind::Tracked(prepared) => {
                let z = B::fastfood_spread(h, levels.clone(), spread);
                prepared.finish((levels, spread), z)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::fastfood_spread(h, levels, spread)),
        }
    }

    fn plain_linear(x: FloatTensor<Self>, w: FloatTensor<Self>) -> FloatTensor<Self> {
        let tracked = [x.is_tracked(), w.is_tracked()];
        let nodes = [x.node(), w.node()];
        let prepared = Linear.prepare::<C>(nodes).compute_bound().stateful();
        let [x, w] = [x, w].map(|tensor| tensor.into_primitive());
        match prepared {
            OpsKind::Tracked(prepared) => {
                let state = [tracked[1].then(|| x.clone()), tracked[0].then(|| w.clone())];
                prepared.finish(state, B::plain_linear(x, w))
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::plain_linear(x, w)),
        }
    }

    fn unpack_rows(
        words: IntTensor<Self>,
        scales: FloatTensor<Self>,
        packing: Packing,
        rows: Range<usize>,
    ) -> FloatTensor<Self> {
        let scales = scales.into_primitive();
        Self::from_inner(B::unpack_rows(words, scales, packing, rows))
    }

    fn packed_linear(
        x: FloatTensor<Self>,
        words: IntTensor<Self>,
        scales: FloatTensor<Self>,
        packing: Packing,
    ) -> FloatTensor<Self> {
        let prepared = PackedLinear
            .prepare::<C>([x.node()])
            .compute_bound()
            .stateful();
        let [x, scales] = [x, scales].map(|tensor| tensor.into_primitive());
        match prepared {
            OpsKind::Tracked(prepared) => {
                let y = B::packed_linear(x, words.clone(), scales.clone(), packing);
                prepared.finish((words, scales, packing), y)
            }
            OpsKind::UnTracked(prepared) => {
                prepared.finish(B::packed_linear(x, words, scales, packing))
            }
        }
    }
}
