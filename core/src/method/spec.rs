//! The specification of a method: plain data that says what goes where and what trains.

use crate::nearest::suggestion;
use crate::t5::{Activation, Stack, T5Config};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// A kind of place in T5 where an adapter can go; none follows cross attention (paper §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Site {
    /// After the encoder's self-attention.
    #[serde(rename = "encoder.self_attention")]
    EncoderSelfAttention,
    /// After the encoder's feed-forward block.
    #[serde(rename = "encoder.feed_forward")]
    EncoderFeedForward,
    /// After the decoder's self-attention.
    #[serde(rename = "decoder.self_attention")]
    DecoderSelfAttention,
    /// After the decoder's feed-forward block.
    #[serde(rename = "decoder.feed_forward")]
    DecoderFeedForward,
}

impl Site {
    /// All four, in the order in which data meets them.
    pub const ALL: [Self; 4] = [
        Self::EncoderSelfAttention,
        Self::EncoderFeedForward,
        Self::DecoderSelfAttention,
        Self::DecoderFeedForward,
    ];

    /// Its name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::EncoderSelfAttention => "encoder.self_attention",
            Self::EncoderFeedForward => "encoder.feed_forward",
            Self::DecoderSelfAttention => "decoder.self_attention",
            Self::DecoderFeedForward => "decoder.feed_forward",
        }
    }

    /// The stack and the sublayer index (`layer.J`) of this site.
    pub fn position(self) -> (Stack, usize) {
        match self {
            Self::EncoderSelfAttention => (Stack::Encoder, 0),
            Self::EncoderFeedForward => (Stack::Encoder, Stack::Encoder.feed_forward_layer()),
            Self::DecoderSelfAttention => (Stack::Decoder, 0),
            Self::DecoderFeedForward => (Stack::Decoder, Stack::Decoder.feed_forward_layer()),
        }
    }
}

impl FromStr for Site {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|site| site.name() == name);
        found.ok_or_else(|| {
            let known = suggestion(name, Self::ALL.map(Self::name));
            Error::Setting(format!("unknown site `{name}`: {known}"))
        })
    }
}

/// How the n matrices A of a hypercomplex layer are kept (paper §3.1 and its ablations).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rule {
    /// Every projection has A of its own, instead of one A for all.
    pub own: bool,
    /// A stays as it was drawn.
    pub fixed: bool,
    /// Each A_i is a column times a row.
    pub factorised: bool,
}

/// What the two projections of an adapter are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Layer {
    /// An ordinary linear layer (Houlsby et al. 2019).
    Dense,
    /// A product of two thin matrices.
    LowRank {
        /// Columns of the first, rows of the second.
        rank: usize,
    },
    /// A sum of `n` Kronecker products with whole second factors (Zhang et al. 2021).
    Phm {
        /// Terms of the sum; divides both sides of the projection.
        n: usize,
        /// The first factors A.
        rule: Rule,
    },
    /// A sum of `n` Kronecker products with rank-`rank` second factors (paper §3.1).
    Lphm {
        /// Terms of the sum; divides both sides of the projection.
        n: usize,
        /// Rank of each s_i t_i.
        rank: usize,
        /// The first factors A.
        #[serde(default)]
        rule: Rule,
        /// All adapters share one s and t; each keeps biases of its own.
        #[serde(default)]
        shared: bool,
    },
}

impl Layer {
    /// The n and the rule of a hypercomplex layer.
    pub fn rule(&self) -> Option<(usize, Rule)> {
        match *self {
            Self::Phm { n, rule } | Self::Lphm { n, rule, .. } => Some((n, rule)),
            Self::Dense | Self::LowRank { .. } => None,
        }
    }
}

/// What an adapter computes with, y being the output of the sublayer before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdapterInput {
    /// y alone (the paper and its code).
    #[default]
    Sublayer,
    /// The residual stream after it: h + y, h being the block's input (the AdapterHub library's
    /// compacter++ in T5).
    Residual,
}

