//! `adapter_config.json`: which of the library's switches we have, and what they mean here.

use crate::method::{AdapterInput, Adapters, BaseTrains, Layer, Method, Overrides, Site};
use crate::t5::{Activation, Stack, T5Config};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct File {
    pub(super) config: Bottleneck,
    pub(super) hidden_size: usize,
    #[serde(default)]
    pub(super) model_class: String,
    #[serde(default)]
    pub(super) model_name: Option<String>,
    pub(super) model_type: String,
    pub(super) name: String,
    /// Absent before `adapters`: names of activations meant something else then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<String>,
}

/// The library's bottleneck configuration: what we have switches for, and the rest.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Bottleneck {
    mh_adapter: bool,
    output_adapter: bool,
    non_linearity: String,
    reduction_factor: f64,
    #[serde(default)]
    original_ln_before: bool,
    #[serde(default)]
    phm_layer: bool,
    #[serde(default = "four")]
    phm_dim: usize,
    #[serde(default = "one")]
    phm_rank: usize,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

fn four() -> usize {
    4
}

fn one() -> usize {
    1
}

/// Switches that change what an adapter computes, at the only value that we have.
fn fixed() -> Vec<(&'static str, Value)> {
    vec![
        ("cross_adapter", json!(false)),
        ("inv_adapter", Value::Null),
        ("is_parallel", json!(false)),
        ("leave_out", json!([])),
        ("ln_after", json!(false)),
        ("ln_before", json!(false)),
        ("original_ln_after", json!(true)),
        ("residual_before_ln", json!(true)),
        ("scaling", json!(1.0)),
        ("use_gating", json!(false)),
    ]
}

/// The same for hypercomplex layers; they mean nothing to others.
fn fixed_hypercomplex() -> Vec<(&'static str, Value)> {
    vec![
        ("factorized_phm_W", json!(true)),
        ("factorized_phm_rule", json!(false)),
        ("learn_phm", json!(true)),
        ("phm_bias", json!(true)),
        ("shared_W_phm", json!(false)),
        ("shared_phm_rule", json!(true)),
    ]
}

/// What matters to initialisation and training there, or only beside a switch that we refuse, at
/// the library's defaults.
fn unread() -> Vec<(&'static str, Value)> {
    vec![
        ("adapter_residual_before_ln", json!(false)),
        ("dropout", json!(0.0)),
        ("hypercomplex_nonlinearity", json!("glorot-uniform")),
        ("init_weights", json!("bert")),
        ("init_weights_seed", Value::Null),
        ("inv_adapter_reduction_factor", Value::Null),
        ("phm_c_init", json!("normal")),
        ("phm_init_range", json!(1e-4)),
        ("stochastic_depth", json!(0.0)),
    ]
}

/// Equal, 1 and 1.0 being so.
fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

/// Names of activations; `gelu` was the tanh form in files without a version.
fn activation(name: &str, versioned: bool) -> Option<Activation> {
    Some(match (name.to_lowercase().as_str(), versioned) {
        ("gelu_new", _) | ("gelu", false) => Activation::GeluNew,
        ("gelu", true) | ("gelu_orig", false) => Activation::Gelu,
        ("relu", _) => Activation::Relu,
        ("swish" | "silu", _) => Activation::Silu,
        _ => return None,
    })
}

fn activation_name(kind: Activation) -> &'static str {
    match kind {
        Activation::GeluNew => "gelu_new",
        Activation::Gelu => "gelu",
        Activation::Relu => "relu",
        Activation::Silu => "swish",
    }
}

/// What the library makes of a reduction factor: Python's `int(size // factor)`, at least 1.
fn width(size: usize, factor: f64) -> usize {
    let size = size as f64;
    (((size - size % factor) / factor).round() as usize).max(1)
}

/// A factor of which the library makes this width.
fn factor(size: usize, bottleneck: usize) -> Option<f64> {
    let exact = size as f64 / bottleneck as f64;
    let near = [exact, exact.next_down(), exact.next_up()];
    near.into_iter()
        .find(|&factor| width(size, factor) == bottleneck)
}

impl File {
    /// Reads it; `file` is for errors.
    pub(super) fn read(bytes: &[u8], file: &str) -> Result<Self> {
        let read: Self = serde_json::from_slice(bytes).map_err(|e| {
            Error::file(
                file,
                format!("not the configuration of a bottleneck adapter of AdapterHub: {e}"),
            )
        })?;
        if read.model_type != "t5" {
            let message = format!("is for a model of type `{}`, expected t5", read.model_type);
            return Err(Error::file(file, message));
        }
        Ok(read)
    }

