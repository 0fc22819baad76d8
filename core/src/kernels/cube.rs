//! WGSL kernels on wgpu; compositions on every other CubeCL runtime, data type and odd shape.

use super::{
    AdamwStep, AdapterShape, DropoutMask, KernelBackend, Spread, Transform, composed, packed,
};
use crate::packing::Packing;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::wgpu::{CubeBackend, CubeDim, CubeTensor, into_contiguous};
use burn::tensor::{DType, Shape};
use compacter_shaders::{AdapterSizes, Permutation, WORKGROUP, grid};
use cubecl::ir::metadata::Info;
use cubecl::ir::{ElemType, UIntKind};
use cubecl::prelude::*;
use cubecl::server::{KernelArguments, MetadataBindingInfo};
use cubecl::{CubeCount, CubeKernel, PrecompiledSource};
use std::ops::Range;

/// Workgroups that share the sums of parameter gradients, each with a slice of its own: some for each
/// multiprocessor of a large GPU.
const GROUPS: u32 = 512;

/// Workgroups of a forward pass, each of which takes the factors into its memory once.
const FORWARD_GROUPS: u32 = 2048;

/// Invocations that share the sums of a gather.
const GATHER_INVOCATIONS: u32 = 1 << 16;

/// A kernel for CubeCL; its id holds everything that changes the text, as caches never see that.
#[derive(Clone, Debug)]
struct Wgsl(Permutation);

impl Wgsl {
    fn dim(&self) -> CubeDim {
        CubeDim::new_1d(self.0.value("workgroup"))
    }
}

impl KernelMetadata for Wgsl {
    fn name(&self) -> &'static str {
        self.0.kernel
    }

    fn id(&self) -> KernelId {
        KernelId::new::<Self>()
            .cube_dim(self.dim().into())
            // Every loop ends, and one that is not counted can be unrolled.
            .mode(ExecutionMode::Unchecked)
            .info(self.0.clone())
    }

    fn address_type(&self) -> ElemType {
        UIntKind::U32.into()
    }
}

impl CubeKernel for Wgsl {
    // Nothing: the text stands for what would be compiled.
    fn define(&self) -> KernelDefinition {
        let settings = KernelSettings::new(*self.dim(), ExecutionMode::Unchecked, AddressType::U32);
        KernelDefinition {
            body: Scope::root(settings.clone()),
            settings,
            info: Info::default(),
        }
    }

    fn source(&self) -> Option<PrecompiledSource> {
        Some(PrecompiledSource {
            source: self.0.source(),
            entrypoint_name: "main".into(),
            lang: "wgsl",
        })
    }
}

fn uses_wgsl(tensors: &[&CubeTensor]) -> bool {
    !super::only_composed() && tensors.iter().all(|tensor| fits(tensor, DType::F32))
}

/// Whether a kernel can index this tensor.
fn fits(tensor: &CubeTensor, dtype: DType) -> bool {
    tensor.client.name() == "wgpu<wgsl>"
        && tensor.dtype == dtype
        && u32::try_from(tensor.meta.shape().num_elements()).is_ok()
}

fn empty(like: &CubeTensor, shape: Shape) -> CubeTensor {
    let handle = like
        .client
        .empty(shape.num_elements().max(1) * like.dtype.size());
    CubeTensor::new_contiguous(
        like.client.clone(),
        like.device.clone(),
        shape,
        handle,
        like.dtype,
    )
}

/// Kernels launched, so that a test sees that it did not test the composition instead.
#[cfg(test)]
pub(super) static LAUNCHED: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

fn launch(permutation: Permutation, grid: (u32, u32), tensors: &[&CubeTensor], info: &[u32]) {
    let Some(client) = tensors.first().map(|tensor| &tensor.client) else {
        return;
    };
    #[cfg(test)]
    LAUNCHED.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let buffers = tensors.iter().map(|tensor| tensor.handle.clone().binding());
    // The last binding. In a buffer of our own it would be written, and each write is a submission.
    let words = info.chunks(2).map(|pair| match *pair {
        [low, high] => u64::from(high) << 32 | u64::from(low),
        _ => pair.iter().copied().map(u64::from).sum(),
    });
    let info = MetadataBindingInfo::custom(words.collect());
    client.launch(
        Box::new(Wgsl(permutation)),
        CubeCount::Static(grid.0, grid.1, 1),
        KernelArguments::new()
            .with_buffers(buffers.collect())
            .with_info(info),
    );
}

/// The rows of a tensor and the numbers in each.
fn rows_of(tensor: &CubeTensor) -> [u32; 2] {
    let shape = tensor.meta.shape();
    let last = shape[shape.num_dims() - 1];
    let rows = shape.num_elements().checked_div(last).unwrap_or(0);
    [rows, last].map(|size| u32::try_from(size).unwrap_or(0))
}

