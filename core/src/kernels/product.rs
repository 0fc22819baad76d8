//! Matrix products of the CPU, by the crate that burn's CPU backend calls, into memory of our own:
//! burn's is zeroed before, and copied once more behind for an alignment that it has already.

use super::packed::LARGEST_TEMPORARY;
use super::transpose::transposed;
use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::DType;
use std::mem::MaybeUninit;

/// Multiply-adds from which threads are worth their start, as burn-flex 0.22.1 has it.
#[cfg(feature = "native")]
const PARALLEL: usize = 192 * 192 * 192;

/// Rows of a above which b is turned over first where it lies the other way: gemm would walk down
/// b's columns, once for every part of the result, and lines whose distance is a multiple of 4 KiB
/// (a row of 1,024 numbers, or 3,072) drive each other out of the nearest cache.
const TURNING_PAYS: usize = 64;

/// A matrix as it lies in memory: rows and columns, and how far it is from one to the next.
struct Matrix<'a> {
    values: &'a [f32],
    sizes: [usize; 2],
    strides: [usize; 2],
}

impl<'a> Matrix<'a> {
    /// `None` for what is not two-dimensional, f32, forward and all there.
    fn of(tensor: &'a FlexTensor) -> Option<Self> {
        let sizes: [usize; 2] = tensor.shape().as_slice().try_into().ok()?;
        let [rows, columns]: [isize; 2] = tensor.layout().strides().try_into().ok()?;
        let strides = [usize::try_from(rows).ok()?, usize::try_from(columns).ok()?];
        if tensor.dtype() != DType::F32 || sizes.contains(&0) {
            return None;
        }
        let values = tensor.storage::<f32>();
        let values = values.get(tensor.layout().start_offset()..)?;
        let last = (sizes[0] - 1) * strides[0] + (sizes[1] - 1) * strides[1];
        (last < values.len()).then_some(Self {
            values,
            sizes,
            strides,
        })
    }
}

/// `a b` in row order; `None` for what [`Matrix::of`] refuses, and where the sizes do not match.
pub(super) fn product(a: &FlexTensor, b: &FlexTensor) -> Option<Vec<f32>> {
    product_by(a, b, LARGEST_TEMPORARY)
}

/// The same, turning over at most so many numbers at a time.
fn product_by(a: &FlexTensor, b: &FlexTensor, largest: usize) -> Option<Vec<f32>> {
    let (a, b) = (Matrix::of(a)?, Matrix::of(b)?);
    let ([rows, inner], [height, columns]) = (a.sizes, b.sizes);
    if inner != height {
        return None;
    }
    let mut out: Vec<f32> = Vec::with_capacity(rows * columns);
    let room = out.spare_capacity_mut();
    let [down, stride] = b.strides;
    if rows > TURNING_PAYS && down == 1 && stride >= inner {
        let at_once = (largest / inner).clamp(1, columns);
        for first in (0..columns).step_by(at_once) {
            let count = at_once.min(columns - first);
            let turned = transposed(&b.values[first * stride..], [count, inner], stride);
            let part = Matrix {
                values: &turned, // [inner, count]
                sizes: [inner, count],
                strides: [count, 1],
            };
            multiply(&a, &part, &mut room[first..], columns);
        }
    } else {
        multiply(&a, &b, room, columns);
    }
    // SAFETY: the parts of b's columns make up all of them, and `multiply` has written each.
    #[allow(unsafe_code)]
    unsafe {
        out.set_len(rows * columns);
    }
    Some(out)
}