    /// The method that it describes, on a base of these sizes.
    pub(super) fn method(&self, base: &T5Config, file: &str) -> Result<Method> {
        self.config.check(file)?;
        if self.hidden_size != base.d_model {
            let name = self.model_name.as_deref().filter(|name| !name.is_empty());
            let name = name.unwrap_or("without a name");
            let (have, want) = (base.d_model, self.hidden_size);
            let message =
                format!("was trained on a base ({name}) of d_model {want}; this base has {have}");
            return Err(Error::file(file, message));
        }
        let config = &self.config;
        let kind = activation(&config.non_linearity, self.version.is_some()).ok_or_else(|| {
            let name = &config.non_linearity;
            let message =
                format!("non_linearity is `{name}`, expected gelu, gelu_new, relu or swish");
            Error::file(file, message)
        })?;
        if !(config.reduction_factor.is_finite() && config.reduction_factor > 0.0) {
            let message = format!("reduction_factor is {}", config.reduction_factor);
            return Err(Error::file(file, message));
        }
        let mut set = Overrides {
            bottleneck: Some(width(base.d_model, config.reduction_factor)),
            ..Overrides::default()
        };
        let name = match (config.phm_layer, config.mh_adapter) {
            (false, _) => "adapter",
            (true, true) => "compacter",
            (true, false) => "compacter++",
        };
        if config.phm_layer {
            (set.n, set.rank) = (Some(config.phm_dim), Some(config.phm_rank));
        }
        let mut method = Method::resolve(name, base, &set)
            .map_err(|e| Error::file(file, format!("does not fit this base: {e}")))?;
        method.base = BaseTrains::Nothing;
        if let Some(adapters) = &mut method.adapters {
            adapters.sites = config.sites();
            adapters.activation = kind;
            adapters.input = match config.original_ln_before {
                true => AdapterInput::Residual,
                false => AdapterInput::Sublayer,
            };
        }
        let fits = method.check(base);
        fits.map_err(|e| Error::file(file, format!("does not fit this base: {e}")))?;
        Ok(method)
    }

    /// The file of a method; `None` if no configuration of the library says the same.
    pub(super) fn describe(method: &Method, base: &T5Config, name: &str) -> Option<Self> {
        let adapters = method.adapters.as_ref()?;
        let (phm_layer, phm_dim, phm_rank) = match adapters.layer {
            Layer::Lphm { n, rank, .. } => (true, n, rank),
            _ => (false, four(), one()),
        };
        let has = |wanted: &dyn Fn(usize) -> bool| {
            adapters.sites.iter().any(|site| wanted(site.position().1))
        };
        let rest = [fixed(), fixed_hypercomplex(), unread()].concat();
        let config = Bottleneck {
            mh_adapter: has(&|layer| layer == 0),
            output_adapter: has(&|layer| layer != 0),
            non_linearity: activation_name(adapters.activation).into(),
            reduction_factor: factor(base.d_model, adapters.bottleneck)?,
            original_ln_before: adapters.input == AdapterInput::Residual,
            phm_layer,
            phm_dim,
            phm_rank,
            rest: rest
                .into_iter()
                .map(|(key, value)| (key.into(), value))
                .collect(),
        };
        let file = Self {
            config,
            hidden_size: base.d_model,
            model_class: "T5ForConditionalGeneration".into(),
            model_name: Some(String::new()),
            model_type: "t5".into(),
            name: name.into(),
            version: Some("adapters.1.3.0".into()),
        };
        // Whatever else the method says would be lost.
        let back = file.method(base, super::CONFIG).ok()?;
        let sorted = |adapters: &Adapters| {
            let sites = Site::ALL
                .into_iter()
                .filter(|site| adapters.sites.contains(site));
            Adapters {
                sites: sites.collect(),
                ..adapters.clone()
            }
        };
        let same = Method {
            name: method.name.clone(),
            lr: method.lr,
            base: method.base,
            task_prefix: method.task_prefix,
            adapters: back.adapters.as_ref().map(sorted),
            ..back
        };
        let wanted = Method {
            adapters: Some(sorted(adapters)),
            ..method.clone()
        };
        (same == wanted).then_some(file)
    }
}

impl Bottleneck {
    fn sites(&self) -> Vec<Site> {
        let wanted = |site: &Site| match site.position() {
            (_, 0) => self.mh_adapter,
            (stack, layer) => {
                debug_assert_eq!(layer, Stack::feed_forward_layer(stack));
                self.output_adapter
            }
        };
        Site::ALL.into_iter().filter(wanted).collect()
    }

