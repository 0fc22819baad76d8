//! What a user may set instead of a preset's value, and what contradicts what.

use super::presets::default_bottleneck;
use super::{Adapters, BaseTrains, Intrinsic, Layer, Method, Prompt, PromptStart, Site};
use crate::nearest::suggestion;
use crate::t5::{Activation, Stack, T5Config};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// More trained numbers than any T5 has weights worth moving; keeps sums of lengths from overflowing.
const LARGEST_DIMENSION: usize = 1 << 30;

/// More terms than make sense; keeps their cube from overflowing.
const MOST_TERMS: usize = 1 << 10;

/// Whose the n matrices A of a hypercomplex layer are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleOwner {
    /// One A for all projections.
    Shared,
    /// One for each projection.
    Own,
}

impl FromStr for RuleOwner {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "shared" => Ok(Self::Shared),
            "own" => Ok(Self::Own),
            _ => {
                let known = suggestion(name, ["shared", "own"]);
                Err(Error::Setting(format!("unknown rule `{name}`: {known}")))
            }
        }
    }
}

/// What a user may set instead of a preset's value.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Overrides {
    /// Terms of the sum of Kronecker products.
    pub n: Option<usize>,
    /// Rank of each s_i t_i, or of a low-rank adapter.
    pub rank: Option<usize>,
    /// Width between the two projections.
    pub bottleneck: Option<usize>,
    /// The same as a share: d_model divided by this.
    pub reduction: Option<usize>,
    /// Places of the adapters.
    pub sites: Option<Vec<Site>>,
    /// Lowest layers of each stack that get no adapter.
    pub drop_layers: Option<usize>,
    /// Encoder layers that get adapters, counted from 0.
    pub encoder_layers: Option<Vec<usize>>,
    /// Decoder layers that get adapters, counted from 0.
    pub decoder_layers: Option<Vec<usize>>,
    /// Whose the matrices A are.
    pub rule: Option<RuleOwner>,
    /// Whether A stays as it was drawn.
    pub rule_fixed: Option<bool>,
    /// Whether each A_i is a column times a row.
    pub rule_factorised: Option<bool>,
    /// Whether all adapters share one s and t.
    pub shared_factors: Option<bool>,
    /// Whether a LayerNorm goes in front of an adapter.
    pub pre_norm: Option<bool>,
    /// Whether a LayerNorm goes behind an adapter.
    pub post_norm: Option<bool>,
    /// Between the two projections.
    pub activation: Option<Activation>,
    /// Whether T5's layer norms are trained.
    pub layer_norms: Option<bool>,
    /// Whether the output layer is trained.
    pub output_layer: Option<bool>,
    /// Rows of the prompt.
    pub prompt: Option<usize>,
    /// Trained numbers of Intrinsic-SAID.
    pub dimension: Option<usize>,
    /// Learning rate.
    pub lr: Option<f64>,
    /// Whether to do as the published code where it departs from mathematics or from the paper.
    pub reference_exact: bool,
}

impl Method {
    /// A preset with some of its settings replaced; errors name the numbers that do not fit.
    pub fn resolve(name: &str, config: &T5Config, set: &Overrides) -> Result<Self> {
        let mut method = Self::published(name, config, set.width(config)?)?;
        set.refuse_meaningless(&method)?;
        if let Some(adapters) = &mut method.adapters {
            set.change(adapters, config)?;
        }
        if let Some(prompt) = &mut method.prompt {
            prompt.rows = set.prompt.unwrap_or(prompt.rows);
            if prompt.start == PromptStart::Tokens && set.reference_exact {
                prompt.start = PromptStart::UnloadedTokens;
            }
        }
        if let Some(intrinsic) = &mut method.intrinsic {
            intrinsic.dimension = set.dimension.unwrap_or(intrinsic.dimension);
            intrinsic.published_gradient = set.reference_exact;
        }
        method.check(config)?;
        if let (Some(train), true) = (set.layer_norms, method.base != BaseTrains::All) {
            method.base = match train {
                true => BaseTrains::LayerNorms,
                false => BaseTrains::Nothing,
            };
        }
        method.output_layer = set.output_layer.unwrap_or(method.output_layer);
        method.lr = set.lr.unwrap_or(method.lr);
        if !(method.lr.is_finite() && method.lr > 0.0) {
            let message = format!("learning rate {}: it must be above 0", method.lr);
            return Err(Error::Setting(message));
        }
        if method.trainable(config) == 0 {
            let message = format!("the method `{name}` would train nothing with these settings");
            return Err(Error::Setting(message));
        }
        Ok(method)
    }