/// Two inputs may be one tensor, which a browser refuses to bind twice as writable.
fn apart(tensor: CubeTensor, other: &CubeTensor) -> CubeTensor {
    let same = tensor.handle.memory.descriptor().id == other.handle.memory.descriptor().id;
    if same { tensor.copy() } else { tensor }
}

fn sizes(shape: &AdapterShape) -> Option<AdapterSizes> {
    Some(AdapterSizes {
        n: u32::try_from(shape.n).ok()?,
        rank: u32::try_from(shape.rank).ok()?,
        model: u32::try_from(shape.model).ok()?,
        bottleneck: u32::try_from(shape.bottleneck).ok()?,
    })
}

impl KernelBackend for CubeBackend {
    fn adapter_forward(
        x: FloatTensor<Self>,
        rule: FloatTensor<Self>,
        packed: FloatTensor<Self>,
        shape: AdapterShape,
    ) -> FloatTensor<Self> {
        let rows = x.meta.shape()[0] as u32;
        let kernel = sizes(&shape).and_then(|sizes| sizes.forward());
        let (true, Some(kernel)) = (rows > 0 && uses_wgsl(&[&x, &rule, &packed]), kernel) else {
            return composed::adapter_forward::<Self>(x, rule, packed, shape);
        };
        let [x, rule, packed] = [x, rule, packed].map(into_contiguous);
        let y = empty(&x, x.meta.shape().clone());
        let tiles = rows.div_ceil(kernel.value("rows"));
        let per_group = tiles.div_ceil(FORWARD_GROUPS);
        let grid = grid(tiles.div_ceil(per_group));
        let info = [rows, grid.0, per_group];
        launch(kernel, grid, &[&x, &rule, &packed, &y], &info);
        y
    }

    fn adapter_backward(
        x: FloatTensor<Self>,
        rule: FloatTensor<Self>,
        packed: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        shape: AdapterShape,
        wants: [bool; 3],
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let rows = x.meta.shape()[0] as u32;
        let for_parameters = wants[1] || wants[2];
        let sizes = sizes(&shape);
        let kernel = sizes.and_then(|sizes| sizes.backward(wants[0], for_parameters));
        let fits = rows > 0 && uses_wgsl(&[&x, &rule, &packed, &grad]);
        let (true, Some(kernel)) = (fits, kernel) else {
            return composed::adapter_backward::<Self>(x, rule, packed, grad, shape, wants);
        };
        let [x, rule, packed, grad] = [x, rule, packed, grad].map(into_contiguous);
        let grad = apart(grad, &x);
        // Four numbers at least, as a kernel may bind them.
        let dx = match wants[0] {
            true => empty(&x, x.meta.shape().clone()),
            false => empty(&x, Shape::new([4])),
        };
        let tiles = rows.div_ceil(kernel.value("rows"));
        let per_group = tiles.div_ceil(GROUPS);
        let groups = tiles.div_ceil(per_group);
        let (len, total) = (shape.len(), shape.len() + shape.rule_len());
        let partials = match for_parameters {
            true => empty(&x, Shape::new([groups as usize, total])),
            false => empty(&x, Shape::new([1])),
        };
        let tensors = [&x, &rule, &packed, &grad, &dx, &partials];
        launch(kernel, (groups, 1), &tensors, &[rows, per_group]);
        let missing = |like: &CubeTensor| empty(like, Shape::new([1]));
        let dx = match wants[0] {
            true => dx,
            false => missing(&x),
        };
        if !for_parameters {
            return (dx, missing(&rule), missing(&packed));
        }
        let drule = empty(&rule, rule.meta.shape().clone());
        let dpacked = empty(&packed, packed.meta.shape().clone());
        let reduce = Permutation::adapter_reduce();
        let grid = grid((total as u32).div_ceil(reduce.value("outputs")));
        let info = [len as u32, total as u32, groups, grid.0];
        launch(reduce, grid, &[&partials, &dpacked, &drule], &info);
        let pick = |wanted: bool, gradient: CubeTensor| match wanted {
            true => gradient,
            false => missing(&gradient),
        };
        (dx, pick(wants[1], drule), pick(wants[2], dpacked))
    }

    fn kron_sum(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        let shape = super::kron_shape(b.meta.shape());
        if !uses_wgsl(&[&a, &b]) || u32::try_from(shape.num_elements()).is_err() {
            return composed::kron_sum::<Self>(a, b);
        }
        let [a, b] = [a, b].map(into_contiguous);
        let b = apart(b, &a);
        let [n, p, q] = [0, 1, 2].map(|axis| b.meta.shape()[axis] as u32);
        let grid = grid((shape.num_elements() as u32).div_ceil(WORKGROUP));
        let w = empty(&b, shape);
        launch(
            Permutation::kron_sum(n),
            grid,
            &[&a, &b, &w],
            &[p, q, grid.0],
        );
        w
    }

