//! What compacter carries with it: a small T5 and four small data sets, as bytes.
//!
//! Nothing depends on their values or sizes: other files of the same names take their place.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

/// `config.json` of the bundled T5.
pub const CONFIG: &[u8] = include_bytes!("../t5-nano/config.json");

/// `tokenizer.json` of the bundled T5.
pub const TOKENIZER: &[u8] = include_bytes!("../t5-nano/tokenizer.json");

/// `model.safetensors` of the bundled T5.
pub const WEIGHTS: &[u8] = include_bytes!("../t5-nano/model.safetensors");

/// Name of the bundled T5.
pub const MODEL_NAME: &str = "t5-nano";

/// The font of the app and of figures: Geist (SIL Open Font License), Latin letters alone.
pub const FONT: &[u8] = include_bytes!("../fonts/Geist-variable-latin1.ttf");

/// Names of the bundled data sets.
pub const DATA_NAMES: [&str; 4] = ["reviews", "topics", "intents", "questions"];

/// A bundled data set: TSV with the columns `text` and `label`.
pub fn data(name: &str) -> Option<&'static [u8]> {
    match name {
        "reviews" => Some(include_bytes!("../data/reviews.tsv")),
        "topics" => Some(include_bytes!("../data/topics.tsv")),
        "intents" => Some(include_bytes!("../data/intents.tsv")),
        "questions" => Some(include_bytes!("../data/questions.tsv")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_table() {
        for name in DATA_NAMES {
            assert!(
                data(name).is_some_and(|bytes| bytes.starts_with(b"text\tlabel\n")),
                "{name}"
            );
        }
        assert!(data("other").is_none());
        assert!(CONFIG.starts_with(b"{") && TOKENIZER.starts_with(b"{"));
        assert!(WEIGHTS.len() > 8);
    }
}
