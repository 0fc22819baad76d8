//! A session's whole state as one safetensors file.

use super::Settings;
use super::session::{Progress, Session};
use crate::engine::float_values;
use crate::t5::{Tensors, upload};
use crate::tensor_file::Stream;
use crate::{Error, Result, artifact};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io::Read;

const KEY: &str = "compacter_checkpoint";
/// Numbers that are turned into bytes at once.
const PART: usize = 1 << 14;

#[derive(Serialize, Deserialize)]
struct Meta {
    step: usize,
    settings: Settings,
    progress: Progress,
}

impl Session {
    /// Everything that continuing needs: weights, moments, the best weights, progress. What is not
    /// finite is an error, so that no checkpoint holds what gradients without end have left.
    pub async fn checkpoint_async(&self) -> Result<Vec<u8>> {
        let (front, state) = self.checkpoint_front()?;
        let numbers = state.values().map(|tensor| tensor.shape().num_elements());
        // To the byte: a vector that has to grow at its end doubles, and copies all of it.
        let mut file = Vec::with_capacity(front.len() + 4 * numbers.sum::<usize>());
        let each = |part: &[u8]| {
            file.extend_from_slice(part);
            Ok::<_, Error>(())
        };
        self.checkpoint_parts(front, state, each).await?;
        Ok(file)
    }

    /// The same in parts, each handed on before the next is made: the whole is four times what is
    /// trained, which for full fine-tuning is more than a step takes.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn write_checkpoint<E: From<Error>>(
        &self,
        each: impl FnMut(&[u8]) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let (front, state) = self.checkpoint_front()?;
        crate::engine::block_on(self.checkpoint_parts(front, state, each))
    }

    async fn checkpoint_parts<E: From<Error>>(
        &self,
        front: Vec<u8>,
        state: Tensors,
        mut each: impl FnMut(&[u8]) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        each(&front)?;
        let mut part = Vec::with_capacity(4 * PART);
        for (name, tensor) in state {
            let values = float_values(tensor).await?;
            finite(&name, &values, self.trainer.steps())?;
            for values in values.chunks(PART) {
                part.clear();
                part.extend(values.iter().flat_map(|v| v.to_le_bytes()));
                each(&part)?;
            }
        }
        Ok(())
    }

    /// What stands in front of the numbers, and the tensors that have them, in their order.
    fn checkpoint_front(&self) -> Result<(Vec<u8>, Tensors)> {
        let mut state = self.trainer.state();
        for (name, tensor) in &self.best.tensors {
            state.insert(format!("best/{name}"), tensor.clone());
        }
        let meta = Meta {
            step: self.trainer.steps(),
            settings: self.settings.clone(),
            progress: self.progress.clone(),
        };
        let text = serde_json::to_string(&meta).map_err(|e| Error::Setting(e.to_string()))?;
        let metadata = HashMap::from([(KEY.to_string(), text)]);
        let shapes = state.iter();
        let shapes = shapes.map(|(name, tensor)| (name.clone(), tensor.dims().to_vec()));
        let front = artifact::front(shapes.collect(), metadata)?;
        Ok((front, state))
    }

    /// Continues from a checkpoint, of which no more than a tensor is held besides what it becomes;
    /// it must come from the same settings. After an error the session is of no more use.
    pub fn resume(&mut self, checkpoint: impl Read, file: &str) -> Result<()> {
        let mut checkpoint = Stream::open(checkpoint, file)?;
        let text = checkpoint.metadata().and_then(|map| map.get(KEY));
        let text = text.ok_or_else(|| Error::file(file, "not a checkpoint of a run"))?;
        let meta: Meta = serde_json::from_str(text)
            .map_err(|e| Error::file(file, format!("unreadable checkpoint: {e}")))?;
        if meta.settings != self.settings {
            let message = "was made with other settings: resume with the run's own";
            return Err(Error::file(file, message));
        }
        let device = self.trainer.model().device().clone();
        let mut state = Tensors::new();
        while let Some((name, shape, values)) = checkpoint.next()? {
            let [rows, columns] = shape[..] else {
                let message = format!("is {shape:?}, expected 2 sizes");
                return Err(Error::tensor(file, name, message));
            };
            state.insert(name, upload(values, [rows, columns], &device));
        }
        for (name, have) in &mut self.best.tensors {
            *have = stored(&mut state, format!("best/{name}"), have.dims(), file)?;
        }
        self.trainer.restore(state, meta.step, file)?;
        self.progress = meta.progress;
        Ok(())
    }
}

/// Takes a tensor of a checkpoint; an error where there is none or one of other sizes.
pub(super) fn stored(
    state: &mut Tensors,
    name: String,
    sizes: [usize; 2],
    file: &str,
) -> Result<Tensor<2>> {
    match state.remove(&name) {
        Some(tensor) if tensor.dims() == sizes => Ok(tensor),
        Some(tensor) => {
            let message = format!("is {:?}, expected {sizes:?}", tensor.dims());
            Err(Error::tensor(file, name, message))
        }
        None => Err(Error::tensor(file, name, "missing")),
    }
}

/// A gradient that is not finite is seen here at the latest: its loss may have been.
fn finite(name: &str, values: &[f32], step: usize) -> Result<()> {
    match values.iter().find(|value| !value.is_finite()) {
        None => Ok(()),
        Some(value) => Err(Error::NotFinite {
            step,
            what: format!("`{name}` holds {value}"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::finite;

    #[test]
    fn a_number_that_is_none_is_named() {
        assert!(finite("weights/a", &[0.0, -1e38], 3).is_ok());
        let error = finite("weights/a", &[0.0, f32::NAN], 3).unwrap_err();
        let words =
            "`weights/a` holds NaN at step 3: training stopped; lower --lr or raise --warmup";
        assert_eq!(error.to_string(), words);
        assert!(finite("moment_2/a", &[f32::INFINITY], 3).is_err());
    }
}
