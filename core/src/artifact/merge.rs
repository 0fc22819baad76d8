//! A trained base as a plain T5, for programs that know no adapters.

use crate::method::Method;
use crate::t5::T5Config;
use crate::{Error, Result};

/// Whether a T5 of these sizes has room for all that a method trains; the error says what it lacks.
pub fn mergeable(method: &Method, config: &T5Config) -> Result<()> {
    match method.added(config).first() {
        Some(group) => Err(Error::Setting(format!(
            "`{}` cannot be merged: it adds tensors for which a plain T5 has no place (`{}` and \
             others). Keep the adapter file beside the base, or export it to AdapterHub's format",
            method.name, group.name
        ))),
        None => Ok(()),
    }
}

#[cfg(feature = "engine")]
pub use engine::write_base;

#[cfg(feature = "engine")]
mod engine {
    use crate::engine::float_values;
    use crate::t5::{T5, Weights};
    use crate::{Error, Result};
    use safetensors::Dtype;
    use safetensors::tensor::{Metadata, TensorInfo};
    use std::collections::HashMap;
    use std::io::Write;

    /// Writes a T5's `model.safetensors` in f32, tensor by tensor, with trained tensors in place of
    /// the base's; what a method adds is left out (see [`mergeable`](super::mergeable)). `file` is
    /// for errors.
    pub async fn write_base(
        model: &T5,
        weights: &Weights,
        file: &str,
        to: &mut impl Write,
    ) -> Result<()> {
        let failed = |e: std::io::Error| Error::file(file, e.to_string());
        let tensors = model.config().tensors();
        to.write_all(&header(&tensors, file)?).map_err(failed)?;
        for (name, _) in &tensors {
            let tensor = match weights.tensors.get(name) {
                Some(trained) => trained.clone(),
                None => model.tensor(name)?,
            };
            let values = float_values(tensor).await?;
            let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            to.write_all(&bytes).map_err(failed)?;
        }
        to.flush().map_err(failed)
    }

    /// Length and text of the header, padded to the eight bytes that the format wants.
    fn header(tensors: &[(String, Vec<usize>)], file: &str) -> Result<Vec<u8>> {
        let mut start = 0;
        let info = |(name, shape): &(String, Vec<usize>)| {
            let end = start + 4 * shape.iter().product::<usize>();
            let info = TensorInfo {
                dtype: Dtype::F32,
                shape: shape.clone(),
                data_offsets: (start, end),
            };
            start = end;
            (name.clone(), info)
        };
        let infos = tensors.iter().map(info).collect();
        let format = HashMap::from([("format".to_string(), "pt".to_string())]);
        let wrong = |e: String| Error::file(file, e);
        let header = Metadata::new(Some(format), infos).map_err(|e| wrong(e.to_string()))?;
        let mut text = serde_json::to_vec(&header).map_err(|e| wrong(e.to_string()))?;
        text.resize(text.len().next_multiple_of(8), b' ');
        let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
        bytes.extend(text);
        Ok(bytes)
    }
}
