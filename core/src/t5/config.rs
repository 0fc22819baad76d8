//! `config.json` of a T5 and the tensors that it implies.

use crate::nearest::suggestion;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// Which half of T5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stack {
    /// Bidirectional, reads the source.
    Encoder,
    /// Causal, with cross attention.
    Decoder,
}

impl Stack {
    /// The prefix of this stack's tensor names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Encoder => "encoder",
            Self::Decoder => "decoder",
        }
    }

    /// Index of the feed-forward sublayer inside a block (`layer.J`).
    pub fn feed_forward_layer(self) -> usize {
        match self {
            Self::Encoder => 1,
            Self::Decoder => 2,
        }
    }
}

/// The activation of the feed-forward block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// max(x, 0), T5 v1.0.
    Relu,
    /// The tanh form of GELU, T5 v1.1.
    GeluNew,
    /// The erf form of GELU.
    Gelu,
    /// x · sigmoid(x), also called swish.
    #[serde(alias = "swish")]
    Silu,
}

impl Activation {
    /// All of them with their names.
    const NAMED: [(&'static str, Self); 5] = [
        ("relu", Self::Relu),
        ("gelu_new", Self::GeluNew),
        ("gelu", Self::Gelu),
        ("silu", Self::Silu),
        ("swish", Self::Silu),
    ];
}

impl FromStr for Activation {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::NAMED.iter().find(|(known, _)| *known == name);
        found.map(|(_, kind)| *kind).ok_or_else(|| {
            let known = suggestion(name, Self::NAMED.map(|(known, _)| known));
            Error::Setting(format!("unknown activation `{name}`: {known}"))
        })
    }
}

/// Sizes and switches of a T5; absent keys of a file take Hugging Face's defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct T5Config {
    /// Rows of the embedding table.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub d_model: usize,
    /// Width of one attention head.
    pub d_kv: usize,
    /// Width of the feed-forward block.
    pub d_ff: usize,
    /// Encoder blocks.
    pub num_layers: usize,
    /// Decoder blocks.
    pub num_decoder_layers: usize,
    /// Attention heads.
    pub num_heads: usize,
    /// Rows of the relative position bias.
    pub relative_attention_num_buckets: usize,
    /// Distance from which all positions share a bucket.
    pub relative_attention_max_distance: usize,
    /// Dropout probability that the checkpoint was trained with.
    pub dropout_rate: f64,
    /// ε inside the root of the RMS norm.
    pub layer_norm_epsilon: f64,
    /// Whether the feed-forward block is gated (v1.1).
    pub gated: bool,
    /// Activation of the feed-forward block.
    pub activation: Activation,
    /// Whether the output layer is the embedding table (then scaled by d_model^-0.5).
    pub tie_word_embeddings: bool,
    /// Padding id.
    pub pad_token_id: usize,
    /// End of sequence id.
    pub eos_token_id: usize,
    /// First decoder input.
    pub decoder_start_token_id: usize,
}

#[derive(Deserialize)]
struct Raw {
    model_type: Option<String>,
    vocab_size: Option<usize>,
    d_model: Option<usize>,
    d_kv: Option<usize>,
    d_ff: Option<usize>,
    num_layers: Option<usize>,
    num_decoder_layers: Option<usize>,
    num_heads: Option<usize>,
    relative_attention_num_buckets: Option<usize>,
    relative_attention_max_distance: Option<usize>,
    dropout_rate: Option<f64>,
    layer_norm_epsilon: Option<f64>,
    feed_forward_proj: Option<String>,
    tie_word_embeddings: Option<bool>,
    pad_token_id: Option<usize>,
    eos_token_id: Option<usize>,
    decoder_start_token_id: Option<usize>,
}

/// No published T5 comes near; keeps a hostile file from asking for terabytes.
const LARGEST: usize = 1 << 20;
/// The same for blocks, each of which is a dozen names of tensors.
const DEEPEST: usize = 1 << 10;