    /// Refuses numbers that do not fit a base of these sizes, whether they were set or come out of a
    /// file.
    pub(crate) fn check(&self, config: &T5Config) -> Result<()> {
        if let Some(adapters) = &self.adapters {
            adapters.check(config)?;
        }
        if let Some(Prompt { rows, .. }) = self.prompt
            && (rows == 0 || rows > config.vocab_size)
        {
            let most = config.vocab_size;
            let message = format!("prompt = {rows}: it must be from 1 to {most}, the model's ids");
            return Err(Error::Setting(message));
        }
        if let Some(Intrinsic { dimension, .. }) = self.intrinsic {
            let tensors = config.tensors().len();
            if dimension < tensors + 2 {
                return Err(Error::Setting(format!(
                    "dimension = {dimension}: each of the model's {tensors} tensors takes one and one \
                     is spare, so it must be at least {}",
                    tensors + 2
                )));
            }
            if dimension > LARGEST_DIMENSION {
                let message =
                    format!("dimension = {dimension}: it must be at most {LARGEST_DIMENSION}");
                return Err(Error::Setting(message));
            }
        }
        Ok(())
    }
}

impl Overrides {
    /// The width of adapters.
    fn width(&self, config: &T5Config) -> Result<usize> {
        match (self.bottleneck, self.reduction) {
            (Some(_), Some(_)) => Err(Error::Setting(
                "bottleneck and reduction both say how wide an adapter is: leave one out".into(),
            )),
            (Some(width), None) => Ok(width),
            (None, Some(by)) if by == 0 || by > config.d_model => Err(Error::Setting(format!(
                "reduction {by}: it must be from 1 to d_model {}",
                config.d_model
            ))),
            (None, Some(by)) => Ok(config.d_model / by),
            (None, None) => Ok(default_bottleneck(config)),
        }
    }

    /// Refuses what the method has no use for.
    fn refuse_meaningless(&self, method: &Method) -> Result<()> {
        let adapters = method.adapters.is_some();
        let layer = method.adapters.as_ref().map(|adapters| adapters.layer);
        let hypercomplex = layer.is_some_and(|layer| layer.rule().is_some());
        let lphm = matches!(layer, Some(Layer::Lphm { .. }));
        let ranked = lphm || matches!(layer, Some(Layer::LowRank { .. }));
        // Those whose base is not about to train or to move as a whole.
        let partial = method.base != BaseTrains::All && method.intrinsic.is_none();
        let settings = [
            ("n", self.n.is_some(), hypercomplex),
            ("rank", self.rank.is_some(), ranked),
            ("bottleneck", self.bottleneck.is_some(), adapters),
            ("reduction", self.reduction.is_some(), adapters),
            ("sites", self.sites.is_some(), adapters),
            ("drop-layers", self.drop_layers.is_some(), adapters),
            ("encoder-layers", self.encoder_layers.is_some(), adapters),
            ("decoder-layers", self.decoder_layers.is_some(), adapters),
            ("rule", self.rule.is_some(), hypercomplex),
            ("rule-fixed", self.rule_fixed.is_some(), hypercomplex),
            (
                "rule-factorised",
                self.rule_factorised.is_some(),
                hypercomplex,
            ),
            ("shared-factors", self.shared_factors.is_some(), lphm),
            ("pre-norm", self.pre_norm.is_some(), adapters),
            ("post-norm", self.post_norm.is_some(), adapters),
            ("activation", self.activation.is_some(), adapters),
            ("layer-norms", self.layer_norms.is_some(), partial),
            ("output-layer", self.output_layer.is_some(), partial),
            ("prompt", self.prompt.is_some(), method.prompt.is_some()),
            (
                "dimension",
                self.dimension.is_some(),
                method.intrinsic.is_some(),
            ),
        ];
        match settings.iter().find(|(_, set, means)| *set && !means) {
            Some((name, ..)) => Err(Error::Setting(format!(
                "{name} means nothing to the method `{}`: leave it out",
                method.name
            ))),
            None => Ok(()),
        }
    }

