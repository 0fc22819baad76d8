//! The tensors that follow from a method's specification: names, shapes, how each starts.

use super::{Adapters, BaseTrains, Layer, Method, PromptStart, Rule, Site};
use crate::t5::{Stack, T5Config};

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
    /// All one.
    One,
    /// Normal with this deviation.
    Normal(f64),
    /// Uniform in ± this bound.
    Uniform(f64),
    /// The first rows of the base's embedding table.
    Embedding,
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

/// Parts that are kept as one packed tensor, so that a kernel binds one and the optimiser updates
/// one.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Name of the packed tensor.
    pub name: String,
    /// What is packed, in order.
    pub parts: Vec<Part>,
    /// Whether it is trained; otherwise it stays as it was drawn, and is in the file all the same.
    pub trained: bool,
}

impl Group {
    fn trained(name: impl Into<String>, parts: Vec<Part>) -> Self {
        Self {
            name: name.into(),
            parts,
            trained: true,
        }
    }

    /// A tensor that is a group of its own.
    fn single(name: &str, shape: &[usize], init: Init) -> Self {
        Self::trained(name, vec![Part::new(name.into(), shape, init)])
    }

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
/// Name of the s and t that all adapters share.
pub const FACTORS: &str = "factors";
/// Name of the rows in front of the source, `[rows, d_model]`.
pub const PROMPT: &str = "prompt";
/// Name of the short vector θ that all tensors are projections of.
pub const INTRINSIC: &str = "intrinsic";
/// Name of the factors λ, one for each tensor of the base in its order, and one unused.
pub const INTRINSIC_SCALES: &str = "intrinsic_scales";

/// Glorot uniform with gain √2, as in the published code; `fan` is in plus out of a slice.
fn glorot(fan: usize) -> Init {
    Init::Uniform((2.0 * 6.0 / fan as f64).sqrt())
}

impl Method {
    /// Every adapter's place, in the order of [`Site::ALL`] within a block.
    pub fn places(&self, config: &T5Config) -> Vec<Place> {
        let Some(adapters) = &self.adapters else {
            return Vec::new();
        };
        let mut places = Vec::new();
        for stack in [Stack::Encoder, Stack::Decoder] {
            for block in 0..config.layers(stack) {
                for (at, layer) in Site::ALL.map(Site::position) {
                    if at == stack && adapters.are_at(stack, block, layer) {
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
        let mut groups = Vec::new();
        if let Some(adapters) = &self.adapters {
            groups.extend(adapters.shared_groups(config.d_model));
            for place in self.places(config) {
                groups.extend(adapters.groups(&place.name(), config.d_model));
            }
        }
        if let Some(prompt) = self.prompt {
            let init = match prompt.start {
                PromptStart::Random => Init::Uniform(0.5),
                PromptStart::Tokens => Init::Embedding,
                PromptStart::UnloadedTokens => Init::Normal(1.0),
            };
            let shape = [prompt.rows, config.d_model];
            groups.push(Group::single(PROMPT, &shape, init));
        }
        if self.biases {
            let biases = biases(config).into_iter();
            groups.extend(biases.map(|(name, len)| Group::single(&name, &[len], Init::Zero)));
        }
        if let Some(intrinsic) = self.intrinsic {
            let scales = config.tensors().len() + 1;
            let theta = intrinsic.dimension.saturating_sub(scales);
            groups.push(Group::single(INTRINSIC, &[theta], Init::Zero));
            groups.push(Group::single(INTRINSIC_SCALES, &[scales], Init::One));
        }
        groups
    }

    /// Names and shapes of the base's tensors that are trained.
    pub fn trained_base(&self, config: &T5Config) -> Vec<(String, Vec<usize>)> {
        let output = match config.tie_word_embeddings {
            true => "shared.weight",
            false => "lm_head.weight",
        };
        let mut tensors = config.tensors();
        tensors.retain(|(name, _)| match self.base {
            BaseTrains::All => true,
            _ if self.output_layer && name == output => true,
            BaseTrains::LayerNorms => name.ends_with("layer_norm.weight"),
            BaseTrains::Nothing => false,
        });
        tensors
    }
}

/// Name and length of each bias that T5 left out: of every linear and norm inside a block and of the
/// output layer, none of the final norms.
fn biases(config: &T5Config) -> Vec<(String, usize)> {
    let bias = |name: &str| {
        name.strip_suffix(".weight")
            .map(|stem| format!("{stem}.bias"))
    };
    let mut all = Vec::new();
    for (name, shape) in config.tensors() {
        let inside = name.contains(".block.") && !name.contains("relative_attention_bias");
        if let (true, Some(name)) = (inside, bias(&name)) {
            all.push((name, shape[0])); // [out, in] or [d_model]
        }
    }
    all.push(("lm_head.bias".into(), config.vocab_size));
    all
}

impl Layer {
    /// The rule's parts, named from `name`.
    fn rule_parts(&self, name: &str) -> Vec<Part> {
        let Some((n, rule)) = self.rule() else {
            return Vec::new();
        };
        let init = match self {
            Self::Lphm { .. } => Init::Normal(1e-4),
            _ => Init::Normal(0.01),
        };
        match rule.factorised {
            true => vec![
                Part::new(format!("{name}_left"), &[n, n, 1], init),
                Part::new(format!("{name}_right"), &[n, 1, n], init),
            ],
            false => vec![Part::new(name.into(), &[n, n, n], init)],
        }
    }

    /// s and t of one projection.
    fn factor_parts(&self, name: &str, [input, output]: [usize; 2]) -> Vec<Part> {
        let Self::Lphm { n, rank, .. } = *self else {
            return Vec::new();
        };
        let (p, q) = (input / n, output / n);
        vec![
            Part::new(format!("{name}.s"), &[n, p, rank], glorot(p + rank)),
            Part::new(format!("{name}.t"), &[n, rank, q], glorot(rank + q)),
        ]
    }
}

impl Adapters {
    /// The two projections: side, width in, width out.
    fn sides(&self, model: usize) -> [(&'static str, [usize; 2]); 2] {
        let inner = self.bottleneck;
        [("down", [model, inner]), ("up", [inner, model])]
    }

    /// What all adapters share.
    fn shared_groups(&self, model: usize) -> Vec<Group> {
        let mut groups = Vec::new();
        if let Some((
            _,
            Rule {
                own: false, fixed, ..
            },
        )) = self.layer.rule()
        {
            let group = Group::trained(RULE, self.layer.rule_parts(RULE));
            groups.push(Group {
                trained: !fixed,
                ..group
            });
        }
        if let Layer::Lphm { shared: true, .. } = self.layer {
            let side = |(side, widths)| self.layer.factor_parts(side, widths);
            let parts = self.sides(model).into_iter().flat_map(side).collect();
            groups.push(Group::trained(FACTORS, parts));
        }
        groups
    }

    /// What the adapter called `name` has of its own on width `model`: its rules, then the rest.
    fn groups(&self, name: &str, model: usize) -> Vec<Group> {
        let mut groups = Vec::new();
        if let Some((
            _,
            Rule {
                own: true, fixed, ..
            },
        )) = self.layer.rule()
        {
            let sides = ["down", "up"].into_iter();
            let parts =
                sides.flat_map(|side| self.layer.rule_parts(&format!("{name}.{side}.rule")));
            let group = Group::trained(format!("{name}.{RULE}"), parts.collect());
            groups.push(Group {
                trained: !fixed,
                ..group
            });
        }
        groups.push(Group::trained(name, self.parts(name, model)));
        groups
    }

    /// Packed parts of the adapter called `name` on width `model`, in the order that `kernels`
    /// expects.
    pub(crate) fn parts(&self, name: &str, model: usize) -> Vec<Part> {
        let mut parts = Vec::new();
        for (side, widths) in self.sides(model) {
            let [input, output] = widths;
            let at = |part: &str| format!("{name}.{side}.{part}");
            let mut bias = Init::Zero;
            match self.layer {
                Layer::Dense => {
                    // torch.nn.Linear's default, as in the published code.
                    bias = Init::Uniform(1.0 / (input as f64).sqrt());
                    parts.push(Part::new(at("weight"), &[output, input], bias));
                }
                Layer::LowRank { rank } => {
                    let [left, right] = [input + rank, rank + output].map(glorot);
                    parts.push(Part::new(at("left"), &[input, rank], left));
                    parts.push(Part::new(at("right"), &[rank, output], right));
                }
                Layer::Phm { n, .. } => {
                    let (p, q) = (input / n, output / n);
                    parts.push(Part::new(at("w"), &[n, p, q], glorot(p + q)));
                }
                Layer::Lphm { shared: true, .. } => {}
                Layer::Lphm { .. } => {
                    let own = format!("{name}.{side}");
                    parts.extend(self.layer.factor_parts(&own, widths));
                }
            }
            parts.push(Part::new(at("bias"), &[output], bias));
        }
        for (norm, wanted) in [("pre_norm", self.pre_norm), ("post_norm", self.post_norm)] {
            if wanted {
                let at = |part: &str| format!("{name}.{norm}.{part}");
                parts.push(Part::new(at("weight"), &[model], Init::One));
                parts.push(Part::new(at("bias"), &[model], Init::Zero));
            }
        }
        parts
    }
}
