//! What a base needs of a device, by arithmetic alone: said before anything is fetched.

use super::{Stack, Storage, T5Config};
use crate::{Error, Result};

/// Sizes of one forward and backward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    /// Rows that go through together: a micro-batch.
    pub rows: usize,
    /// Tokens of the longest source.
    pub source: usize,
    /// Tokens of the longest target.
    pub target: usize,
}

/// What a device allows, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest buffer.
    pub max_buffer: u64,
    /// The largest part of a buffer that a kernel may be given.
    pub max_binding: u64,
    /// All the memory that may be used, where that is known: a browser does not tell.
    pub memory: Option<u64>,
}

/// Bytes that training adapters on a frozen base takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The frozen weights as they are kept.
    pub weights: u64,
    /// The largest of them.
    pub largest: (String, u64),
    /// What a pass keeps until its backward, roughly: measured on the CPU it was within a third.
    pub activations: u64,
    /// The largest of a pass's tensors that is not cut into parts.
    pub largest_activation: u64,
    storage: Storage,
    pass: Pass,
}

impl Plan {
    /// For a base of these sizes.
    pub fn new(config: &T5Config, storage: Storage, pass: Pass) -> Self {
        let bytes: Vec<(String, u64)> = config
            .tensors()
            .into_iter()
            .map(|(name, shape)| {
                let bytes = storage.bytes(&name, &shape);
                (name, bytes)
            })
            .collect();
        let weights = bytes.iter().map(|(_, bytes)| bytes).sum();
        let largest = bytes.into_iter().max_by_key(|(_, bytes)| *bytes);
        let tokens = pass.rows * pass.source.max(pass.target);
        Self {
            weights,
            largest: largest.unwrap_or_default(),
            activations: activations(config, pass),
            largest_activation: 4 * (tokens * config.d_model) as u64,
            storage,
            pass,
        }
    }

    /// Weights and activations together.
    pub fn total(&self) -> u64 {
        self.weights + self.activations
    }

    /// Whether a device can hold it; an error says what to lower.
    pub fn fits(&self, limits: &Limits) -> Result<()> {
        let one = limits.max_buffer.min(limits.max_binding);
        let (name, bytes) = &self.largest;
        if *bytes > one {
            let ways = match self.storage {
                Storage::F32 => "keep the weights as f16 or int8, or take a smaller model",
                Storage::F16 => "keep the weights as int8, or take a smaller model",
                Storage::Int8 => "take a smaller model",
            };
            let (bytes, one) = (mega(*bytes), mega(one));
            return Err(Error::Setting(format!(
                "`{name}` takes {bytes} MB, the device holds at most {one} MB in one piece: {ways}"
            )));
        }
        let Pass { rows, source, .. } = self.pass;
        let lower = format!("lower the micro-batch from {rows} or the source from {source} tokens");
        if self.largest_activation > one {
            let (bytes, one) = (mega(self.largest_activation), mega(one));
            return Err(Error::Setting(format!(
                "a layer's output takes {bytes} MB, the device holds at most {one} MB in one \
                 piece: {lower}"
            )));
        }
        match limits.memory {
            Some(memory) if self.total() > memory => {
                let narrower = match self.storage {
                    Storage::Int8 => "",
                    _ => ", or keep the weights as int8",
                };
                let parts = [self.weights, self.activations, memory].map(mega);
                let [weights, activations, memory] = parts;
                Err(Error::Setting(format!(
                    "training takes about {weights} MB for weights and {activations} MB for a \
                     pass, there are {memory} MB: {lower}{narrower}"
                )))
            }
            _ => Ok(()),
        }
    }
}

/// Millions of bytes, rounded up.
fn mega(bytes: u64) -> u64 {
    bytes.div_ceil(1_000_000)
}

