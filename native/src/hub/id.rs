//! What may stand for a repository, a revision and a file: names that make plain paths and
//! addresses, since all three become both.

/// Whether `text` has the form `owner/name` of the hub. An existing path of that form is a path:
/// look for it first.
pub(crate) fn is_id(text: &str) -> bool {
    match text.split_once('/') {
        Some((owner, name)) => is_name(owner) && is_name(name),
        None => false,
    }
}

/// One half of an id, as the hub allows it.
fn is_name(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let ends = [text.bytes().next(), text.bytes().next_back()];
    text.len() <= 96
        && ends.into_iter().all(|byte| byte.is_some_and(word))
        && is_plain(text)
        && !text.contains("--")
        && !text.contains("..")
}

/// Whether a path from a server stays in its folder and needs no escapes in an address: parts of
/// letters, digits and `. _ -`, joined by `/`, none of them `.` or `..`.
pub(super) fn is_safe_path(path: &str) -> bool {
    path.split('/').all(|part| {
        let dots = part.bytes().all(|byte| byte == b'.');
        !dots && is_plain(part)
    })
}

/// Whether this is one part of such a path.
pub(super) fn is_safe_name(name: &str) -> bool {
    is_safe_path(name) && !name.contains('/')
}

/// Whether this is a whole commit hash, which needs no look at what a branch points to.
pub(super) fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_plain(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_an_owner_and_a_name() {
        for id in ["google-t5/t5-base", "a/b", "google/t5-v1_1-base", "o.x/n.1"] {
            assert!(is_id(id), "{id}");
        }
        let none = [
            "t5-base", "a/", "/a", "./a", "../a", "a/..", "a/b/c", "a/b ", "~/t5", "a/b--c",
            "-a/b", "a/b.", "C:/a", "a\\b/c", "",
        ];
        for text in none {
            assert!(!is_id(text), "{text}");
        }
    }

    #[test]
    fn paths_stay_where_they_belong() {
        for path in ["a", "mrpc/train-0.parquet", "refs/convert/parquet", "v1.0"] {
            assert!(is_safe_path(path), "{path}");
        }
        for path in [
            "", "/a", "a//b", "..", "a/../b", ".", "a\\b", "a b", "C:a", "a%2fb", "a?b",
        ] {
            assert!(!is_safe_path(path), "{path}");
        }
        assert!(is_safe_name("a.b") && !is_safe_name("a/b"));
        assert!(is_commit(&"0f".repeat(20)) && !is_commit("main") && !is_commit(&"0g".repeat(20)));
    }
}
