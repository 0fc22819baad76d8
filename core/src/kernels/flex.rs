//! The CPU backend's own form of the operations: f32 loops over contiguous rows.

use super::product::product;
use super::{
    AdamwStep, AdapterShape, DropoutMask, KernelBackend, Spread, Transform, chunks, composed,
    loops, packed,
};
use crate::packing::Packing;
use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::backend::{
    TensorMetadata,
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::{DType, Shape, TensorData};
use std::ops::Range;

/// The most rows of x whose product with a matrix is taken by our own loop; scoring has as many.
const FEW_ROWS: usize = 64;

fn tensor(values: Vec<f32>, shape: Shape) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

/// The tensor in row order, owning its buffer, with `change` applied: in place where it can be.
fn changed(tensor: FlexTensor, change: impl FnOnce(&mut [f32])) -> FlexTensor {
    let mut tensor = owned(tensor);
    change(tensor.storage_mut::<f32>());
    tensor
}

/// The tensor in row order with a buffer that holds nothing else.
fn owned(tensor: FlexTensor) -> FlexTensor {
    let whole = Shape::num_elements(&tensor.shape());
    let mut tensor = tensor.to_contiguous();
    // A view of a larger buffer is contiguous too, but its storage is not what it shows.
    if tensor.layout().start_offset() != 0 || tensor.bytes().len() != whole * size_of::<f32>() {
        let values = tensor
            .as_slice::<f32>()
            .map(<[f32]>::to_vec)
            .unwrap_or_default();
        tensor = self::tensor(values, tensor.shape());
    }
    tensor
}

fn uses_loops(tensors: &[&FlexTensor]) -> bool {
    !super::only_composed() && tensors.iter().all(|tensor| tensor.dtype() == DType::F32)
}

impl KernelBackend for Flex {
    fn adapter_forward(
        x: FloatTensor<Self>,
        rule: FloatTensor<Self>,
        packed: FloatTensor<Self>,
        shape: AdapterShape,
    ) -> FloatTensor<Self> {
        let [row, rule_row, packed_row] = [&x, &rule, &packed].map(|tensor| tensor.to_contiguous());
        let slices = (row.as_slice(), rule_row.as_slice(), packed_row.as_slice());
        let (true, (Some(values), Some(rule_values), Some(packed_values))) =
            (uses_loops(&[&x]), slices)
        else {
            return composed::adapter_forward::<Self>(x, rule, packed, shape);
        };
        let adapter = loops::Adapter::new(shape, rule_values, packed_values);
        let mut y: Vec<f32> = values.to_vec();
        chunks::adapter_forward(&adapter, values, &mut y);
        tensor(y, x.shape())
    }

    /// gemm packs all of w, however few the rows of x are: for few it does little else.
    fn plain_linear(x: FloatTensor<Self>, w: FloatTensor<Self>) -> FloatTensor<Self> {
        let (shape, w_shape) = (x.shape(), w.shape());
        let ([rows, width], [out, _]) = ([shape[0], shape[1]], [w_shape[0], w_shape[1]]);
        let few = (1..=FEW_ROWS).contains(&rows) && width > 0 && out > 0;
        if few && uses_loops(&[&x, &w]) {
            let x = x.to_contiguous();
            if let (Some(x), Some(w)) = (x.as_slice::<f32>(), w.as_slice::<f32>()) {
                let y = chunks::few_rows(x, width, w);
                return tensor(y, Shape::new([rows, out]));
            }
        }
        composed::plain_linear::<Self>(x, w)
    }

    fn plain_product(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        let shape = Shape::new([a.shape()[0], b.shape()[1]]);
        match uses_loops(&[&a, &b]).then(|| product(&a, &b)).flatten() {
            Some(values) => tensor(values, shape),
            None => composed::plain_product::<Self>(a, b),
        }
    }

    fn rms_norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self> {
        let [row, weight_row] = [&x, &weight].map(|tensor| tensor.to_contiguous());
        let slices = (row.as_slice::<f32>(), weight_row.as_slice::<f32>());
        let (true, (Some(values), Some(weights))) = (uses_loops(&[&x, &weight]), slices) else {
            return composed::rms_norm::<Self>(x, weight, epsilon);
        };
        let mut y = vec![0.0; values.len()];
        chunks::rms_norm(values, weights, epsilon, &mut y);
        tensor(y, x.shape())
    }

    fn rms_norm_backward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        epsilon: f32,
        for_weight: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let [row, weight_row] = [&x, &weight].map(|tensor| tensor.to_contiguous());
        let slices = (row.as_slice::<f32>(), weight_row.as_slice::<f32>());
        let (true, (Some(values), Some(weights))) = (uses_loops(&[&x, &weight, &grad]), slices)
        else {
            return composed::rms_norm_backward::<Self>(x, weight, grad, epsilon, for_weight);
        };
        let mut sums = Vec::new();
        let dx = changed(grad, |grad| {
            sums = chunks::rms_norm_backward(values, weights, epsilon, grad, for_weight);
        });
        let dweight = match for_weight {
            true => tensor(sums, weight.shape()),
            false => composed::nothing::<Self>(&x),
        };
        (dx, dweight)
    }

    fn row_softmax_backward(y: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        let row = y.to_contiguous();
        let width = y.shape()[y.shape().num_dims() - 1];
        let (true, Some(values)) = (uses_loops(&[&y, &grad]), row.as_slice::<f32>()) else {
            return composed::row_softmax_backward::<Self>(y, grad);
        };
        changed(grad, |grad| chunks::softmax_backward(values, width, grad))
    }

    fn adamw(
        tensor: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        moments: FloatTensor<Self>,
        step: AdamwStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let [grad_row, scale_row] = [&grad, &scale].map(|tensor| tensor.to_contiguous());
        let slices = (grad_row.as_slice::<f32>(), scale_row.as_slice::<f32>());
        let (true, (Some(values), Some(&[scale]))) =
            (uses_loops(&[&tensor, &grad, &scale, &moments]), slices)
        else {
            return composed::adamw::<Self>(tensor, grad, scale, moments, step);
        };
        let mut moments = owned(moments);
        let both = moments.storage_mut::<f32>();
        let tensor = changed(tensor, |weights| {
            chunks::adamw(&step, scale, values, weights, both);
        });
        (tensor, moments)
    }

    fn adapter_backward(
        x: FloatTensor<Self>,
        rule: FloatTensor<Self>,
        packed: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        shape: AdapterShape,
        wants: [bool; 3],
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let [row, rule_row, packed_row] = [&x, &rule, &packed].map(|tensor| tensor.to_contiguous());
        let slices = (row.as_slice(), rule_row.as_slice(), packed_row.as_slice());
        let (true, (Some(values), Some(rule_values), Some(packed_values))) =
            (uses_loops(&[&grad]), slices)
        else {
            return composed::adapter_backward::<Self>(x, rule, packed, grad, shape, wants);
        };
        let adapter = loops::Adapter::new(shape, rule_values, packed_values);
        let asks = [wants[1] || wants[2], wants[0]];
        let mut sums = None;
        let mut grad = changed(grad, |grad| {
            sums = chunks::adapter_backward(&adapter, values, grad, asks);
        });
        if !wants[0] {
            grad = composed::nothing::<Self>(&grad);
        }
        let Some((packed_sums, rule_sums)) = sums.map(|sums| sums.finish(&shape)) else {
            let missing = composed::nothing::<Self>(&grad);
            return (grad, missing.clone(), missing);
        };
        let pick = |wanted: bool, sums: Vec<f32>, like: &FlexTensor| match wanted {
            true => tensor(sums, like.shape()),
            false => composed::nothing::<Self>(like),
        };
        (
            grad,
            pick(wants[1], rule_sums, &rule),
            pick(wants[2], packed_sums, &packed),
        )
    }

    fn gelu_new(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let row = x.to_contiguous();
        let (Some(values), true) = (row.as_slice::<f32>(), uses_loops(&[&x])) else {
            return composed::gelu_new::<Self>(x);
        };
        let mut out = vec![0.0; values.len()];
        chunks::gelu_new(values, &mut out);
        tensor(out, x.shape())
    }

    fn gelu_new_backward(x: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        let row = x.to_contiguous();
        match (row.as_slice::<f32>(), uses_loops(&[&grad])) {
            (Some(values), true) => changed(grad, |grad| chunks::gelu_new_backward(values, grad)),
            _ => composed::gelu_new_backward::<Self>(x, grad),
        }
    }

    fn hash_dropout(x: FloatTensor<Self>, mask: DropoutMask) -> FloatTensor<Self> {
        match uses_loops(&[&x]) {
            true => changed(x, |values| chunks::dropout(mask, values)),
            false => composed::dropout::<Self>(x, mask),
        }
    }

    fn hadamard(x: FloatTensor<Self>, transform: Transform) -> FloatTensor<Self> {
        let row = x.to_contiguous();
        let (Some(values), true) = (row.as_slice::<f32>(), uses_loops(&[&x])) else {
            return composed::hadamard::<Self>(x, transform);
        };
        let size = transform.size();
        let mut work = Vec::with_capacity(size);
        work.extend_from_slice(&values[..values.len().min(size)]);
        work.resize(size, 0.0);
        chunks::hadamard(&mut work);
        work.truncate(transform.len);
        chunks::scale(&mut work, transform.scale);
        tensor(work, Shape::new([1, transform.len]))
    }

    fn fastfood_spread(
        h: FloatTensor<Self>,
        levels: FloatTensor<Self>,
        spread: Spread,
    ) -> FloatTensor<Self> {
        let [row, level_row] = [&h, &levels].map(|tensor| tensor.to_contiguous());
        let slices = (row.as_slice::<f32>(), level_row.as_slice::<f32>());
        let ((Some(values), Some(level_values)), true) = (slices, uses_loops(&[&h])) else {
            return composed::fastfood_spread::<Self>(h, levels, spread);
        };
        let mut z = vec![0.0; spread.size()];
        chunks::fastfood_spread(&spread, values, level_values, &mut z);
        tensor(z, Shape::new([1, spread.size()]))
    }

    fn fastfood_gather(
        z: FloatTensor<Self>,
        levels: FloatTensor<Self>,
        spread: Spread,
    ) -> FloatTensor<Self> {
        let [row, level_row] = [&z, &levels].map(|tensor| tensor.to_contiguous());
        let slices = (row.as_slice::<f32>(), level_row.as_slice::<f32>());
        let ((Some(values), Some(level_values)), true) = (slices, uses_loops(&[&z])) else {
            return composed::fastfood_gather::<Self>(z, levels, spread);
        };
        let sums = chunks::fastfood_gather(&spread, values, level_values);
        tensor(sums, Shape::new([1, spread.period()]))
    }

    fn unpack_rows(
        words: IntTensor<Self>,
        scales: FloatTensor<Self>,
        packing: Packing,
        rows: Range<usize>,
    ) -> FloatTensor<Self> {
        let shape = packed::unpacked(&words.shape(), &packing, &rows);
        let width = words.shape()[1];
        let [word_row, scale_row] = [&words, &scales].map(|tensor| tensor.to_contiguous());
        let (Some(values), Some(factors), true) = (
            word_row.as_slice::<u32>(),
            scale_row.as_slice::<f32>(),
            uses_loops(&[&scales]),
        ) else {
            return composed::unpack_rows::<Self>(words, scales, packing, rows);
        };
        let values = &values[rows.start * width..rows.end * width];
        let mut out = vec![0.0; values.len() * packing.per_word()];
        match packing {
            Packing::F16 => chunks::unpack_f16(values, &mut out),
            Packing::Int8 { group } => {
                let groups = width * packing.per_word() / group;
                let factors = &factors[rows.start * groups..rows.end * groups];
                chunks::unpack_int8(values, factors, &mut out);
            }
        }
        tensor(out, shape)
    }
}