impl T5Config {
    /// Reads `config.json`; `file` names it in errors.
    pub fn from_json(bytes: &[u8], file: &str) -> Result<Self> {
        let raw: Raw = serde_json::from_slice(bytes)
            .map_err(|e| Error::file(file, format!("not a T5 config.json: {e}")))?;
        if let Some(kind) = raw.model_type.as_deref().filter(|kind| *kind != "t5") {
            return Err(Error::file(
                file,
                format!("model_type is `{kind}`, expected `t5`"),
            ));
        }
        let proj = raw.feed_forward_proj.unwrap_or_else(|| "relu".into());
        let (gated, name) = match proj.strip_prefix("gated-") {
            Some(name) => (true, name),
            None => (false, proj.as_str()),
        };
        let activation = match name {
            "relu" => Activation::Relu,
            // Hugging Face maps `gated-gelu` to gelu_new, for the published v1.1 files.
            "gelu" if gated => Activation::GeluNew,
            "gelu_new" => Activation::GeluNew,
            "gelu" => Activation::Gelu,
            "silu" | "swish" => Activation::Silu,
            _ => {
                let message = format!(
                    "feed_forward_proj is `{proj}`, expected relu, gelu_new, gelu, silu or gated-…"
                );
                return Err(Error::file(file, message));
            }
        };
        let num_layers = raw.num_layers.unwrap_or(6);
        let config = Self {
            vocab_size: raw.vocab_size.unwrap_or(32128),
            d_model: raw.d_model.unwrap_or(512),
            d_kv: raw.d_kv.unwrap_or(64),
            d_ff: raw.d_ff.unwrap_or(2048),
            num_layers,
            num_decoder_layers: raw.num_decoder_layers.unwrap_or(num_layers),
            num_heads: raw.num_heads.unwrap_or(8),
            relative_attention_num_buckets: raw.relative_attention_num_buckets.unwrap_or(32),
            relative_attention_max_distance: raw.relative_attention_max_distance.unwrap_or(128),
            dropout_rate: raw.dropout_rate.unwrap_or(0.1),
            layer_norm_epsilon: raw.layer_norm_epsilon.unwrap_or(1e-6),
            gated,
            activation,
            tie_word_embeddings: raw.tie_word_embeddings.unwrap_or(true),
            pad_token_id: raw.pad_token_id.unwrap_or(0),
            eos_token_id: raw.eos_token_id.unwrap_or(1),
            decoder_start_token_id: raw.decoder_start_token_id.unwrap_or(0),
        };
        config.check(file)?;
        Ok(config)
    }

    /// Refuses sizes that are no T5's, of whatever file they were read from.
    pub(crate) fn check(&self, file: &str) -> Result<()> {
        let sizes = [
            ("vocab_size", self.vocab_size, LARGEST),
            ("d_model", self.d_model, LARGEST),
            ("d_kv", self.d_kv, LARGEST),
            ("d_ff", self.d_ff, LARGEST),
            ("num_layers", self.num_layers, DEEPEST),
            ("num_decoder_layers", self.num_decoder_layers, DEEPEST),
            (
                "num_heads",
                self.num_heads,
                LARGEST / self.d_kv.clamp(1, LARGEST),
            ),
        ];
        for (key, value, most) in sizes {
            if value == 0 || value > most {
                let message = format!("{key} is {value}, expected 1 to {most}");
                return Err(Error::file(file, message));
            }
        }
        let (buckets, distance) = (
            self.relative_attention_num_buckets,
            self.relative_attention_max_distance,
        );
        if buckets < 4 || buckets % 2 == 1 || buckets > LARGEST || distance <= buckets / 2 {
            let message = format!(
                "relative_attention_num_buckets is {buckets} and relative_attention_max_distance \
                 {distance}, expected an even number from 4 and a distance above half of it"
            );
            return Err(Error::file(file, message));
        }
        for (key, id) in [
            ("pad_token_id", self.pad_token_id),
            ("eos_token_id", self.eos_token_id),
            ("decoder_start_token_id", self.decoder_start_token_id),
        ] {
            if id >= self.vocab_size {
                let message = format!(
                    "{key} is {id}, expected below vocab_size {}",
                    self.vocab_size
                );
                return Err(Error::file(file, message));
            }
        }
        Ok(())
    }

    /// The published v1.0 sizes by name: `t5-small`, `t5-base`, `t5-large`.
    pub fn preset(name: &str) -> Option<Self> {
        let (d_model, d_ff, num_layers, num_heads) = match name {
            "t5-small" => (512, 2048, 6, 8),
            "t5-base" => (768, 3072, 12, 12),
            "t5-large" => (1024, 4096, 24, 16),
            _ => return None,
        };
        Some(Self {
            vocab_size: 32128,
            d_model,
            d_kv: 64,
            d_ff,
            num_layers,
            num_decoder_layers: num_layers,
            num_heads,
            relative_attention_num_buckets: 32,
            relative_attention_max_distance: 128,
            dropout_rate: 0.1,
            layer_norm_epsilon: 1e-6,
            gated: false,
            activation: Activation::Relu,
            tie_word_embeddings: true,
            pad_token_id: 0,
            eos_token_id: 1,
            decoder_start_token_id: 0,
        })
    }

    /// Blocks of a stack.
    pub fn layers(&self, stack: Stack) -> usize {
        match stack {
            Stack::Encoder => self.num_layers,
            Stack::Decoder => self.num_decoder_layers,
        }
    }

