//! Frozen matrices kept packed and computed with in f32.
//!
//! A matrix is unpacked for one product and dropped after it: unpacking and product are one
//! operation to autodiff and to fusion, so that neither keeps the f32 values until backward.

use super::{KernelBackend, composed};
use crate::packing::Packing;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Dispatch, TensorMetadata};
use burn::tensor::{DType, Device, Int, Shape, Slice, Tensor, TensorData};
use std::ops::Range;

/// Largest f32 temporary in elements, 16 MiB: the head is taken in several, all else in one.
pub(super) const LARGEST_TEMPORARY: usize = 4 << 20;

/// A frozen matrix `[rows, columns]`.
#[derive(Debug, Clone)]
pub struct Packed {
    /// `[rows, columns / values in a word]`.
    words: Tensor<2, Int>,
    /// `[rows, columns / group]`; `[1, 1]` for halves, which have none.
    scales: Tensor<2>,
    packing: Packing,
}

impl Packed {
    /// From a packer's words and scales, for the rows that it was given.
    pub fn new(
        words: Vec<u32>,
        mut scales: Vec<f32>,
        packing: Packing,
        rows: usize,
        device: &Device,
    ) -> Self {
        if scales.is_empty() {
            scales.push(1.0);
        }
        let per_row = |len: usize| match packing {
            Packing::F16 => [1, 1],
            Packing::Int8 { .. } => [rows, len / rows.max(1)],
        };
        let scales_shape = per_row(scales.len());
        let words_shape = [rows, words.len() / rows.max(1)];
        let data = [
            TensorData::new(words, words_shape),
            TensorData::new(scales, scales_shape),
        ];
        // Weights stay for good: buffers of just their size, not the next larger of a pool.
        let (words, scales) = device.memory_persistent_allocations(data, |[words, scales]| {
            (
                Tensor::from_data(words, (device, DType::U32)),
                Tensor::from_data(scales, (device, DType::F32)),
            )
        });
        Self {
            words,
            scales,
            packing,
        }
    }

    /// Its shape as f32.
    pub fn dims(&self) -> [usize; 2] {
        let [rows, words] = self.words.dims();
        [rows, words * self.packing.per_word()]
    }

    /// The whole matrix in f32.
    pub fn unpack(&self) -> Tensor<2> {
        let rows = 0..self.dims()[0];
        Tensor::from_dispatch(<Dispatch as KernelBackend>::unpack_rows(
            self.words.clone().into_dispatch(),
            self.scales.clone().into_dispatch(),
            self.packing,
            rows,
        ))
    }

    /// Some of its rows in f32: `[ids, columns]`.
    pub fn select(&self, ids: Tensor<1, Int>) -> Tensor<2> {
        let scales = match self.packing {
            Packing::F16 => self.scales.clone(),
            Packing::Int8 { .. } => self.scales.clone().select(0, ids.clone()),
        };
        let words = self.words.clone().select(0, ids);
        Self {
            words,
            scales,
            packing: self.packing,
        }
        .unpack()
    }

    /// `x W^T` for this `W: [out, in]`; `x: [rows, in]`.
    pub fn linear(&self, x: Tensor<2>) -> Tensor<2> {
        Tensor::from_dispatch(<Dispatch as KernelBackend>::packed_linear(
            x.into_dispatch(),
            self.words.clone().into_dispatch(),
            self.scales.clone().into_dispatch(),
            self.packing,
        ))
    }
}

/// Shape of some unpacked rows.
pub(super) fn unpacked(words: &Shape, packing: &Packing, rows: &Range<usize>) -> Shape {
    Shape::new([rows.len(), words[1] * packing.per_word()])
}

/// Shape of `x W^T`.
#[cfg(feature = "native")]
pub(super) fn output(x: &Shape, words: &Shape) -> Shape {
    Shape::new([x[0], words[0]])
}

/// Shape of the gradient of x.
#[cfg(feature = "native")]
pub(super) fn input(grad: &Shape, words: &Shape, packing: &Packing) -> Shape {
    Shape::new([grad[0], words[1] * packing.per_word()])
}

/// Ranges of rows whose f32 values stay below the largest temporary.
fn tiles(words: &Shape, packing: Packing) -> impl Iterator<Item = Range<usize>> + use<> {
    let (rows, columns) = (words[0], words[1] * packing.per_word());
    let tile = (LARGEST_TEMPORARY / columns.max(1)).max(1);
    (0..rows)
        .step_by(tile)
        .map(move |start| start..rows.min(start + tile))
}

