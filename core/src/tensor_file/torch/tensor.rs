//! A tensor as a view of a storage: where its numbers lie, checked before any is read.

use safetensors::Dtype;

/// The most sizes of a tensor. A tensor may be named again and again, and each time is a copy.
const MOST_SIZES: usize = 8;

/// A run of numbers of one type, an entry of the archive.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Storage {
    /// Its name in the archive, below `data/`.
    pub(super) key: String,
    pub(super) dtype: Dtype,
    pub(super) elements: u64,
}

impl Storage {
    /// Its length; `None` beyond any file.
    pub(super) fn bytes(&self) -> Option<u64> {
        self.elements.checked_mul(self.width())
    }

    /// Bytes of one number.
    pub(super) fn width(&self) -> u64 {
        self.dtype.bitsize() as u64 / 8
    }
}

/// Which numbers of a storage are a tensor's.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tensor {
    pub(super) storage: Storage,
    /// Its first number, counted from the storage's.
    pub(super) offset: u64,
    pub(super) shape: Vec<usize>,
    strides: Vec<u64>,
}

impl Tensor {
    /// Refuses, with the reason, whatever would reach beyond the storage or repeat its numbers.
    pub(super) fn new(
        storage: Storage,
        offset: u64,
        shape: Vec<u64>,
        strides: Vec<u64>,
    ) -> std::result::Result<Self, String> {
        if shape.len() > MOST_SIZES {
            let sizes = shape.len();
            return Err(format!(
                "a tensor of {sizes} sizes, at most {MOST_SIZES} are read"
            ));
        }
        if shape.len() != strides.len() {
            let (sizes, strides) = (shape.len(), strides.len());
            return Err(format!("a tensor of {sizes} sizes and {strides} strides"));
        }
        let count = shape
            .iter()
            .try_fold(1u64, |all, &size| all.checked_mul(size));
        let last = shape
            .iter()
            .zip(&strides)
            .try_fold(offset, |at, (&size, &stride)| {
                at.checked_add(size.saturating_sub(1).checked_mul(stride)?)
            });
        let elements = storage.elements;
        let inside = match (count, last) {
            (Some(0), _) => true,
            (Some(count), Some(last)) => count <= elements && last < elements,
            _ => false,
        };
        let shape: Vec<usize> = shape
            .iter()
            .map_while(|&size| usize::try_from(size).ok())
            .collect();
        if !inside || shape.len() != strides.len() {
            return Err(format!(
                "a tensor {shape:?} with strides {strides:?} from {offset} does not lie in its \
                 storage of {elements} numbers"
            ));
        }
        Ok(Self {
            storage,
            // A tensor without numbers may begin anywhere; here it begins at the front.
            offset: if count == Some(0) { 0 } else { offset },
            shape,
            strides,
        })
    }

    /// Number of its numbers.
    pub(super) fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether its numbers lie one after another in row order.
    pub(super) fn is_contiguous(&self) -> bool {
        if self.elements() == 0 {
            return true;
        }
        let mut expected = 1;
        for (&size, &stride) in self.shape.iter().zip(&self.strides).rev() {
            if size != 1 && stride != expected {
                return false;
            }
            expected *= size as u64;
        }
        true
    }

    /// Its numbers out of its storage's, in row order.
    pub(super) fn gather(&self, storage: &[f32]) -> Vec<f32> {
        let mut values = Vec::with_capacity(self.elements());
        let mut index = vec![0usize; self.shape.len()];
        for _ in 0..self.elements() {
            let steps = index.iter().zip(&self.strides);
            let at = steps.fold(self.offset, |at, (&i, &stride)| at + i as u64 * stride);
            values.extend(storage.get(at as usize));
            for (i, &size) in index.iter_mut().zip(&self.shape).rev() {
                *i += 1;
                if *i < size {
                    break;
                }
                *i = 0;
            }
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(offset: u64, shape: &[u64], strides: &[u64]) -> std::result::Result<Tensor, String> {
        let storage = Storage {
            key: "0".into(),
            dtype: Dtype::F32,
            elements: 12,
        };
        Tensor::new(storage, offset, shape.into(), strides.into())
    }

    #[test]
    fn a_transposed_view_is_gathered_by_its_strides() {
        let storage: Vec<f32> = (0..12).map(|v| v as f32).collect();
        let view = tensor(1, &[2, 3], &[1, 4]).unwrap();
        assert!(!view.is_contiguous());
        assert_eq!(view.gather(&storage), [1.0, 5.0, 9.0, 2.0, 6.0, 10.0]);
        let scalar = tensor(11, &[], &[]).unwrap();
        assert_eq!(scalar.gather(&storage), [11.0]);
        // The stride of a size of one is never walked.
        assert!(tensor(0, &[3, 1, 4], &[4, 99, 1]).unwrap().is_contiguous());
    }

    #[test]
    fn numbers_that_overflow_are_refused() {
        for (offset, shape, strides) in [
            (u64::MAX, vec![2], vec![1]),
            (0, vec![u64::MAX, u64::MAX], vec![1, 1]),
            (0, vec![2], vec![u64::MAX]),
            (12, vec![1], vec![1]),
            (0, vec![1 << 40], vec![0]),
        ] {
            assert!(tensor(offset, &shape, &strides).is_err(), "{shape:?}");
        }
        assert!(tensor(0, &[1; 9], &[1; 9]).is_err());
        let empty = tensor(u64::MAX, &[0], &[1]).unwrap();
        assert_eq!((empty.offset, empty.gather(&[])), (0, vec![]));
    }
}
