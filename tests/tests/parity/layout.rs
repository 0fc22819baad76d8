//! What a folder of the reference contains, and what it calls our tensors.

use crate::fixtures::Tensors;
use compacter_core::method::{Method, Overrides};
use compacter_core::t5::T5Config;
use serde_json::Value;

/// Packed groups of a method: name, and the name and shape of each part.
pub type Groups = Vec<(String, Vec<(String, Vec<usize>)>)>;
/// Shape and values.
pub type Host = (Vec<usize>, Vec<f64>);

pub fn t5_config(value: &Value, tied: Option<bool>) -> T5Config {
    let mut config = T5Config::from_json(value.to_string().as_bytes(), "config.json").unwrap();
    if let Some(tied) = tied {
        config.tie_word_embeddings = tied;
    }
    config
}

/// The method that a folder contains, by its arguments and not by its name.
pub fn method(config: &Value) -> Result<Method, String> {
    let arguments = config["method"]["reference_arguments"].as_object().unwrap();
    let flag = |key: &str| arguments.get(key).and_then(Value::as_bool);
    let number = |key: &str| {
        arguments
            .get(key)
            .and_then(Value::as_u64)
            .map(|n| n as usize)
    };
    let name = config["method"]["name"].as_str().unwrap();
    let none = || Err(format!("{name} does not exist yet"));
    for other in [
        "prefix_tuning",
        "bitfit",
        "intrinsic_model",
        "low_rank_adapters",
    ] {
        if flag(other) == Some(true) {
            return none();
        }
    }
    let t5 = t5_config(&config["t5"], config["tied"].as_bool());
    let resolve = |name: &str, set: &Overrides| Method::resolve(name, &t5, set).unwrap();
    if flag("train_task_adapters") != Some(true) {
        return Ok(resolve("full", &Overrides::default()));
    }
    let other = flag("add_layer_norm_before_adapter") == Some(true)
        || flag("add_layer_norm_after_adapter") == Some(true)
        || flag("add_adapter_in_feed_forward") == Some(false)
        || flag("unfreeze_layer_norms") == Some(false)
        || flag("unfreeze_lm_head") == Some(true)
        || arguments
            .get("non_linearity")
            .is_some_and(|kind| kind != "gelu_new")
        || arguments
            .keys()
            .any(|key| key.starts_with("task_adapter_layers"));
    let bottleneck = number("task_reduction_factor").map(|factor| t5.d_model / factor);
    let mut set = Overrides {
        bottleneck,
        ..Overrides::default()
    };
    let self_attention = flag("add_adapter_in_self_attention") != Some(false);
    if other {
        return none();
    }
    if flag("hypercomplex_adapters") != Some(true) {
        return if self_attention {
            Ok(resolve("adapter", &set))
        } else {
            none()
        };
    }
    if flag("factorized_phm") != Some(true)
        || flag("shared_phm_rule") != Some(true)
        || flag("factorized_phm_rule") == Some(true)
        || flag("shared_W_phm") == Some(true)
        || flag("learn_phm") == Some(false)
    {
        return none();
    }
    set.n = number("hypercomplex_division");
    set.rank = number("phm_rank");
    Ok(resolve(
        if self_attention {
            "compacter"
        } else {
            "compacter++"
        },
        &set,
    ))
}

/// The reference's name of one of our tensors.
pub fn reference_name(name: &str, task: &str) -> String {
    if name == "rule" {
        return "phm_rule".into();
    }
    let Some((place, rest)) = name.split_once(".adapter.") else {
        return name.into();
    };
    let (side, part) = rest.split_once('.').unwrap();
    let lphm = |theirs: &str| {
        format!("{place}.adapter_controller.adapters.{task}.{side}_sampler.{theirs}")
    };
    match part {
        "s" => lphm("W_left"),
        "t" => lphm("W_right"),
        other => lphm(other),
    }
}

/// Our tensors (name, shape) of a method, by packed group.
pub fn parts(method: &Method, config: &T5Config) -> Groups {
    let added = method.added(config).into_iter().map(|group| {
        (
            group.name,
            group
                .parts
                .into_iter()
                .map(|part| (part.name, part.shape))
                .collect(),
        )
    });
    let base = method.trained_base(config);
    added
        .chain(
            base.into_iter()
                .map(|(name, shape)| (name.clone(), vec![(name, shape)])),
        )
        .collect()
}

/// A tensor of the reference; the bias of a hypercomplex layer is called `b` there.
pub fn find<'a>(all: &'a Tensors, prefix: &str, name: &str) -> Option<(String, &'a Host)> {
    let full = format!("{prefix}{name}");
    let short = full
        .strip_suffix("_sampler.bias")
        .map(|stem| format!("{stem}_sampler.b"));
    let found = [Some(full), short]
        .into_iter()
        .flatten()
        .find(|name| all.contains_key(name));
    found.map(|name| (name.strip_prefix(prefix).unwrap().to_string(), &all[&name]))
}
