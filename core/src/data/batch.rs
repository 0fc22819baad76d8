//! Rows of token ids, padded batches and the order of an epoch.

use super::Tokenizer;
use crate::Result;
use crate::random::Stream;

/// The label of a target position that does not count.
pub const IGNORED: i32 = -100;

/// How many batches are sorted by length together: enough that little is padded, few enough that
/// batches differ from epoch to epoch.
const POOL: usize = 16;

/// A tokenized example; source and target end with `</s>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Ids of the encoder's input.
    pub source: Vec<u32>,
    /// Ids that the decoder is to produce.
    pub target: Vec<u32>,
}

impl Row {
    /// Tokenizes a pair; the source is cut at `max_source` ids (0: never), the target is not.
    pub fn from_text(
        tokenizer: &Tokenizer,
        source: &str,
        target: &str,
        max_source: usize,
    ) -> Result<Self> {
        let source = tokenizer.encode(source, max_source)?;
        Ok(Self {
            source,
            target: tokenizer.encode(target, 0)?,
        })
    }
}

/// Rows padded to the longest among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Number of rows.
    pub rows: usize,
    /// Columns of `source` and `mask`.
    pub source_len: usize,
    /// Columns of `labels`.
    pub target_len: usize,
    /// `[rows, source_len]` ids, padded with 0.
    pub source: Vec<i32>,
    /// `[rows, source_len]`: 1 for a token, 0 for padding.
    pub mask: Vec<i32>,
    /// `[rows, target_len]` ids, padded with [`IGNORED`].
    pub labels: Vec<i32>,
}

impl Batch {
    /// Pads `rows` on the right.
    pub fn new(rows: &[&Row]) -> Self {
        let source_len = rows.iter().map(|row| row.source.len()).max().unwrap_or(0);
        let target_len = rows.iter().map(|row| row.target.len()).max().unwrap_or(0);
        let mut batch = Self {
            rows: rows.len(),
            source_len,
            target_len,
            source: Vec::with_capacity(rows.len() * source_len),
            mask: Vec::with_capacity(rows.len() * source_len),
            labels: Vec::with_capacity(rows.len() * target_len),
        };
        for row in rows {
            pad(
                &mut batch.source,
                row.source.iter().map(|&id| id as i32),
                source_len,
                0,
            );
            pad(&mut batch.mask, row.source.iter().map(|_| 1), source_len, 0);
            pad(
                &mut batch.labels,
                row.target.iter().map(|&id| id as i32),
                target_len,
                IGNORED,
            );
        }
        batch
    }

    /// Labels that count in the loss.
    pub fn counted(&self) -> usize {
        let counts = |&&label: &&i32| label != IGNORED;
        self.labels.iter().filter(counts).count()
    }
}

/// Appends `values` and then `fill` up to `len`.
fn pad(to: &mut Vec<i32>, values: impl ExactSizeIterator<Item = i32>, len: usize, fill: i32) {
    let missing = len - values.len();
    to.extend(values);
    to.extend(std::iter::repeat_n(fill, missing));
}

/// The batches of an epoch as row numbers: shuffled, with rows of like `lengths` together; every row
/// is in exactly one batch, and all batches but one have `batch` rows.
pub fn epoch_plan(lengths: &[usize], batch: usize, seed: u64, epoch: usize) -> Vec<Vec<usize>> {
    let batch = batch.max(1);
    let mut stream = Stream::new(seed, &format!("epoch/{epoch}"));
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    stream.shuffle(&mut order);
    for pool in order.chunks_mut(batch.saturating_mul(POOL)) {
        pool.sort_by_key(|&row| lengths[row]); // stable: equal lengths stay shuffled
    }
    let mut batches: Vec<Vec<usize>> = order.chunks(batch).map(<[usize]>::to_vec).collect();
    stream.shuffle(&mut batches);
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_padded_to_their_longest_row() {
        let rows = [
            Row {
                source: vec![5, 6, 1],
                target: vec![7, 1],
            },
            Row {
                source: vec![8, 1],
                target: vec![9, 3, 1],
            },
        ];
        let batch = Batch::new(&[&rows[0], &rows[1]]);
        assert_eq!((batch.rows, batch.source_len, batch.target_len), (2, 3, 3));
        assert_eq!(batch.source, [5, 6, 1, 8, 1, 0]);
        assert_eq!(batch.mask, [1, 1, 1, 1, 1, 0]);
        assert_eq!(batch.labels, [7, 1, -100, 9, 3, 1]);
        assert_eq!(Batch::new(&[]).rows, 0);
    }

    #[test]
    fn an_epoch_has_every_row_once_in_batches_of_like_length() {
        let lengths: Vec<usize> = (0..203).map(|i| (i * 37) % 101).collect();
        let plan = epoch_plan(&lengths, 8, 1, 0);
        assert_eq!(plan.len(), 26);
        assert_eq!(plan.iter().filter(|batch| batch.len() != 8).count(), 1);
        let mut all: Vec<usize> = plan.concat();
        all.sort_unstable();
        assert_eq!(all, (0..203).collect::<Vec<_>>());
        let padded: usize = plan
            .iter()
            .map(|batch| batch.len() * batch.iter().map(|&i| lengths[i]).max().unwrap())
            .sum();
        let needed: usize = lengths.iter().sum();
        assert!(padded < needed * 12 / 10, "{padded} for {needed}");
    }

    #[test]
    fn epochs_differ_and_repeat() {
        let lengths = [3; 40];
        assert_eq!(epoch_plan(&lengths, 4, 1, 2), epoch_plan(&lengths, 4, 1, 2));
        assert_ne!(epoch_plan(&lengths, 4, 1, 2), epoch_plan(&lengths, 4, 1, 3));
        assert_ne!(epoch_plan(&lengths, 4, 1, 2), epoch_plan(&lengths, 4, 2, 2));
        assert!(epoch_plan(&[], 4, 1, 0).is_empty());
        assert_eq!(epoch_plan(&[1], 0, 1, 0), [[0]]);
    }
}
