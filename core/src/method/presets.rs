//! The paper's methods as presets of [`Method`], with the published settings.

use super::{
    AdapterInput, Adapters, BaseTrains, Intrinsic, Layer, Method, Overrides, Prompt, PromptStart,
    Rule, Site,
};
use crate::nearest::suggestion;
use crate::t5::{Activation, Stack, T5Config};
use crate::{Error, Result};

/// Names of the methods that exist, in the order of the paper's Table 1.
pub const NAMES: [&str; 12] = [
    "full",
    "adapter",
    "pfeiffer",
    "adapterdrop",
    "adapter-lowrank",
    "prompt-random",
    "prompt-tokens",
    "intrinsic-said",
    "bitfit",
    "phm-adapter",
    "compacter",
    "compacter++",
];

const FEED_FORWARD: [Site; 2] = [Site::EncoderFeedForward, Site::DecoderFeedForward];
const SELF_ATTENTION: [Site; 2] = [Site::EncoderSelfAttention, Site::DecoderSelfAttention];

/// Lower layers without adapters in AdapterDrop.
const DROPPED: usize = 5;

impl Method {
    /// A preset as published, sized for `config`.
    pub fn preset(name: &str, config: &T5Config) -> Result<Self> {
        Self::resolve(name, config, &Overrides::default())
    }

    /// A preset before anything is set instead; `bottleneck` is the width of its adapters.
    pub(super) fn published(name: &str, config: &T5Config, bottleneck: usize) -> Result<Self> {
        let adapter = |sites: &[Site], layer: Layer, lr: f64| {
            let adapters = Adapters {
                sites: sites.to_vec(),
                layer,
                bottleneck,
                encoder_layers: None,
                decoder_layers: None,
                activation: Activation::GeluNew,
                input: AdapterInput::Sublayer,
                pre_norm: false,
                post_norm: false,
            };
            Self {
                adapters: Some(adapters),
                base: BaseTrains::LayerNorms,
                task_prefix: false,
                ..Self::plain(name, BaseTrains::LayerNorms, lr)
            }
        };
        let lphm = Layer::Lphm {
            n: 4,
            rank: 1,
            rule: Rule::default(),
            shared: false,
        };
        let own = Rule {
            own: true,
            ..Rule::default()
        };
        Ok(match name {
            "full" => Self::plain(name, BaseTrains::All, 3e-4),
            "adapter" => adapter(&Site::ALL, Layer::Dense, 3e-4),
            "pfeiffer" => adapter(&SELF_ATTENTION, Layer::Dense, 3e-4),
            "adapterdrop" => {
                let mut method = adapter(&Site::ALL, Layer::Dense, 3e-4);
                if let Some(adapters) = &mut method.adapters {
                    adapters.drop_lower(config, |layers| DROPPED.min(layers.saturating_sub(1)));
                }
                method
            }
            "adapter-lowrank" => adapter(&Site::ALL, Layer::LowRank { rank: 1 }, 3e-3),
            "prompt-random" => Self::prompt(name, PromptStart::Random, 0.03),
            "prompt-tokens" => Self::prompt(name, PromptStart::Tokens, 0.3),
            "intrinsic-said" => Self {
                intrinsic: Some(Intrinsic {
                    dimension: 20_000,
                    seed: 42,
                    published_gradient: false,
                }),
                micro_batch: Some(50),
                ..Self::plain(name, BaseTrains::Nothing, 0.03)
            },
            "bitfit" => Self {
                biases: true,
                ..Self::plain(name, BaseTrains::Nothing, 3e-4)
            },
            "phm-adapter" => {
                let n = phm_terms(config.d_model, bottleneck);
                adapter(&Site::ALL, Layer::Phm { n, rule: own }, 3e-3)
            }
            "compacter" => adapter(&Site::ALL, lphm, 3e-3),
            "compacter++" => adapter(&FEED_FORWARD, lphm, 3e-3),
            _ => {
                let known = suggestion(name, NAMES);
                return Err(Error::Setting(format!("unknown method `{name}`: {known}")));
            }
        })
    }

    /// A method that adds nothing.
    fn plain(name: &str, base: BaseTrains, lr: f64) -> Self {
        Self {
            name: name.into(),
            adapters: None,
            prompt: None,
            biases: false,
            intrinsic: None,
            base,
            output_layer: false,
            lr,
            micro_batch: None,
            task_prefix: true,
        }
    }