    fn kron_sum_backward(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        grad: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        if !uses_wgsl(&[&a, &b, &grad]) {
            return composed::kron_sum_backward::<Self>(a, b, grad);
        }
        let [a, b, grad] = [a, b, grad].map(into_contiguous);
        let b = apart(b, &a);
        let grad = apart(apart(grad, &a), &b);
        let [n, p, q] = [0, 1, 2].map(|axis| b.meta.shape()[axis] as u32);
        let (da, db) = (
            empty(&a, a.meta.shape().clone()),
            empty(&b, b.meta.shape().clone()),
        );
        let grid = grid(n * n * n + (n * p * q).div_ceil(WORKGROUP));
        let kernel = Permutation::kron_sum_backward(n);
        launch(kernel, grid, &[&a, &b, &grad, &da, &db], &[p, q, grid.0]);
        (da, db)
    }

    fn rms_norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self> {
        let [rows, d] = rows_of(&x);
        if rows == 0 || d == 0 || !uses_wgsl(&[&x, &weight]) {
            return composed::rms_norm::<Self>(x, weight, epsilon);
        }
        let [x, weight] = [x, weight].map(into_contiguous);
        let weight = apart(weight, &x);
        let y = empty(&x, x.meta.shape().clone());
        let kernel = Permutation::rms_norm(d);
        let grid = grid(kernel.groups(rows));
        let info = [rows, d, grid.0, epsilon.to_bits()];
        launch(kernel, grid, &[&x, &weight, &y], &info);
        y
    }