/// `a b` into rows that begin `stride` numbers apart.
fn multiply(a: &Matrix<'_>, b: &Matrix<'_>, out: &mut [MaybeUninit<f32>], stride: usize) {
    let ([rows, inner], [height, columns]) = (a.sizes, b.sizes);
    assert!(inner == height && out.len() >= (rows - 1) * stride + columns && stride >= columns);
    let [a_strides, b_strides] = [a.strides, b.strides].map(|s| s.map(|stride| stride as isize));
    // SAFETY: of a and b it has been seen that the last element lies within its slice (`Matrix::of`,
    // or for what was turned over its length), the sizes match and `out` has room, as was asserted.
    // gemm writes every element of the result and reads none: `read_dst` is false, and no size is 0.
    #[allow(unsafe_code)]
    unsafe {
        gemm::gemm(
            rows,
            columns,
            inner,
            out.as_mut_ptr().cast::<f32>(),
            1,
            stride as isize,
            false,
            a.values.as_ptr(),
            a_strides[1],
            a_strides[0],
            b.values.as_ptr(),
            b_strides[1],
            b_strides[0],
            0.0,
            1.0,
            false,
            false,
            false,
            threads(rows.saturating_mul(columns).saturating_mul(inner)),
        );
    }
}

#[cfg(feature = "native")]
fn threads(work: usize) -> gemm::Parallelism {
    match work < PARALLEL {
        true => gemm::Parallelism::None,
        // As many as there are.
        false => gemm::Parallelism::Rayon(0),
    }
}

#[cfg(not(feature = "native"))]
fn threads(_work: usize) -> gemm::Parallelism {
    gemm::Parallelism::None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::composed::plain_product;
    use burn::backend::tensor::FloatTensor;
    use burn::backend::{Backend, Flex};
    use burn::tensor::{Shape, TensorData};

    fn matrix(rows: usize, columns: usize, seed: usize) -> FlexTensor {
        let value = |at: usize| ((at * 37 + seed) % 101) as f32 / 50.0 - 1.0;
        let values: Vec<f32> = (0..rows * columns).map(value).collect();
        FlexTensor::from_data(TensorData::new(values, Shape::new([rows, columns])))
    }

    fn transposed<B: Backend>(tensor: FloatTensor<B>) -> FloatTensor<B> {
        B::float_transpose(tensor)
    }

    /// All but the first column and what is more than so many.
    fn part<B: Backend>(tensor: FloatTensor<B>, rows: usize, columns: usize) -> FloatTensor<B> {
        B::float_slice(tensor, &[(0..rows).into(), (1..=columns).into()])
    }

    /// The same crate with the same arguments gives the same bits.
    #[test]
    fn every_layout_gives_what_burn_gives() {
        for (rows, inner, columns) in [(1, 1, 1), (3, 5, 7), (200, 210, 220)] {
            let a = [
                matrix(rows, inner, 3),
                transposed::<Flex>(matrix(inner, rows, 3)),
            ];
            let wide = matrix(inner, columns + 2, 8);
            let part = part::<Flex>(wide, inner, columns);
            let b = [
                matrix(inner, columns, 8),
                transposed::<Flex>(matrix(columns, inner, 8)),
                part,
            ];
            for a in &a {
                for b in &b {
                    let want = plain_product::<Flex>(a.clone(), b.clone());
                    let want = want.to_contiguous().storage::<f32>().to_vec();
                    assert_eq!(product(a, b), Some(want), "{rows} {inner} {columns}");
                }
            }
        }
    }

    #[test]
    fn a_matrix_turned_over_in_parts_gives_the_same() {
        let (a, b) = (matrix(70, 33, 5), transposed::<Flex>(matrix(50, 33, 6)));
        let [whole, parts] = [usize::MAX, 33 * 20].map(|largest| {
            let product = product_by(&a, &b, largest);
            product.expect("the sizes match")
        });
        // gemm adds in another order where so few columns are asked for.
        for (whole, part) in whole.iter().zip(&parts) {
            assert!((whole - part).abs() <= 1e-5, "{whole} {part}");
        }
        assert_eq!([whole.len(), parts.len()], [70 * 50; 2]);
    }

    #[test]
    fn other_sizes_are_left_to_burn() {
        assert!(product(&matrix(2, 3, 0), &matrix(2, 3, 0)).is_none());
        assert!(product(&matrix(2, 0, 0), &matrix(0, 3, 0)).is_none());
    }
}