/// What autodiff keeps of a pass in f32: inputs of norms and adapters, queries, keys and values,
/// the steps of each softmax, the feed-forward's inner values, logits; nothing of what a frozen
/// matrix was multiplied with.
fn activations(config: &T5Config, pass: Pass) -> u64 {
    let [rows, source, target] = [pass.rows, pass.source, pass.target].map(|size| size as u64);
    let [d, ff, heads, vocab] = [
        config.d_model,
        config.d_ff,
        config.num_heads,
        config.vocab_size,
    ]
    .map(|size| size as u64);
    let inner = heads * config.d_kv as u64;
    let feed_forward = if config.gated { 3 * ff } else { ff };
    let scores = |queries: u64, keys: u64| 3 * rows * heads * queries * keys;
    let encoder = rows * source * (6 * d + 3 * inner + feed_forward) + scores(source, source);
    let decoder = rows * target * (9 * d + 4 * inner + feed_forward)
        + scores(target, target)
        + scores(target, source)
        + 2 * rows * source * inner;
    let layers = |stack| config.layers(stack) as u64;
    let logits = 3 * rows * target * vocab;
    4 * (layers(Stack::Encoder) * encoder + layers(Stack::Decoder) * decoder + logits)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASS: Pass = Pass {
        rows: 8,
        source: 128,
        target: 4,
    };
    /// WebGPU's default limits.
    const DEFAULT: Limits = Limits {
        max_buffer: 256 << 20,
        max_binding: 128 << 20,
        memory: None,
    };

    fn plan(size: &str, storage: Storage) -> Plan {
        Plan::new(&T5Config::preset(size).unwrap(), storage, PASS)
    }

    #[test]
    fn published_sizes_in_each_storage() {
        let mega =
            |size| Storage::ALL.map(|storage| (plan(size, storage).weights + 500_000) / 1_000_000);
        assert_eq!(mega("t5-small"), [242, 121, 62]);
        assert_eq!(mega("t5-base"), [892, 446, 230]);
        let (name, bytes) = plan("t5-base", Storage::Int8).largest;
        assert_eq!(
            (name.as_str(), bytes),
            ("shared.weight", 32128 * 768 / 128 * (128 + 4))
        );
    }

    #[test]
    fn activations_are_near_what_was_measured() {
        // compacter on the CPU, T5-small: what 8 rows of 256 tokens take beyond those of 128.
        let config = T5Config::preset("t5-small").unwrap();
        let long = Plan::new(
            &config,
            Storage::F32,
            Pass {
                source: 256,
                ..PASS
            },
        );
        let more = long.activations - plan("t5-small", Storage::F32).activations;
        assert!((300 << 20..520 << 20).contains(&more), "{more}");
    }

    #[test]
    fn what_does_not_fit_says_what_to_lower() {
        for size in ["t5-small", "t5-base", "t5-large"] {
            assert_eq!(plan(size, Storage::Int8).fits(&DEFAULT), Ok(()));
        }
        let message = |plan: Plan, limits| plan.fits(&limits).unwrap_err().to_string();
        let narrow = Limits {
            max_binding: 64 << 20,
            ..DEFAULT
        };
        assert_eq!(
            message(plan("t5-base", Storage::F32), narrow),
            "`shared.weight` takes 99 MB, the device holds at most 68 MB in one piece: keep the \
             weights as f16 or int8, or take a smaller model"
        );
        let little = Limits {
            memory: Some(400_000_000),
            ..DEFAULT
        };
        let text = message(plan("t5-base", Storage::F16), little);
        assert!(
            text.starts_with("training takes about 446 MB for weights and "),
            "{text}"
        );
        assert!(text.ends_with(
            "there are 400 MB: lower the micro-batch from 8 or the source from 128 tokens, or keep \
             the weights as int8"
        ));
        let config = T5Config::preset("t5-base").unwrap();
        let wide = Plan::new(&config, Storage::Int8, Pass { rows: 400, ..PASS });
        let text = message(wide, DEFAULT);
        assert!(text.starts_with("a layer's output takes 158 MB"), "{text}");
    }
}
