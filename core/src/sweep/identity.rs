//! What makes two runs the same: the hash of the resolved configuration.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// The first 16 hexadecimal digits of the SHA-256 of a configuration, whatever the order of its
/// keys; keys without a value do not count, so that an option added later changes no old hash.
pub fn hash(config: &Value) -> String {
    let text = sorted(config).to_string();
    let digest = Sha256::digest(text.as_bytes());
    digest[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().filter(|(_, value)| !value.is_null()).collect();
            entries.sort_by_key(|(key, _)| *key);
            let sorted = entries
                .into_iter()
                .map(|(key, value)| (key.clone(), sorted(value)));
            Value::Object(sorted.collect::<Map<_, _>>())
        }
        Value::Array(values) => Value::Array(values.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn order_and_unset_keys_do_not_matter_and_values_do() {
        let one = json!({"task": "rte", "settings": {"lr": 3e-4, "steps": null}, "list": [1, 2]});
        let same = json!({"list": [1, 2], "settings": {"lr": 3e-4}, "task": "rte"});
        assert_eq!(hash(&one), hash(&same));
        for other in [
            json!({"task": "rte", "settings": {"lr": 3e-3}, "list": [1, 2]}),
            json!({"task": "rte", "settings": {"lr": 3e-4}, "list": [2, 1]}),
        ] {
            assert_ne!(hash(&one), hash(&other));
        }
        // SHA-256 of `{"a":1}`, as `sha256sum` prints it: a hash must last longer than this code.
        assert_eq!(hash(&json!({"a": 1})), "015abd7f5cc57a2d");
    }
}