/// Bottleneck adapters: `y + post(up(activation(down(pre(z)))))`, z being y or what [`AdapterInput`]
/// says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adapters {
    /// Where they go.
    pub sites: Vec<Site>,
    /// What they are made of.
    pub layer: Layer,
    /// Width between the two projections.
    pub bottleneck: usize,
    /// Encoder blocks that have them; all if not said.
    #[serde(default)]
    pub encoder_layers: Option<Vec<usize>>,
    /// Decoder blocks that have them; all if not said.
    #[serde(default)]
    pub decoder_layers: Option<Vec<usize>>,
    /// Between the two projections.
    #[serde(default = "gelu_new")]
    pub activation: Activation,
    /// What they compute with.
    #[serde(default)]
    pub input: AdapterInput,
    /// A LayerNorm with mean and bias in front of the first projection.
    #[serde(default)]
    pub pre_norm: bool,
    /// The same behind the second projection, before what came in is added.
    #[serde(default)]
    pub post_norm: bool,
}

/// The published activation, and that of adapter files which do not name one.
fn gelu_new() -> Activation {
    Activation::GeluNew
}

impl Adapters {
    /// Whether there is one behind sublayer `layer` of this block.
    pub fn are_at(&self, stack: Stack, block: usize, layer: usize) -> bool {
        let blocks = match stack {
            Stack::Encoder => &self.encoder_layers,
            Stack::Decoder => &self.decoder_layers,
        };
        let here = |site: &Site| site.position() == (stack, layer);
        let chosen = blocks.as_ref().is_none_or(|all| all.contains(&block));
        chosen && self.sites.iter().any(here)
    }
}

/// Rows in front of the encoder's input embeddings (Lester et al. 2021).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    /// How many.
    pub rows: usize,
    /// How they start.
    pub start: PromptStart,
}

/// How a prompt starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptStart {
    /// Uniform in ± 0.5.
    Random,
    /// The first rows of the pretrained embedding table.
    Tokens,
    /// What the published code does for tokens: it takes the rows before the checkpoint is loaded,
    /// from a table that is still random, normal with deviation 1.
    UnloadedTokens,
}

/// Every tensor of the base moves along one random projection of a short vector (Aghajanyan et al.
/// 2020): `W = W_0 + λ_W · ray_W(θ)`, ray by Fastfood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intrinsic {
    /// Trained numbers: θ, a λ for each tensor, and one that nothing uses.
    pub dimension: usize,
    /// The projections' seed.
    pub seed: u64,
    /// θ's gradient as published, each tensor's share divided by its padded length, instead of the
    /// derivative.
    pub published_gradient: bool,
}

/// What of the base is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BaseTrains {
    /// Every tensor.
    All,
    /// Every RMS norm weight, also in layers without an adapter.
    LayerNorms,
    /// No tensor (paper §5.3).
    Nothing,
}

/// A method of the paper's Table 1, with its resolved sizes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Method {
    /// Its name on the command line.
    pub name: String,
    /// Bottleneck layers, if it adds any.
    pub adapters: Option<Adapters>,
    /// Rows in front of the source, if it adds any.
    #[serde(default)]
    pub prompt: Option<Prompt>,
    /// Whether T5's linears, block norms and output layer get the biases that T5 left out (Ben-Zaken
    /// et al. 2021).
    #[serde(default)]
    pub biases: bool,
    /// The base's tensors as projections, if they are.
    #[serde(default)]
    pub intrinsic: Option<Intrinsic>,
    /// What of the base it trains.
    pub base: BaseTrains,
    /// Whether it trains the output layer too (paper, appendix C); with a tied one, the embedding.
    #[serde(default)]
    pub output_layer: bool,
    /// Published learning rate.
    pub lr: f64,
    /// Published rows of one forward pass, where a step is made of several.
    #[serde(default)]
    pub micro_batch: Option<usize>,
    /// Whether the task's name goes in front of the source text.
    pub task_prefix: bool,
}

impl Method {
    /// Trained parameters.
    pub fn trainable(&self, config: &T5Config) -> usize {
        let added = self.added(config);
        let trained = added.iter().filter(|group| group.trained);
        let base = self.trained_base(config);
        trained.map(super::Group::len).sum::<usize>()
            + base
                .iter()
                .map(|(_, shape)| shape.iter().product::<usize>())
                .sum::<usize>()
    }

    /// 100 × trained ÷ parameters of the base.
    pub fn percent(&self, config: &T5Config) -> f64 {
        100.0 * self.trainable(config) as f64 / config.parameters() as f64
    }

    /// Width between the projections, if the method has adapters.
    pub fn bottleneck(&self) -> Option<usize> {
        self.adapters.as_ref().map(|adapters| adapters.bottleneck)
    }
}
