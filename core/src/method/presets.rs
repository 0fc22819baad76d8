//! The paper's methods as presets of [`Method`], with the published settings.

use super::{AdapterInput, Adapters, BaseTrains, Layer, Method, Site};
use crate::t5::{Activation, T5Config};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Names of the methods that exist.
pub const NAMES: [&str; 4] = ["full", "adapter", "compacter", "compacter++"];

/// What a user may set instead of a preset's value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Overrides {
    /// Terms of the sum of Kronecker products.
    pub n: Option<usize>,
    /// Rank of each s_i t_i.
    pub rank: Option<usize>,
    /// Width between the two projections.
    pub bottleneck: Option<usize>,
    /// Learning rate.
    pub lr: Option<f64>,
}

impl Method {
    /// A preset as published, sized for `config`.
    pub fn preset(name: &str, config: &T5Config) -> Result<Self> {
        Self::resolve(name, config, &Overrides::default())
    }

    /// A preset with some of its settings replaced; errors name the numbers that do not fit.
    pub fn resolve(name: &str, config: &T5Config, set: &Overrides) -> Result<Self> {
        let feed_forward = vec![Site::EncoderFeedForward, Site::DecoderFeedForward];
        let (sites, lphm, lr) = match name {
            "full" => (None, false, 3e-4),
            "adapter" => (Some(Site::ALL.to_vec()), false, 3e-4),
            "compacter" => (Some(Site::ALL.to_vec()), true, 3e-3),
            "compacter++" => (Some(feed_forward), true, 3e-3),
            _ => {
                let known = NAMES.join(", ");
                return Err(Error::Setting(format!(
                    "unknown method `{name}`: it is one of {known}"
                )));
            }
        };
        let layer = if lphm {
            Layer::Lphm {
                n: set.n.unwrap_or(4),
                rank: set.rank.unwrap_or(1),
            }
        } else {
            reject(name, "n", set.n)?;
            reject(name, "rank", set.rank)?;
            Layer::Dense
        };
        let adapters = match sites {
            Some(sites) => {
                let bottleneck = set.bottleneck.unwrap_or_else(|| default_bottleneck(config));
                Some(Adapters {
                    sites,
                    layer,
                    bottleneck,
                    activation: Activation::GeluNew,
                    input: AdapterInput::Sublayer,
                })
            }
            None => {
                reject(name, "bottleneck", set.bottleneck)?;
                None
            }
        };
        if let Some(adapters) = &adapters {
            adapters.check(config)?;
        }
        let full = adapters.is_none();
        let lr = set.lr.unwrap_or(lr);
        if !(lr.is_finite() && lr > 0.0) {
            return Err(Error::Setting(format!(
                "learning rate {lr}: it must be above 0"
            )));
        }
        let base = if full {
            BaseTrains::All
        } else {
            BaseTrains::LayerNorms
        };
        Ok(Self {
            name: name.into(),
            adapters,
            base,
            lr,
            task_prefix: full,
        })
    }
}

/// d_model / 32, the paper's; small models get d_model / 8, for n = 4 must divide it.
fn default_bottleneck(config: &T5Config) -> usize {
    let reduction = if config.d_model < 512 { 8 } else { 32 };
    (config.d_model / reduction).max(1)
}

fn reject(method: &str, setting: &str, value: Option<usize>) -> Result<()> {
    match value {
        Some(value) => Err(Error::Setting(format!(
            "{setting} = {value} means nothing to the method `{method}`: leave it out"
        ))),
        None => Ok(()),
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
        let Layer::Lphm { n, rank } = self.layer else {
            return Ok(());
        };
        if n == 0 || rank == 0 {
            return Err(Error::Setting(format!(
                "n = {n}, rank = {rank}: both must be at least 1"
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

    #[test]
    fn shares_of_t5_base_are_the_papers() {
        // Table 1: Adapter 0.832 %, Compacter 0.073 %, Compacter++ 0.047 %.
        for (name, percent) in [
            ("adapter", 0.832),
            ("compacter", 0.073),
            ("compacter++", 0.047),
        ] {
            let method = Method::preset(name, &base()).unwrap();
            assert!((method.percent(&base()) - percent).abs() < 5e-4, "{name}");
        }
        assert_eq!(
            Method::preset("full", &base()).unwrap().percent(&base()),
            100.0
        );
    }

    #[test]
    fn what_cannot_work_is_said_with_its_numbers() {
        let error = |name: &str, set: Overrides| {
            Method::resolve(name, &base(), &set)
                .unwrap_err()
                .to_string()
        };
        let n = Overrides {
            n: Some(5),
            ..Overrides::default()
        };
        assert!(error("compacter", n).contains("n = 5 does not divide d_model 768"));
        assert!(error("full", n).contains("means nothing"));
        assert!(error("compactor", Overrides::default()).contains("compacter++"));
    }
}