    fn rms_norm_backward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        epsilon: f32,
        for_weight: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let [rows, d] = rows_of(&x);
        if rows == 0 || d == 0 || !uses_wgsl(&[&x, &weight, &grad]) {
            return composed::rms_norm_backward::<Self>(x, weight, grad, epsilon, for_weight);
        }
        let [x, weight, grad] = [x, weight, grad].map(into_contiguous);
        let grad = apart(apart(grad, &x), &weight);
        let dx = empty(&x, x.meta.shape().clone());
        let kernel = Permutation::rms_norm_backward(for_weight);
        let groups = rows.div_ceil(kernel.value("rows"));
        let partials = match for_weight {
            true => empty(&x, Shape::new([groups as usize, d as usize])),
            false => empty(&x, Shape::new([1])),
        };
        let grid = grid(groups);
        let info = [rows, d, grid.0, epsilon.to_bits()];
        launch(kernel, grid, &[&x, &weight, &grad, &dx, &partials], &info);
        match for_weight {
            true => (dx, composed::sum_rows::<Self>(partials)),
            false => (dx, partials),
        }
    }

    fn row_softmax(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let [rows, d] = rows_of(&x);
        if rows == 0 || d == 0 || !uses_wgsl(&[&x]) {
            return composed::row_softmax::<Self>(x);
        }
        let x = into_contiguous(x);
        let y = empty(&x, x.meta.shape().clone());
        let kernel = Permutation::softmax(d);
        let grid = grid(kernel.groups(rows));
        launch(kernel, grid, &[&x, &y], &[rows, d, grid.0]);
        y
    }

    fn row_softmax_backward(y: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        let [rows, d] = rows_of(&y);
        if rows == 0 || d == 0 || !uses_wgsl(&[&y, &grad]) {
            return composed::row_softmax_backward::<Self>(y, grad);
        }
        let [y, grad] = [y, grad].map(into_contiguous);
        let grad = apart(grad, &y);
        let dx = empty(&y, y.meta.shape().clone());
        let kernel = Permutation::softmax_backward(d);
        let grid = grid(kernel.groups(rows));
        launch(kernel, grid, &[&y, &grad, &dx], &[rows, d, grid.0]);
        dx
    }

    fn adamw(
        tensor: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        moments: FloatTensor<Self>,
        step: AdamwStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let len = tensor.meta.shape().num_elements();
        if len == 0 || !uses_wgsl(&[&tensor, &grad, &scale, &moments]) {
            return composed::adamw::<Self>(tensor, grad, scale, moments, step);
        }
        let [tensor, grad, scale, moments] = [tensor, grad, scale, moments].map(into_contiguous);
        let after = empty(&tensor, tensor.meta.shape().clone());
        let moments_after = empty(&moments, moments.meta.shape().clone());
        let grid = grid((len as u32).div_ceil(WORKGROUP));
        let mut info = vec![len as u32, grid.0];
        let [[a, b], [c, d]] = [step.betas, step.corrections];
        let numbers = [step.lr, a, b, step.epsilon, step.weight_decay, c, d];
        info.extend(numbers.map(f32::to_bits));
        let tensors = [&tensor, &grad, &scale, &moments, &after, &moments_after];
        launch(Permutation::adamw(), grid, &tensors, &info);
        (after, moments_after)
    }

    fn hash_dropout(x: FloatTensor<Self>, mask: DropoutMask) -> FloatTensor<Self> {
        let len = x.meta.shape().num_elements();
        if len == 0 || !uses_wgsl(&[&x]) {
            return composed::dropout::<Self>(x, mask);
        }
        let x = into_contiguous(x);
        let y = empty(&x, x.meta.shape().clone());
        let grid = grid((len as u32).div_ceil(WORKGROUP));
        let [first, second] = mask.keys;
        let info = [
            len as u32,
            grid.0,
            first,
            second,
            mask.threshold,
            mask.scale.to_bits(),
        ];
        launch(Permutation::dropout(), grid, &[&x, &y], &info);
        y
    }

    fn hadamard(x: FloatTensor<Self>, transform: Transform) -> FloatTensor<Self> {
        let passes = Permutation::hadamard(transform.bits);
        let (true, Some(passes)) = (uses_wgsl(&[&x]) && transform.len > 0, passes) else {
            return composed::hadamard::<Self>(x, transform);
        };
        let mut data = into_contiguous(x);
        let (last, size) = (passes.len() - 1, transform.size());
        for (at, (pass, stride)) in passes.into_iter().enumerate() {
            let (len, scale) = match at == last {
                true => (transform.len, transform.scale),
                false => (size, 1.0),
            };
            let out = empty(&data, Shape::new([1, len]));
            let grid = grid((size as u32).div_ceil(pass.value("tile")));
            let given = data.meta.shape().num_elements() as u32;
            let info = [given, len as u32, stride, scale.to_bits(), grid.0];
            launch(pass, grid, &[&data, &out], &info);
            data = out;
        }
        data
    }

    fn fastfood_spread(
        h: FloatTensor<Self>,
        levels: FloatTensor<Self>,
        spread: Spread,
    ) -> FloatTensor<Self> {
        if !uses_wgsl(&[&h, &levels]) {
            return composed::fastfood_spread::<Self>(h, levels, spread);
        }
        let [h, levels] = [h, levels].map(into_contiguous);
        let z = empty(&h, Shape::new([1, spread.size()]));
        let grid = grid((spread.size() as u32).div_ceil(WORKGROUP));
        let kernel = Permutation::fastfood_spread();
        launch(kernel, grid, &[&h, &levels, &z], &spread.info([grid.0]));
        z
    }

    fn fastfood_gather(
        z: FloatTensor<Self>,
        levels: FloatTensor<Self>,
        spread: Spread,
    ) -> FloatTensor<Self> {
        if !uses_wgsl(&[&z, &levels]) {
            return composed::fastfood_gather::<Self>(z, levels, spread);
        }
        let [z, levels] = [z, levels].map(into_contiguous);
        let (size, period) = (spread.size() as u32, spread.period() as u32);
        let whole = size / period;
        let slices = (GATHER_INVOCATIONS / period).clamp(1, whole);
        let turns = whole.div_ceil(slices);
        let slices = whole.div_ceil(turns);
        let sums = empty(&z, Shape::new([slices as usize, period as usize]));
        let grid = grid((slices * period).div_ceil(WORKGROUP));
        let info = spread.info([grid.0, turns]);
        let kernel = Permutation::fastfood_gather();
        launch(kernel, grid, &[&z, &levels, &sums], &info);
        composed::sum_rows::<Self>(sums)
    }

    fn unpack_rows(
        words: IntTensor<Self>,
        scales: FloatTensor<Self>,
        packing: Packing,
        rows: Range<usize>,
    ) -> FloatTensor<Self> {
        let shape = packed::unpacked(words.meta.shape(), &packing, &rows);
        let kernel_fits = uses_wgsl(&[&scales]) && fits(&words, DType::U32);
        if !kernel_fits || shape.num_elements() == 0 {
            return composed::unpack_rows::<Self>(words, scales, packing, rows);
        }
        let width = words.meta.shape()[1];
        let [words, scales] = [words, scales].map(into_contiguous);
        let out = empty(&scales, shape);
        let (first, count) = ((rows.start * width) as u32, (rows.len() * width) as u32);
        let grid = grid(count.div_ceil(WORKGROUP));
        match packing {
            Packing::F16 => {
                let info = [first, count, grid.0];
                launch(Permutation::unpack_f16(), grid, &[&words, &out], &info);
            }
            Packing::Int8 { group } => {
                let info = [first, count, (group / packing.per_word()) as u32, grid.0];
                let tensors = [&words, &scales, &out];
                launch(Permutation::unpack_int8(), grid, &tensors, &info);
            }
        }
        out
    }
}