    fn change(&self, adapters: &mut Adapters, config: &T5Config) -> Result<()> {
        match &mut adapters.layer {
            Layer::Dense => {}
            Layer::LowRank { rank } => *rank = self.rank.unwrap_or(*rank),
            Layer::Phm { n, rule } => {
                *n = self.n.unwrap_or(*n);
                self.change_rule(rule);
            }
            Layer::Lphm {
                n,
                rank,
                rule,
                shared,
            } => {
                *n = self.n.unwrap_or(*n);
                *rank = self.rank.unwrap_or(*rank);
                *shared = self.shared_factors.unwrap_or(*shared);
                self.change_rule(rule);
            }
        }
        if let Some(sites) = &self.sites {
            adapters.sites.clone_from(sites);
        }
        adapters.activation = self.activation.unwrap_or(adapters.activation);
        adapters.pre_norm = self.pre_norm.unwrap_or(adapters.pre_norm);
        adapters.post_norm = self.post_norm.unwrap_or(adapters.post_norm);
        let lists = [
            ("encoder-layers", &self.encoder_layers, Stack::Encoder),
            ("decoder-layers", &self.decoder_layers, Stack::Decoder),
        ];
        if let Some(dropped) = self.drop_layers {
            if let Some((name, ..)) = lists.iter().find(|(_, list, _)| list.is_some()) {
                return Err(Error::Setting(format!(
                    "drop-layers and {name} both say which layers get adapters: leave one out"
                )));
            }
            adapters.drop_lower(config, |_| dropped);
        }
        for (name, list, stack) in lists {
            let layers = config.layers(stack);
            if let Some(layer) = list.iter().flatten().find(|layer| **layer >= layers) {
                return Err(Error::Setting(format!(
                    "{name} names layer {layer}: the {} has layers 0 to {}",
                    stack.name(),
                    layers.saturating_sub(1)
                )));
            }
        }
        if self.encoder_layers.is_some() {
            adapters.encoder_layers.clone_from(&self.encoder_layers);
        }
        if self.decoder_layers.is_some() {
            adapters.decoder_layers.clone_from(&self.decoder_layers);
        }
        Ok(())
    }

    fn change_rule(&self, rule: &mut super::Rule) {
        rule.own = self.rule.map_or(rule.own, |owner| owner == RuleOwner::Own);
        rule.fixed = self.rule_fixed.unwrap_or(rule.fixed);
        rule.factorised = self.rule_factorised.unwrap_or(rule.factorised);
    }
}