    /// Name and shape of every tensor of the base, under Hugging Face's names; linears are [out, in].
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let mut all = vec![(
            "shared.weight".to_string(),
            vec![self.vocab_size, self.d_model],
        )];
        for stack in [Stack::Encoder, Stack::Decoder] {
            for block in 0..self.layers(stack) {
                self.block_tensors(stack, block, &mut all);
            }
            all.push((
                format!("{}.final_layer_norm.weight", stack.name()),
                vec![self.d_model],
            ));
        }
        if !self.tie_word_embeddings {
            all.push(("lm_head.weight".into(), vec![self.vocab_size, self.d_model]));
        }
        all
    }

    fn block_tensors(&self, stack: Stack, block: usize, all: &mut Vec<(String, Vec<usize>)>) {
        let (d, inner) = (self.d_model, self.num_heads * self.d_kv);
        let prefix = format!("{}.block.{block}", stack.name());
        let attentions: &[&str] = match stack {
            Stack::Encoder => &["SelfAttention"],
            Stack::Decoder => &["SelfAttention", "EncDecAttention"],
        };
        for (layer, attention) in attentions.iter().enumerate() {
            for (part, shape) in [
                ("q", [inner, d]),
                ("k", [inner, d]),
                ("v", [inner, d]),
                ("o", [d, inner]),
            ] {
                all.push((
                    format!("{prefix}.layer.{layer}.{attention}.{part}.weight"),
                    shape.to_vec(),
                ));
            }
            if block == 0 && layer == 0 {
                all.push((
                    format!("{prefix}.layer.0.SelfAttention.relative_attention_bias.weight"),
                    vec![self.relative_attention_num_buckets, self.num_heads],
                ));
            }
            all.push((format!("{prefix}.layer.{layer}.layer_norm.weight"), vec![d]));
        }
        let prefix = format!("{prefix}.layer.{}", stack.feed_forward_layer());
        let inputs: &[&str] = if self.gated {
            &["wi_0", "wi_1"]
        } else {
            &["wi"]
        };
        for wi in inputs {
            all.push((
                format!("{prefix}.DenseReluDense.{wi}.weight"),
                vec![self.d_ff, d],
            ));
        }
        all.push((
            format!("{prefix}.DenseReluDense.wo.weight"),
            vec![d, self.d_ff],
        ));
        all.push((format!("{prefix}.layer_norm.weight"), vec![d]));
    }

    /// Parameters of the base: a tied table counted once, the config's rows, nothing added.
    pub fn parameters(&self) -> usize {
        self.tensors()
            .iter()
            .map(|(_, shape)| shape.iter().product::<usize>())
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_sizes_have_the_published_counts() {
        let count = |name| T5Config::preset(name).map(|config| config.parameters());
        assert_eq!(count("t5-small"), Some(60_506_624));
        assert_eq!(count("t5-base"), Some(222_903_552));
        assert_eq!(count("t5-huge"), None);
    }

    #[test]
    fn absent_keys_take_the_defaults_of_hugging_face() {
        let config = T5Config::from_json(br#"{"model_type":"t5"}"#, "config.json").unwrap();
        assert_eq!(Some(config), T5Config::preset("t5-small"));
    }

    #[test]
    fn errors_name_the_key() {
        let error = |text: &str| {
            T5Config::from_json(text.as_bytes(), "c.json")
                .unwrap_err()
                .to_string()
        };
        assert!(error(r#"{"d_model":0}"#).contains("d_model is 0"));
        assert!(error(r#"{"feed_forward_proj":"magic"}"#).contains("`magic`"));
        assert!(error(r#"{"model_type":"bert"}"#).contains("`bert`"));
        assert!(error("{").starts_with("c.json: not a T5 config.json"));
    }

    #[test]
    fn no_size_asks_for_more_than_a_t5_has() {
        let error = |text: &str| {
            let read = T5Config::from_json(text.as_bytes(), "c.json");
            read.unwrap_err().to_string()
        };
        let deep = error(r#"{"num_layers":1048576}"#);
        assert_eq!(deep, "c.json: num_layers is 1048576, expected 1 to 1024");
        assert!(error(r#"{"num_decoder_layers":1025}"#).contains("1 to 1024"));
        // Their product is the width of the attention.
        let wide = error(r#"{"num_heads":1048576,"d_kv":1048576}"#);
        assert!(wide.contains("num_heads is 1048576, expected 1 to 1"));
        let largest = r#"{"num_layers":1024,"vocab_size":1048576,"d_model":1048576,
            "d_ff":1048576,"num_heads":128,"d_kv":8192}"#;
        let config = T5Config::from_json(largest.as_bytes(), "c.json").unwrap();
        assert!(config.parameters() > 1 << 50);
    }
}
