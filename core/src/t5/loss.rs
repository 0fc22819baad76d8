//! Cross entropy, with the output layer computed only at positions that count.

use super::forward::int2;
use super::layers::LARGEST_INTERMEDIATE;
use super::{Forward, Inputs};
use crate::Result;
use crate::data::{Batch, IGNORED};
use burn::tensor::{Int, Tensor, TensorData, activation};

impl Forward<'_> {
    /// Log-probability of every label that counts, in reading order: `[positions]`.
    ///
    /// `labels` is `[rows, length]`, -100 where nothing counts.
    pub fn label_log_probabilities(
        &self,
        labels: &[i32],
        encoded: &Tensor<3>,
        mask: &Tensor<4>,
    ) -> Result<Tensor<1>> {
        let ids = self.decoder_ids(labels, encoded.dims()[0]);
        let hidden = self.decode(ids, encoded, mask)?;
        self.picked(labels, hidden)
    }

    /// Decoder inputs `[rows, length]` for labels `[rows, length]`.
    pub(super) fn decoder_ids(&self, labels: &[i32], rows: usize) -> Tensor<2, Int> {
        int2(&self.shift_right(labels, rows), rows, self.model.device())
    }

    /// Log-probability of every label that counts by the decoder's output `[rows, length, d_model]`.
    pub(super) fn picked(&self, labels: &[i32], hidden: Tensor<3>) -> Result<Tensor<1>> {
        let device = self.model.device();
        let [rows, length, d] = hidden.dims();
        let counted: Vec<i32> = (0..labels.len())
            .filter(|&i| labels[i] != IGNORED)
            .map(|i| i as i32)
            .collect();
        let targets: Vec<i32> = counted.iter().map(|&i| labels[i as usize]).collect();
        let count = counted.len();
        let hidden = hidden.reshape([rows * length, d]).select(
            0,
            Tensor::<1, Int>::from_data(TensorData::new(counted, [count]), device),
        );
        let targets = int2(&targets, count, device); // [positions, 1]
        let tile = (LARGEST_INTERMEDIATE / self.model.config().vocab_size).max(1);
        let mut parts = Vec::new();
        for start in (0..count).step_by(tile) {
            let at = start..count.min(start + tile);
            let logits = self.logits(hidden.clone().slice([at.clone(), 0..d]))?;
            let target = targets.clone().slice([at.clone(), 0..1]);
            let picked = activation::log_softmax(logits, 1).gather(1, target);
            parts.push(picked.reshape([at.len()]));
        }
        Ok(if parts.len() == 1 {
            parts.remove(0)
        } else {
            Tensor::cat(parts, 0)
        })
    }

    /// Sum of the cross entropy over the labels of a batch that count, `[1]`.
    pub fn loss_sum(&self, batch: &Batch) -> Result<Tensor<1>> {
        let inputs = Inputs::new(&batch.source, &batch.mask, batch.rows, self.model.device());
        let encoded = self.encode(&inputs)?;
        Ok(self
            .label_log_probabilities(&batch.labels, &encoded, &inputs.mask)?
            .sum()
            .neg())
    }

    /// Decoder inputs: labels one to the right, the start token in front, padding for -100.
    fn shift_right(&self, labels: &[i32], rows: usize) -> Vec<i32> {
        let config = self.model.config();
        let length = labels.len() / rows.max(1);
        let pad = config.pad_token_id as i32;
        let mut ids = Vec::with_capacity(labels.len());
        for row in labels.chunks(length.max(1)) {
            ids.push(config.decoder_start_token_id as i32);
            let shown = row[..row.len() - 1].iter();
            ids.extend(shown.map(|&label| if label == IGNORED { pad } else { label }));
        }
        ids
    }
}