impl Adapters {
    fn check(&self, config: &T5Config) -> Result<()> {
        if self.bottleneck == 0 || self.bottleneck > config.d_model {
            return Err(Error::Setting(format!(
                "bottleneck {}: it must be from 1 to d_model {}",
                self.bottleneck, config.d_model
            )));
        }
        let stacks = [Stack::Encoder, Stack::Decoder];
        let anywhere = stacks.into_iter().any(|stack| {
            let mut blocks = 0..config.layers(stack);
            blocks.any(|block| (0..3).any(|layer| self.are_at(stack, block, layer)))
        });
        if !anywhere {
            return Err(Error::Setting(
                "no layer is left that gets an adapter: name more sites or layers, or drop fewer"
                    .into(),
            ));
        }
        let (n, rank) = match self.layer {
            Layer::Dense => return Ok(()),
            Layer::LowRank { rank } => (1, rank),
            Layer::Phm { n, .. } => (n, 1),
            Layer::Lphm { n, rank, .. } => (n, rank),
        };
        if n == 0 || rank == 0 {
            return Err(Error::Setting(format!(
                "n = {n}, rank = {rank}: both must be at least 1"
            )));
        }
        if n > MOST_TERMS {
            return Err(Error::Setting(format!(
                "n = {n}: it must be at most {MOST_TERMS}, since A has n³ numbers"
            )));
        }
        // No product of two matrices has a higher one.
        if rank > config.d_model {
            return Err(Error::Setting(format!(
                "rank {rank}: it must be from 1 to d_model {}",
                config.d_model
            )));
        }
        for (what, size) in [("d_model", config.d_model), ("bottleneck", self.bottleneck)] {
            if !size.is_multiple_of(n) {
                return Err(Error::Setting(format!(
                    "n = {n} does not divide {what} {size}: choose an n that divides both d_model {} \
                     and bottleneck {}",
                    config.d_model, self.bottleneck
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> T5Config {
        T5Config::preset("t5-base").unwrap()
    }

    fn set() -> Overrides {
        Overrides::default()
    }

    fn error(name: &str, set: Overrides) -> String {
        let resolved = Method::resolve(name, &base(), &set);
        resolved.unwrap_err().to_string()
    }

    fn count(name: &str, set: Overrides) -> usize {
        let method = Method::resolve(name, &base(), &set).unwrap();
        method.trainable(&base())
    }

    #[test]
    fn what_cannot_work_is_said_with_its_numbers() {
        let n = Overrides {
            n: Some(5),
            ..set()
        };
        assert!(error("compacter", n.clone()).contains("n = 5 does not divide d_model 768"));
        assert!(error("full", n).contains("n means nothing to the method `full`"));
        let unknown = error("compactor", set());
        assert!(unknown.contains("`compacter`, `compacter++`"), "{unknown}");
        let both = Overrides {
            bottleneck: Some(8),
            reduction: Some(8),
            ..set()
        };
        assert!(error("adapter", both).contains("bottleneck and reduction both"));
        let both = Overrides {
            drop_layers: Some(1),
            decoder_layers: Some(vec![3]),
            ..set()
        };
        assert!(error("adapter", both).contains("drop-layers and decoder-layers both"));
        let far = Overrides {
            encoder_layers: Some(vec![12]),
            ..set()
        };
        assert!(error("adapter", far).contains("layers 0 to 11"));
        let none = Overrides {
            drop_layers: Some(12),
            ..set()
        };
        assert!(error("adapter", none).contains("no layer is left"));
        let small = Overrides {
            dimension: Some(200),
            ..set()
        };
        assert!(error("intrinsic-said", small).contains("must be at least 259"));
        let frozen = Overrides {
            layer_norms: Some(false),
            ..set()
        };
        assert!(error("full", frozen).contains("layer-norms means nothing"));
    }

    #[test]
    fn switches_change_the_counts_as_they_should() {
        let norms = 48_000 - 384; // 62 norms of 768
        let published = count("compacter", set());
        let frozen = Overrides {
            layer_norms: Some(false),
            ..set()
        };
        assert_eq!(published - count("compacter", frozen), norms);
        let fixed = Overrides {
            rule_fixed: Some(true),
            ..set()
        };
        assert_eq!(published - count("compacter", fixed), 64);
        let factorised = Overrides {
            rule_factorised: Some(true),
            ..set()
        };
        assert_eq!(published - count("compacter", factorised), 64 - 2 * 16);
        let own = Overrides {
            rule: Some(RuleOwner::Own),
            ..set()
        };
        assert_eq!(count("compacter", own) - published, (96 - 1) * 64);
        let output = Overrides {
            output_layer: Some(true),
            ..set()
        };
        assert_eq!(count("compacter", output) - published, 32128 * 768);
        let dropped = Overrides {
            drop_layers: Some(6),
            ..set()
        };
        let adapters = published - 64 - norms;
        assert_eq!(count("compacter", dropped), 64 + norms + adapters / 2);
        let shared = Overrides {
            shared_factors: Some(true),
            ..set()
        };
        let (biases, factors) = (48 * (768 + 24), 2 * (768 + 24));
        assert_eq!(count("compacter", shared), 64 + norms + biases + factors);
        let normed = Overrides {
            pre_norm: Some(true),
            ..set()
        };
        assert_eq!(count("compacter", normed) - published, 48 * 2 * 768);
        let wide = Overrides {
            reduction: Some(16),
            ..set()
        };
        let same = Overrides {
            bottleneck: Some(48),
            ..set()
        };
        assert_eq!(count("adapter", wide), count("adapter", same));
        let prompt = Overrides {
            prompt: Some(20),
            ..set()
        };
        assert_eq!(count("prompt-random", prompt), 20 * 768);
    }

    #[test]
    fn the_published_departures_are_asked_for() {
        let exact = Overrides {
            reference_exact: true,
            ..set()
        };
        let resolve = |name, set| Method::resolve(name, &base(), &set).unwrap();
        let start = |set| resolve("prompt-tokens", set).prompt.unwrap().start;
        assert_eq!(start(set()), PromptStart::Tokens);
        assert_eq!(start(exact.clone()), PromptStart::UnloadedTokens);
        let published = |set| {
            let intrinsic = resolve("intrinsic-said", set).intrinsic;
            intrinsic.unwrap().published_gradient
        };
        assert!(published(exact) && !published(set()));
    }
}
