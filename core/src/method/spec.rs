//! The specification of a method and the tensors and counts that follow from it.

use crate::t5::{Activation, Stack, T5Config};
use serde::{Deserialize, Serialize};

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

/// What the two projections of an adapter are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Layer {
    /// An ordinary linear layer (Houlsby et al. 2019).
    Dense,
    /// A sum of `n` Kronecker products with rank-`rank` factors and one shared rule A (paper §3.1).
    Lphm {
        /// Terms of the sum; divides both sides of the projection.
        n: usize,
        /// Rank of each s_i t_i.
        rank: usize,
    },
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

/// Bottleneck adapters: `y + up(activation(down(y)))`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adapters {
    /// Where they go.
    pub sites: Vec<Site>,
    /// What they are made of.
    pub layer: Layer,
    /// Width between the two projections.
    pub bottleneck: usize,
    /// Between the two projections.
    #[serde(default = "gelu_new")]
    pub activation: Activation,
    /// What they compute with.
    #[serde(default)]
    pub input: AdapterInput,
}

/// The published activation, and that of adapter files which do not name one.
fn gelu_new() -> Activation {
    Activation::GeluNew
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
    /// What of the base it trains.
    pub base: BaseTrains,
    /// Published learning rate.
    pub lr: f64,
    /// Whether the task's name goes in front of the source text.
    pub task_prefix: bool,
}

/// One adapter's place: the site in a given block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Which stack.
    pub stack: Stack,
    /// Which block of it.
    pub block: usize,
    /// Which sublayer of that (`layer.J`).
    pub layer: usize,
}

impl Place {
    /// `encoder.block.0.layer.1.adapter`: the prefix of its tensors.
    pub fn name(&self) -> String {
        format!(
            "{}.block.{}.layer.{}.adapter",
            self.stack.name(),
            self.block,
            self.layer
        )
    }
}

/// How a tensor starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// All zero.
    Zero,
    /// Normal with this deviation.
    Normal(f64),
    /// Uniform in ± this bound.
    Uniform(f64),
}

/// One tensor of an adapter file.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Full name in the file.
    pub name: String,
    /// Shape in the file.
    pub shape: Vec<usize>,
    /// How it starts.
    pub init: Init,
}

impl Part {
    fn new(name: String, shape: &[usize], init: Init) -> Self {
        Self {
            name,
            shape: shape.to_vec(),
            init,
        }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Parts that are trained as one packed tensor, so that a kernel binds one and the optimiser
/// updates one.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Name of the packed tensor.
    pub name: String,
    /// What is packed, in order.
    pub parts: Vec<Part>,
}

impl Group {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.parts.iter().map(Part::len).sum()
    }

    /// Rows and columns of the packed tensor: a lone matrix stays `[out, in]`, all else is one row.
    pub fn packed_shape(&self) -> [usize; 2] {
        match self.parts.as_slice() {
            [Part { shape, .. }] if shape.len() == 2 => [shape[0], shape[1]],
            _ => [1, self.len()],
        }
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Name of the rule A that all projections share.
pub const RULE: &str = "rule";

impl Method {
    /// Every adapter's place, in the order of [`Site::ALL`] within a block.
    pub fn places(&self, config: &T5Config) -> Vec<Place> {
        let Some(adapters) = &self.adapters else {
            return Vec::new();
        };
        let mut places = Vec::new();
        for stack in [Stack::Encoder, Stack::Decoder] {
            for block in 0..config.layers(stack) {
                for site in Site::ALL
                    .iter()
                    .filter(|site| adapters.sites.contains(site))
                {
                    let (at, layer) = site.position();
                    if at == stack {
                        places.push(Place {
                            stack,
                            block,
                            layer,
                        });
                    }
                }
            }
        }
        places
    }

    /// The tensors that the method adds to the base.
    pub fn added(&self, config: &T5Config) -> Vec<Group> {
        let Some(adapters) = &self.adapters else {
            return Vec::new();
        };
        let mut groups = Vec::new();
        if let Layer::Lphm { n, .. } = adapters.layer {
            let part = Part::new(RULE.into(), &[n, n, n], Init::Normal(1e-4));
            groups.push(Group {
                name: RULE.into(),
                parts: vec![part],
            });
        }
        for place in self.places(config) {
            let name = place.name();
            let parts = adapters.parts(&name, config.d_model);
            groups.push(Group { name, parts });
        }
        groups
    }

    /// Names of the base's tensors that are trained.
    pub fn trained_base(&self, config: &T5Config) -> Vec<(String, Vec<usize>)> {
        let mut tensors = config.tensors();
        match self.base {
            BaseTrains::All => {}
            BaseTrains::LayerNorms => {
                tensors.retain(|(name, _)| name.ends_with("layer_norm.weight"));
            }
            BaseTrains::Nothing => tensors.clear(),
        }
        tensors
    }

    /// Trained parameters.
    pub fn trainable(&self, config: &T5Config) -> usize {
        let added: usize = self.added(config).iter().map(Group::len).sum();
        let base = self.trained_base(config);
        added
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

impl Adapters {
    /// Packed parts of one adapter on width `model`, in the order that `kernels` expects.
    fn parts(&self, name: &str, model: usize) -> Vec<Part> {
        let (k, d) = (model, self.bottleneck);
        let mut parts = Vec::new();
        for (side, input, output) in [("down", k, d), ("up", d, k)] {
            match self.layer {
                Layer::Dense => {
                    // torch.nn.Linear's default, as in the published code.
                    let init = Init::Uniform(1.0 / (input as f64).sqrt());
                    parts.push(Part::new(
                        format!("{name}.{side}.weight"),
                        &[output, input],
                        init,
                    ));
                    parts.push(Part::new(format!("{name}.{side}.bias"), &[output], init));
                }
                Layer::Lphm { n, rank } => {
                    // Glorot uniform with gain √2 of each slice (presets of the published code).
                    let glorot = |fan: usize| Init::Uniform((2.0 * 6.0 / fan as f64).sqrt());
                    let (p, q) = (input / n, output / n);
                    parts.push(Part::new(
                        format!("{name}.{side}.s"),
                        &[n, p, rank],
                        glorot(p + rank),
                    ));
                    parts.push(Part::new(
                        format!("{name}.{side}.t"),
                        &[n, rank, q],
                        glorot(rank + q),
                    ));
                    parts.push(Part::new(
                        format!("{name}.{side}.bias"),
                        &[output],
                        Init::Zero,
                    ));
                }
            }
        }
        parts
    }
}
