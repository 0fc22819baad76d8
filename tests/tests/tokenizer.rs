//! The bundled tokenizer gives the ids of the Python library, on hard strings.
#![forbid(unsafe_code)]

use compacter_core::data::Tokenizer;
use serde_json::Value;

const CASES: &str = include_str!("../fixtures/tokenizer/t5-nano.json");

fn tokenizer() -> Tokenizer {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../assets/t5-nano/tokenizer.json"
    );
    Tokenizer::from_bytes(&std::fs::read(path).unwrap(), "tokenizer.json").unwrap()
}

fn cases() -> Vec<(String, Vec<u32>, String)> {
    let cases: Vec<Value> = serde_json::from_str(CASES).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_string();
    let ids = |value: &Value| serde_json::from_value(value.clone()).unwrap();
    cases
        .iter()
        .map(|case| {
            (
                text(&case["text"]),
                ids(&case["ids"]),
                text(&case["decoded"]),
            )
        })
        .collect()
}

#[test]
fn ids_and_texts_are_those_of_the_python_library() {
    let (tokenizer, cases) = (tokenizer(), cases());
    assert!(cases.len() >= 40);
    for (text, ids, decoded) in &cases {
        assert_eq!(tokenizer.encode(text, 0).unwrap(), *ids, "{text:?}");
        assert_eq!(tokenizer.decode(ids).unwrap(), decoded.trim(), "{text:?}");
    }
}

#[test]
fn cutting_keeps_the_beginning_and_the_end_token() {
    let tokenizer = tokenizer();
    for (text, ids, _) in cases() {
        let cut = tokenizer.encode(&text, 16).unwrap();
        assert_eq!(cut.len(), ids.len().min(16));
        assert_eq!(cut.last(), ids.last());
        assert_eq!(cut[..cut.len() - 1], ids[..cut.len() - 1]);
    }
}