    fn prompt(name: &str, start: PromptStart, lr: f64) -> Self {
        Self {
            prompt: Some(Prompt { rows: 100, start }),
            micro_batch: Some(50),
            ..Self::plain(name, BaseTrains::Nothing, lr)
        }
    }
}

/// The published 12 terms of a PHM adapter, or 8 and less where 12 does not divide both widths.
fn phm_terms(model: usize, bottleneck: usize) -> usize {
    let divides = |n: &usize| model.is_multiple_of(*n) && bottleneck.is_multiple_of(*n);
    [12, 8, 4, 2].into_iter().find(divides).unwrap_or(1)
}

/// d_model / 32, the paper's; small models get d_model / 8, for n = 4 must divide it.
pub(super) fn default_bottleneck(config: &T5Config) -> usize {
    let reduction = if config.d_model < 512 { 8 } else { 32 };
    (config.d_model / reduction).max(1)
}

impl Adapters {
    /// Leaves the lowest layers of each stack without adapters; `dropped` is given the stack's
    /// number of layers.
    pub(super) fn drop_lower(&mut self, config: &T5Config, dropped: impl Fn(usize) -> usize) {
        let kept = |stack| {
            let layers = config.layers(stack);
            Some((dropped(layers).min(layers)..layers).collect())
        };
        self.encoder_layers = kept(Stack::Encoder);
        self.decoder_layers = kept(Stack::Decoder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(name: &str) -> T5Config {
        T5Config::preset(name).unwrap()
    }

    #[test]
    fn shares_of_t5_base_are_those_of_table_1() {
        let percent = [
            100.0, 0.832, 0.427, 0.494, 0.073, 0.034, 0.034, 0.009, 0.126, 0.179, 0.073, 0.047,
        ];
        let base = size("t5-base");
        for (name, percent) in NAMES.into_iter().zip(percent) {
            let method = Method::preset(name, &base).unwrap();
            assert!((method.percent(&base) - percent).abs() < 5e-4, "{name}");
        }
    }

    #[test]
    fn counts_of_other_sizes_are_the_published_codes() {
        // What the published code counts for T5-small: of BitFit with a row for each of 32128 ids.
        let counts = [
            60_506_624, 422_272, 219_328, 84_032, 54_400, 51_200, 51_200, 20_000, 115_072, 102_784,
            54_464, 35_456,
        ];
        let small = size("t5-small");
        for (name, count) in NAMES.into_iter().zip(counts) {
            let method = Method::preset(name, &small).unwrap();
            assert_eq!(method.trainable(&small), count, "{name}");
        }
    }

    #[test]
    fn adapterdrop_keeps_the_last_layer_of_a_shallow_model() {
        let blocks = |config: &T5Config| {
            let method = Method::preset("adapterdrop", config).unwrap();
            let places = method.places(config);
            let encoder = places.iter().filter(|place| place.stack == Stack::Encoder);
            let mut blocks: Vec<usize> = encoder.map(|place| place.block).collect();
            blocks.dedup();
            blocks
        };
        assert_eq!(blocks(&size("t5-base")), [5, 6, 7, 8, 9, 10, 11]);
        let shallow = T5Config {
            num_layers: 2,
            ..size("t5-small")
        };
        assert_eq!(blocks(&shallow), [1]);
    }

    #[test]
    fn phm_terms_divide_both_widths() {
        assert_eq!(phm_terms(768, 24), 12);
        assert_eq!(phm_terms(512, 16), 8);
        assert_eq!(phm_terms(33, 3), 1);
    }

    #[test]
    fn an_adapter_file_of_before_still_reads() {
        let old = r#"{"name":"compacter++","adapters":{"sites":["encoder.feed_forward",
            "decoder.feed_forward"],"layer":{"kind":"lphm","n":4,"rank":1},"bottleneck":24},
            "base":"layer_norms","lr":0.003,"task_prefix":false}"#;
        let read: Method = serde_json::from_str(old).unwrap();
        assert_eq!(
            read,
            Method::preset("compacter++", &size("t5-base")).unwrap()
        );
    }
}