/// `x W^T`, tile by tile of W's rows.
pub(super) fn linear<B: KernelBackend>(
    x: FloatTensor<B>,
    words: IntTensor<B>,
    scales: FloatTensor<B>,
    packing: Packing,
) -> FloatTensor<B> {
    let mut parts: Vec<_> = tiles(&words.shape(), packing)
        .map(|rows| {
            let w = B::unpack_rows(words.clone(), scales.clone(), packing, rows);
            B::plain_product(x.clone(), B::float_transpose(w)) // [rows of x, tile]
        })
        .collect();
    match parts.len() {
        1 => parts.remove(0),
        _ => B::float_cat(parts, 1),
    }
}

/// The gradient of x: `grad W`, tile by tile of W's rows.
pub(super) fn linear_backward<B: KernelBackend>(
    grad: FloatTensor<B>,
    words: IntTensor<B>,
    scales: FloatTensor<B>,
    packing: Packing,
) -> FloatTensor<B> {
    let count = grad.shape()[0];
    let whole = words.shape()[0];
    let parts = tiles(&words.shape(), packing).map(|rows| {
        let w = B::unpack_rows(words.clone(), scales.clone(), packing, rows.clone());
        let part = match rows.len() == whole {
            true => grad.clone(),
            false => B::float_slice(grad.clone(), &[Slice::from(0..count), Slice::from(rows)]),
        };
        B::plain_product(part, w) // [rows of x, columns]
    });
    match parts.reduce(B::float_add) {
        Some(sum) => sum,
        None => composed::nothing::<B>(&grad),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{compare, devices, random, read, wide};
    use super::super::{cube, twin};
    use super::*;
    use crate::packing::Packer;
    use crate::random::Stream;
    use std::sync::atomic::Ordering;

    const PACKINGS: [Packing; 2] = [Packing::F16, Packing::Int8 { group: 8 }];

    /// A matrix on a device, and the f32 values that its words say.
    fn matrix(
        stream: &mut Stream,
        [rows, columns]: [usize; 2],
        packing: Packing,
        device: &Device,
    ) -> (Packed, Vec<f32>) {
        let mut values = random(stream, rows * columns, 0.3);
        values[..4].copy_from_slice(&[0.0, 3e-7, -6e-8, -0.0]); // subnormal halves
        let mut packer = Packer::new(packing, values.len());
        packer.push(&values).expect("finite");
        let (words, scales) = packer.finish();
        let says = twin::unpack_rows(&words, &scales, packing);
        let packed = Packed::new(words, scales, packing, rows, device);
        assert_eq!(packed.dims(), [rows, columns]);
        (packed, says)
    }

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|value| value.to_bits()).collect()
    }

    #[test]
    fn rows_are_unpacked_to_the_bit_on_every_device() {
        let mut stream = Stream::new(20, "unpack");
        for (name, device) in devices() {
            for packing in PACKINGS {
                for [rows, columns] in [[1, 8], [5, 24], [70, 512], [300, 2048]] {
                    let (packed, says) = matrix(&mut stream, [rows, columns], packing, &device);
                    let what = format!("{name} {packing:?} {rows} {columns}");
                    assert_eq!(bits(&read(packed.unpack())), bits(&says), "{what}");
                    let ids: Vec<i32> = (0..9).map(|_| stream.below(rows) as i32).collect();
                    let want = ids
                        .iter()
                        .flat_map(|id| &says[*id as usize * columns..][..columns]);
                    let want: Vec<f32> = want.copied().collect();
                    let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [9]), &device);
                    assert_eq!(bits(&read(packed.select(ids))), bits(&want), "{what}");
                }
            }
        }
    }

    #[test]
    fn the_composition_says_the_same() {
        use burn::backend::Flex;
        use burn::backend::flex::FlexTensor;
        let mut stream = Stream::new(25, "composed unpack");
        for packing in PACKINGS {
            let values = random(&mut stream, 12 * 16, 0.3);
            let mut packer = Packer::new(packing, values.len());
            packer.push(&values).expect("finite");
            let (words, mut scales) = packer.finish();
            let says = twin::unpack_rows(&words, &scales, packing);
            let width = words.len() / 12;
            let words = FlexTensor::from_data(TensorData::new(words, [12, width]));
            if scales.is_empty() {
                scales = vec![1.0; 12];
            }
            let groups = scales.len() / 12;
            let scales = FlexTensor::from_data(TensorData::new(scales, [12, groups]));
            let got = composed::unpack_rows::<Flex>(words, scales, packing, 3..10);
            let got = got.into_data().try_into_vec::<f32>().expect("f32");
            assert_eq!(bits(&got), bits(&says[3 * 16..10 * 16]), "{packing:?}");
        }
    }

    #[test]
    fn some_rows_are_those_of_the_whole() {
        let mut stream = Stream::new(21, "some rows");
        for (name, device) in devices() {
            for packing in PACKINGS {
                let (packed, says) = matrix(&mut stream, [40, 16], packing, &device);
                let part = Tensor::<2>::from_dispatch(<Dispatch as KernelBackend>::unpack_rows(
                    packed.words.into_dispatch(),
                    packed.scales.into_dispatch(),
                    packing,
                    7..29,
                ));
                assert_eq!(part.dims(), [22, 16]);
                assert_eq!(
                    bits(&read(part)),
                    bits(&says[7 * 16..29 * 16]),
                    "{name} {packing:?}"
                );
            }
        }
    }

    /// `x W^T` and its gradient by x, against plain loops over what the words say.
    fn check_linear(stream: &mut Stream, sizes: [usize; 3], packing: Packing, device: &Device) {
        let [count, rows, columns] = sizes;
        let (packed, says) = matrix(stream, [rows, columns], packing, device);
        let (x, grad) = (
            random(stream, count * columns, 1.0),
            random(stream, count * rows, 1.0),
        );
        let tensor = |values: &[f32], width: usize| {
            Tensor::<2>::from_data(TensorData::new(values.to_vec(), [count, width]), device)
        };
        let leaf = tensor(&x, columns).require_grad();
        let y = packed.linear(leaf.clone());
        let (w, what) = (wide(&says), format!("{packing:?} {sizes:?}"));
        let mut want = vec![0.0; count * rows];
        let mut want_grad = vec![0.0; count * columns];
        for (at, want) in want.iter_mut().enumerate() {
            let (i, o) = (at / rows, at % rows);
            for k in 0..columns {
                *want += f64::from(x[i * columns + k]) * w[o * columns + k];
                want_grad[i * columns + k] += f64::from(grad[at]) * w[o * columns + k];
            }
        }
        compare(&what, &read(y.clone()), &want, 2e-6);
        let grads = (y * tensor(&grad, rows)).sum().backward();
        let got = leaf.grad(&grads).expect("tracked");
        compare(&what, &read(got), &want_grad, 2e-6);
        // Nothing is tracked: the same values, no graph.
        compare(
            &what,
            &read(packed.linear(tensor(&x, columns))),
            &want,
            2e-6,
        );
    }

    #[test]
    fn products_and_gradients_are_those_of_the_unpacked_matrix() {
        let mut stream = Stream::new(22, "packed linear");
        for (_, device) in devices() {
            for packing in PACKINGS {
                for sizes in [[1, 1, 8], [3, 5, 24], [33, 20, 64]] {
                    check_linear(&mut stream, sizes, packing, &device);
                }
            }
        }
    }

    #[test]
    fn a_matrix_above_the_largest_temporary_goes_in_tiles() {
        let columns = 1 << 14;
        let rows = 2 * LARGEST_TEMPORARY / columns + 3;
        for packing in PACKINGS {
            let words = Shape::new([rows, columns / packing.per_word()]);
            let tiles: Vec<_> = tiles(&words, packing).collect();
            assert_eq!(tiles, [0..256, 256..512, 512..515]);
        }
        let mut stream = Stream::new(23, "tiles");
        let device = crate::cpu_device();
        check_linear(&mut stream, [2, rows, columns], PACKINGS[1], &device);
    }

    #[test]
    fn wgpu_runs_the_kernels_and_not_the_composition() {
        let mut stream = Stream::new(24, "packed launches");
        for (_, device) in devices().into_iter().filter(|(name, _)| *name == "wgpu") {
            for packing in PACKINGS {
                let (packed, _) = matrix(&mut stream, [4, 16], packing, &device);
                let before = cube::LAUNCHED.load(Ordering::Relaxed);
                read(packed.unpack());
                assert!(
                    cube::LAUNCHED.load(Ordering::Relaxed) > before,
                    "{packing:?}"
                );
            }
        }
    }
}
