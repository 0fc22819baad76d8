//! The known names that a mistyped one may have meant.

/// Most names that are offered.
const OFFERED: usize = 3;

/// The known names nearest to `name`, the nearest first, at most three; none where nothing is near.
///
/// Near is an edit distance (a swap of neighbours counts once) of at most a third of the name's
/// length, but always of two; or one name within the other, as `rte` in `superglue-rte`. Case does
/// not count.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let name = name.to_lowercase();
    let limit = (name.chars().count() / 3).max(2);
    let distance = |other: &str| {
        let other = other.to_lowercase();
        let within =
            name.len() > 2 && other.len() > 2 && (other.contains(&name) || name.contains(&other));
        let edits = strsim::damerau_levenshtein(&name, &other);
        // A short name of wholly other letters is no nearer for being short.
        let alike = edits <= limit && edits < name.chars().count();
        (within || alike).then_some(if within { edits.min(limit) } else { edits })
    };
    let mut near: Vec<(usize, &str)> = known
        .into_iter()
        .filter_map(|other| distance(other).map(|d| (d, other)))
        .collect();
    near.sort_by_key(|&(distance, _)| distance); // stable: equals keep their order
    near.truncate(OFFERED);
    near.into_iter().map(|(_, name)| name).collect()
}

/// What follows "unknown method `x`" in an error: the nearest names, or all of them where none is
/// near.
pub fn suggestion<'a>(name: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    let quoted = |names: Vec<&str>| {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        names.join(", ")
    };
    match nearest(name, known.clone()) {
        near if near.is_empty() => format!("there are {}", quoted(known.into_iter().collect())),
        near => format!("the nearest are {}", quoted(near)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 6] = [
        "full",
        "adapter",
        "adapterdrop",
        "compacter",
        "rte",
        "boolq",
    ];

    #[test]
    fn the_nearest_come_first() {
        assert_eq!(nearest("compactor", KNOWN), ["compacter"]);
        assert_eq!(nearest("Adaptre", KNOWN), ["adapter"]);
        assert_eq!(nearest("adapters", KNOWN), ["adapter", "adapterdrop"]);
        assert_eq!(nearest("superglue-boolq", KNOWN), ["boolq"]);
        assert_eq!(nearest("ret", KNOWN), ["rte"]);
        assert!(nearest("lora", KNOWN).is_empty());
        assert!(nearest("", KNOWN).is_empty());
        assert!(nearest("xy", KNOWN).is_empty());
    }

    #[test]
    fn without_a_near_one_all_are_listed() {
        assert_eq!(suggestion("bolq", KNOWN), "the nearest are `boolq`");
        assert_eq!(
            suggestion("lora", ["full", "rte"]),
            "there are `full`, `rte`"
        );
    }
}
