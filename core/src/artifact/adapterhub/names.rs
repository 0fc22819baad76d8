//! The library's names of our tensors.

use crate::method::{Layer, RULE};

/// How the names of a `T5AdapterModel` begin; those of other classes begin without it.
pub(super) const PREFIX: &str = "transformer.";

/// The library's name of one of our parts, for an adapter called `adapter`.
pub(super) fn theirs(part: &str, adapter: &str, layer: Layer) -> String {
    if part == RULE {
        return format!("shared_parameters.{adapter}.phm_rule");
    }
    // encoder.block.0.layer.1 .adapter. down . s
    let (place, rest) = part.split_once(".adapter.").unwrap_or((part, ""));
    let (side, tensor) = rest.split_once('.').unwrap_or((rest, ""));
    let side = match side {
        // A sequence there, of which the projection is the first.
        "down" => "adapter_down.0",
        _ => "adapter_up",
    };
    let tensor = match (layer, tensor) {
        (Layer::Dense, same) => same,
        (_, "s") => "W_left",
        (_, "t") => "W_right",
        _ => "b",
    };
    format!("{place}.adapters.{adapter}.{side}.{tensor}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::Method;
    use crate::t5::T5Config;

    #[test]
    fn names_are_the_librarys() {
        let small = T5Config::preset("t5-small").unwrap();
        let lphm = Method::preset("compacter", &small).unwrap();
        let lphm = lphm.adapters.unwrap().layer;
        let part = "decoder.block.3.layer.2.adapter.down.s";
        assert_eq!(
            theirs(part, "task", lphm),
            "decoder.block.3.layer.2.adapters.task.adapter_down.0.W_left"
        );
        let part = "encoder.block.0.layer.0.adapter.up.bias";
        let up = "encoder.block.0.layer.0.adapters.task.adapter_up";
        assert_eq!(theirs(part, "task", lphm), format!("{up}.b"));
        assert_eq!(theirs(part, "task", Layer::Dense), format!("{up}.bias"));
        assert_eq!(
            theirs(RULE, "task", lphm),
            "shared_parameters.task.phm_rule"
        );
    }
}
