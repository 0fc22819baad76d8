//! What a folder of the reference contains, and what it calls our tensors.

use crate::fixtures::Tensors;
use compacter_core::method::{Group, Init, Method, Overrides, Part, RuleOwner, Site};
use compacter_core::t5::T5Config;
use serde_json::Value;

/// Packed tensors of a method, those of the base among them as groups of one part.
pub type Groups = Vec<Group>;
/// Shape and values.
pub type Host = (Vec<usize>, Vec<f64>);

pub fn t5_config(value: &Value, tied: Option<bool>) -> T5Config {
    let mut config = T5Config::from_json(value.to_string().as_bytes(), "config.json").unwrap();
    if let Some(tied) = tied {
        config.tie_word_embeddings = tied;
    }
    config
}

/// The method that a folder contains, by its arguments and not by its name; they are those of the
/// published command line, and what is not said is at its default there.
pub fn method(config: &Value) -> Result<Method, String> {
    let arguments = config["method"]["reference_arguments"].as_object().unwrap();
    let said = |key: &str| arguments.get(key).and_then(Value::as_bool);
    let flag = |key: &str| said(key) == Some(true);
    let number = |key: &str| {
        let number = arguments.get(key).and_then(Value::as_u64);
        number.map(|n| n as usize)
    };
    let list = |key: &str| {
        let list = arguments.get(key).and_then(Value::as_array);
        let number = |value: &Value| value.as_u64().unwrap() as usize;
        list.map(|list| list.iter().map(number).collect())
    };
    let t5 = t5_config(&config["t5"], config["tied"].as_bool());
    let resolve = |name: &str, set: Overrides| {
        Method::resolve(name, &t5, &set).map_err(|error| error.to_string())
    };
    let mut set = Overrides::default();
    if flag("prefix_tuning") {
        set.prompt = number("prefix_dim");
        return match flag("init_prefix_from_vocab") {
            true => resolve("prompt-tokens", set),
            false => resolve("prompt-random", set),
        };
    }
    if flag("bitfit") {
        set.output_layer = Some(!flag("freeze_bitfit_lm_head"));
        return resolve("bitfit", set);
    }
    if flag("intrinsic_model") {
        set.dimension = number("intrinsic_dim");
        set.reference_exact = true;
        return resolve("intrinsic-said", set);
    }
    if !flag("train_task_adapters") {
        return resolve("full", set);
    }
    set.reduction = number("task_reduction_factor");
    set.pre_norm = said("add_layer_norm_before_adapter");
    set.post_norm = said("add_layer_norm_after_adapter");
    set.layer_norms = said("unfreeze_layer_norms");
    set.output_layer = said("unfreeze_lm_head");
    set.encoder_layers = list("task_adapter_layers_encoder");
    set.decoder_layers = list("task_adapter_layers_decoder");
    if let Some(name) = arguments.get("non_linearity").and_then(Value::as_str) {
        set.activation = Some(name.parse().map_err(|_| format!("{name} does not exist"))?);
    }
    let [attention, feed_forward] = [
        "add_adapter_in_self_attention",
        "add_adapter_in_feed_forward",
    ]
    .map(|key| said(key) != Some(false));
    let here = |site: &Site| match site {
        Site::EncoderSelfAttention | Site::DecoderSelfAttention => attention,
        Site::EncoderFeedForward | Site::DecoderFeedForward => feed_forward,
    };
    set.sites = Some(Site::ALL.into_iter().filter(here).collect());
    if flag("low_rank_adapters") {
        set.rank = number("low_rank_rank");
        return resolve("adapter-lowrank", set);
    }
    if !flag("hypercomplex_adapters") {
        return resolve("adapter", set);
    }
    set.n = number("hypercomplex_division");
    set.rule = Some(match flag("shared_phm_rule") {
        true => RuleOwner::Shared,
        false => RuleOwner::Own,
    });
    set.rule_fixed = said("learn_phm").map(|learnt| !learnt);
    set.rule_factorised = said("factorized_phm_rule");
    if !flag("factorized_phm") {
        return resolve("phm-adapter", set);
    }
    set.rank = number("phm_rank");
    set.shared_factors = said("shared_W_phm");
    resolve("compacter", set)
}

/// The reference's name of one of our tensors.
pub fn reference_name(name: &str, task: &str) -> String {
    let known = [
        ("rule", "phm_rule"),
        ("rule_left", "phm_rule_left"),
        ("rule_right", "phm_rule_right"),
        ("down.s", "W_down_left"),
        ("down.t", "W_down_right"),
        ("up.s", "W_up_left"),
        ("up.t", "W_up_right"),
        ("prompt", "prefix_shared"),
        ("intrinsic", "intrinsic_parameter"),
        ("intrinsic_scales", "intrinsic_parameter_said"),
    ];
    if let Some((_, theirs)) = known.iter().find(|(ours, _)| *ours == name) {
        return theirs.to_string();
    }
    let Some((place, rest)) = name.split_once(".adapter.") else {
        return name.into();
    };
    let (side, part) = rest.split_once('.').unwrap();
    let controller = format!("{place}.adapter_controller");
    match side {
        "pre_norm" => return format!("{controller}.pre_layer_norm.{part}"),
        "post_norm" => return format!("{controller}.post_layer_norm.{part}"),
        _ => {}
    }
    let theirs = match part {
        "s" | "left" => "W_left",
        "t" | "right" => "W_right",
        "w" => "W",
        "rule" => "phm_rule",
        "rule_left" => "phm_rule_left",
        "rule_right" => "phm_rule_right",
        other => other,
    };
    format!("{controller}.adapters.{task}.{side}_sampler.{theirs}")
}

/// Our tensors of a method, by packed group.
pub fn groups(method: &Method, config: &T5Config) -> Groups {
    let base = method.trained_base(config).into_iter();
    let single = |(name, shape): (String, Vec<usize>)| {
        let init = Init::Zero; // the base's tensors do not start anew
        Group {
            name: name.clone(),
            parts: vec![Part { name, shape, init }],
            trained: true,
        }
    };
    method
        .added(config)
        .into_iter()
        .chain(base.map(single))
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
