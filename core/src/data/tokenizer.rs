//! `tokenizer.json` as Hugging Face writes it.

use crate::{Error, Result};
use serde_json::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The end token of every T5.
const END: &str = "</s>";

/// A panic of the library as an error: it takes a file's word for much, and the file may be
/// anybody's. In a browser a panic ends the program all the same.
fn guarded<T>(work: impl FnOnce() -> tokenizers::Result<T>) -> std::result::Result<T, String> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(_) => Err("the file contradicts itself".into()),
    }
}

/// Text to token ids and back.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    end: u32,
}

impl Tokenizer {
    /// Reads the bytes of a `tokenizer.json`; `file` is for messages.
    pub fn from_bytes(bytes: &[u8], file: &str) -> Result<Self> {
        let wrong = |error: String| Error::file(file, format!("not a tokenizer: {error}"));
        // The library panics where JSON breaks off within some of a tokenizer's parts.
        serde_json::from_slice::<Value>(bytes).map_err(|error| wrong(error.to_string()))?;
        let mut inner = guarded(|| tokenizers::Tokenizer::from_bytes(bytes)).map_err(wrong)?;
        // Cutting and padding are this crate's, whatever the file says.
        inner
            .with_truncation(None)
            .map_err(|error| wrong(error.to_string()))?;
        inner.with_padding(None);
        let end = inner
            .token_to_id(END)
            .ok_or_else(|| Error::file(file, format!("the tokenizer has no token `{END}`")))?;
        Ok(Self { inner, end })
    }

    /// Ids of `text`, ending with `</s>`; no more than `max_len` of them, `</s>` included
    /// (0: no limit).
    pub fn encode(&self, text: &str, max_len: usize) -> Result<Vec<u32>> {
        // The end token is added here and not by the file's template, so that cutting keeps it.
        let encoding = guarded(|| self.inner.encode(text, false))
            .map_err(|error| Error::Setting(format!("cannot tokenize: {error}")))?;
        let mut ids = encoding.get_ids().to_vec();
        if max_len > 0 {
            ids.truncate(max_len - 1);
        }
        ids.push(self.end);
        Ok(ids)
    }

    /// Text of `ids`, without special tokens and outer blanks.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        let text = guarded(|| self.inner.decode(ids, true))
            .map_err(|error| Error::Setting(format!("cannot turn ids into text: {error}")))?;
        Ok(text.trim().to_string())
    }

    /// Number of ids, added tokens included.
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"{"version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [{"id": 1, "content": "</s>", "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false, "special": true}],
        "normalizer": null, "pre_tokenizer": {"type": "Metaspace", "replacement": "▁",
            "prepend_scheme": "always", "split": true},
        "post_processor": null, "decoder": {"type": "Metaspace", "replacement": "▁",
            "prepend_scheme": "always", "split": true},
        "model": {"type": "Unigram", "unk_id": 2, "byte_fallback": false, "vocab": [
            ["<pad>", 0], ["</s>", 0], ["<unk>", 0], ["▁a", -1], ["▁b", -1], ["c", -1]]}}"#;

    #[test]
    fn ids_end_with_the_end_token_and_cutting_keeps_it() {
        let tokenizer = Tokenizer::from_bytes(SMALL.as_bytes(), "t").unwrap();
        assert_eq!(tokenizer.vocab_size(), 6);
        assert_eq!(tokenizer.encode("a bc", 0).unwrap(), [3, 4, 5, 1]);
        assert_eq!(tokenizer.encode("a bc", 4).unwrap(), [3, 4, 5, 1]);
        assert_eq!(tokenizer.encode("a bc", 3).unwrap(), [3, 4, 1]);
        assert_eq!(tokenizer.encode("a bc", 1).unwrap(), [1]);
        assert_eq!(tokenizer.encode("", 0).unwrap(), [1]);
        assert_eq!(tokenizer.decode(&[3, 4, 5, 1]).unwrap(), "a bc");
    }

    #[test]
    fn what_the_library_panics_of_is_an_error() {
        // A pattern that matches nothing, before pieces of bytes.
        let file = SMALL
            .replace(
                r#""normalizer": null"#,
                r#""normalizer": {"type": "Replace", "pattern": {"Regex": " {0,}"}, "content": " "}"#,
            )
            .replace(
                r#""pre_tokenizer": {"type": "Metaspace", "replacement": "▁",
            "prepend_scheme": "always", "split": true}"#,
                r#""pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false,
                "trim_offsets": true, "use_regex": true}"#,
            );
        let tokenizer = Tokenizer::from_bytes(file.as_bytes(), "t").unwrap();
        let error = tokenizer.encode("é\u{1f600} a", 0).unwrap_err().to_string();
        assert_eq!(error, "cannot tokenize: the file contradicts itself");
    }

    #[test]
    fn what_is_no_t5_tokenizer_is_refused() {
        let message = Tokenizer::from_bytes(b"{}", "t.json")
            .unwrap_err()
            .to_string();
        assert!(message.starts_with("t.json: not a tokenizer"), "{message}");
        for end in 0..SMALL.len() {
            if let Some(cut) = SMALL.get(..end) {
                assert!(Tokenizer::from_bytes(cut.as_bytes(), "t.json").is_err());
            }
        }
        // Broken within the decoder, and a number that is none there.
        for wrong in [
            r#""decoder": {"type": x"#,
            r#""decoder": {"a": 1e999, "type": "#,
        ] {
            let broken = SMALL.replace(r#""decoder": {"type": "#, wrong);
            assert!(Tokenizer::from_bytes(broken.as_bytes(), "t.json").is_err());
        }
        let other = SMALL.replace("</s>", "[SEP]");
        let message = Tokenizer::from_bytes(other.as_bytes(), "t.json")
            .unwrap_err()
            .to_string();
        assert_eq!(message, "t.json: the tokenizer has no token `</s>`");
    }
}