    /// Refuses every switch that would compute something else here.
    fn check(&self, file: &str) -> Result<()> {
        let mut known = fixed();
        if self.phm_layer {
            known.extend(fixed_hypercomplex());
        }
        for (key, expected) in &known {
            match self.rest.get(*key) {
                Some(value) if !same(value, expected) => {
                    let message = format!("{key} is {value}; this program has only {expected}");
                    return Err(Error::file(file, message));
                }
                _ => {}
            }
        }
        let named = [fixed(), fixed_hypercomplex(), unread()].concat();
        let off = |value: &Value| matches!(value, Value::Null | Value::Bool(false));
        let unknown = self
            .rest
            .iter()
            .find(|(key, value)| !off(value) && !named.iter().any(|(known, _)| known == key));
        match unknown {
            Some((key, value)) => {
                let message =
                    format!("has the switch {key} = {value}, which this program does not know");
                Err(Error::file(file, message))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> T5Config {
        T5Config::preset("t5-small").unwrap()
    }

    /// compacter++ as the library writes it, with one key changed.
    fn file(key: &str, value: Value) -> File {
        let mut method = Method::preset("compacter++", &base()).unwrap();
        method.base = BaseTrains::Nothing;
        let file = File::describe(&method, &base(), "task").unwrap();
        let mut text = serde_json::to_value(file).unwrap();
        text["config"][key] = value;
        File::read(text.to_string().as_bytes(), "a.json").unwrap()
    }

    #[test]
    fn a_method_and_its_file_say_the_same() {
        for name in ["compacter", "compacter++", "adapter"] {
            for input in [AdapterInput::Sublayer, AdapterInput::Residual] {
                let mut method = Method::preset(name, &base()).unwrap();
                method.base = BaseTrains::Nothing;
                method.task_prefix = false;
                let adapters = method.adapters.as_mut().unwrap();
                (adapters.input, adapters.activation) = (input, Activation::Gelu);
                let file = File::describe(&method, &base(), "task").unwrap();
                assert_eq!(file.method(&base(), "a.json").unwrap(), method);
            }
        }
        // The library has no switch for one stack alone.
        let mut method = Method::preset("adapter", &base()).unwrap();
        method.adapters.as_mut().unwrap().sites.truncate(1);
        assert!(File::describe(&method, &base(), "task").is_none());
        let full = Method::preset("full", &base()).unwrap();
        assert!(File::describe(&full, &base(), "task").is_none());
    }

    #[test]
    fn switches_that_we_lack_are_refused_by_name() {
        for (key, value) in [
            ("cross_adapter", json!(true)),
            ("scaling", json!("learned")),
            ("scaling", json!(4.0)),
            ("leave_out", json!([0])),
            ("factorized_phm_rule", json!(true)),
            ("new_switch", json!("on")),
        ] {
            let error = file(key, value).method(&base(), "a.json").unwrap_err();
            assert!(error.to_string().contains(key), "{error}");
        }
        // What concerns training, or is off.
        for (key, value) in [
            ("dropout", json!(0.1)),
            ("scaling", json!(1)),
            ("new_switch", Value::Null),
        ] {
            assert!(file(key, value).method(&base(), "a.json").is_ok());
        }
    }

    #[test]
    fn old_files_meant_other_activations() {
        let mut file = file("non_linearity", json!("gelu"));
        let kind = |file: &File| {
            file.method(&base(), "")
                .unwrap()
                .adapters
                .unwrap()
                .activation
        };
        assert_eq!(kind(&file), Activation::Gelu);
        file.version = None;
        assert_eq!(kind(&file), Activation::GeluNew);
        file.config.non_linearity = "leakyrelu".into();
        assert!(file.method(&base(), "a.json").is_err());
    }

    #[test]
    fn every_width_has_a_factor() {
        for size in [32, 192, 512, 768, 1000] {
            for bottleneck in 1..=size {
                let factor = factor(size, bottleneck).unwrap();
                assert_eq!(width(size, factor), bottleneck, "{size} by {factor}");
            }
        }
        assert_eq!(width(32, 64.0), 1);
    }

    #[test]
    fn another_base_is_refused_naming_both() {
        let error = file("dropout", json!(0.0))
            .method(&T5Config::preset("t5-base").unwrap(), "a.json")
            .unwrap_err()
            .to_string();
        assert!(error.contains("512") && error.contains("768"), "{error}");
    }
}
