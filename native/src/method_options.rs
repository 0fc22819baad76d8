//! What of a method can be set by flags or by a TOML file of the same names.

use clap::Args;
use compacter_core::method::{Overrides, RuleOwner, Site};
use compacter_core::t5::Activation;
use serde::{Deserialize, Serialize};

/// Everything of a method that can be set instead of the preset's value.
#[derive(Debug, Clone, Default, PartialEq, Args, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
#[command(next_help_heading = "Method")]
pub(crate) struct MethodOptions {
    /// Terms of the Kronecker sum [default: 4; phm-adapter: 12]
    #[arg(long, value_name = "N")]
    pub(crate) n: Option<usize>,
    /// Rank of each term, or of a low-rank adapter [default: 1]
    #[arg(long, value_name = "R")]
    pub(crate) rank: Option<usize>,
    /// Width of an adapter [default: d_model / 32, or / 8 below 512]
    #[arg(long, value_name = "D")]
    pub(crate) bottleneck: Option<usize>,
    /// Width of an adapter as d_model divided by this
    #[arg(long, value_name = "FACTOR")]
    pub(crate) reduction: Option<usize>,
    /// Places of adapters: encoder.self_attention, …
    #[arg(long, value_name = "SITES", value_delimiter = ',')]
    pub(crate) sites: Option<Vec<Site>>,
    /// No adapters in this many of each stack's lowest layers
    #[arg(long, value_name = "LAYERS")]
    pub(crate) drop_layers: Option<usize>,
    /// Encoder layers with adapters, counted from 0 [default: all]
    #[arg(long, value_name = "LAYERS", value_delimiter = ',')]
    pub(crate) encoder_layers: Option<Vec<usize>>,
    /// Decoder layers with adapters, counted from 0 [default: all]
    #[arg(long, value_name = "LAYERS", value_delimiter = ',')]
    pub(crate) decoder_layers: Option<Vec<usize>>,
    /// The matrices A: shared by all projections, or each its own
    #[arg(long, value_name = "shared|own")]
    pub(crate) rule: Option<RuleOwner>,
    /// Leave the matrices A as they were drawn
    #[arg(
        long,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_name = "BOOL",
        hide_possible_values = true
    )]
    pub(crate) rule_fixed: Option<bool>,
    /// Make each A of a column times a row
    #[arg(
        long,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_name = "BOOL",
        hide_possible_values = true
    )]
    pub(crate) rule_factorised: Option<bool>,
    /// One s and t for all adapters
    #[arg(
        long,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_name = "BOOL",
        hide_possible_values = true
    )]
    pub(crate) shared_factors: Option<bool>,
    /// A LayerNorm in front of each adapter
    #[arg(
        long,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_name = "BOOL",
        hide_possible_values = true
    )]
    pub(crate) pre_norm: Option<bool>,
    /// A LayerNorm behind each adapter
    #[arg(
        long,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_name = "BOOL",
        hide_possible_values = true
    )]
    pub(crate) post_norm: Option<bool>,
    /// relu, gelu_new, gelu or silu inside an adapter [default: gelu_new]
    #[arg(long, value_name = "NAME")]
    pub(crate) activation: Option<Activation>,
    /// Train T5's layer norms: true or false [default: with adapters]
    #[arg(
        long,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_name = "BOOL",
        hide_possible_values = true
    )]
    pub(crate) layer_norms: Option<bool>,
    /// Train the output layer too, and with it a tied embedding
    #[arg(
        long,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_name = "BOOL",
        hide_possible_values = true
    )]
    pub(crate) output_layer: Option<bool>,
    /// Rows of the prompt [default: 100]
    #[arg(long, value_name = "ROWS")]
    pub(crate) prompt: Option<usize>,
    /// Trained numbers of intrinsic-said [default: 20000]
    #[arg(long, value_name = "D")]
    pub(crate) dimension: Option<usize>,
}

impl MethodOptions {
    /// As the core takes them.
    pub(crate) fn overrides(&self, lr: Option<f64>, reference_exact: bool) -> Overrides {
        let options = self.clone();
        Overrides {
            n: options.n,
            rank: options.rank,
            bottleneck: options.bottleneck,
            reduction: options.reduction,
            sites: options.sites,
            drop_layers: options.drop_layers,
            encoder_layers: options.encoder_layers,
            decoder_layers: options.decoder_layers,
            rule: options.rule,
            rule_fixed: options.rule_fixed,
            rule_factorised: options.rule_factorised,
            shared_factors: options.shared_factors,
            pre_norm: options.pre_norm,
            post_norm: options.post_norm,
            activation: options.activation,
            layer_norms: options.layer_norms,
            output_layer: options.output_layer,
            prompt: options.prompt,
            dimension: options.dimension,
            lr,
            reference_exact,
        }
    }
}
