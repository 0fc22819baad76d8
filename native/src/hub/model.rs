//! Which files a base is made of: config.json, tokenizer.json and the weights.

use super::Snapshot;
use super::place::{Listing, Place};
use crate::base::{CONFIG, TOKENIZER};
use crate::base::{WEIGHTS, shards};
use anyhow::{Result, bail};
use std::path::Path;

/// Everything.
pub(super) fn fetch(place: &Place) -> Result<Snapshot> {
    let missing = match place.snapshot() {
        None => CONFIG.to_string(),
        Some(snapshot) => match missing(&snapshot.folder) {
            None => return Ok(snapshot),
            Some(file) => file,
        },
    };
    let listing = place.listing(&missing)?;
    let (file, weights) = weights(place, &listing)?;
    // The small files first: what is wrong with them shows before the weights have come.
    for small in [CONFIG, TOKENIZER] {
        need(place, &listing, small)?;
        place.fetch(&listing.commit, small)?;
    }
    let path = place.fetch(&listing.commit, &file)?;
    if file != weights {
        for shard in shards(&path)? {
            place.fetch(&listing.commit, &shard)?;
        }
    }
    place.keep(&listing.commit)
}

/// config.json alone.
pub(super) fn fetch_config(place: &Place) -> Result<Snapshot> {
    if let Some(snapshot) = place.snapshot()
        && snapshot.folder.join(CONFIG).is_file()
    {
        return Ok(snapshot);
    }
    let listing = place.listing(CONFIG)?;
    need(place, &listing, CONFIG)?;
    place.fetch(&listing.commit, CONFIG)?;
    place.keep(&listing.commit)
}

/// The first file that a folder lacks to be a whole model.
fn missing(folder: &Path) -> Option<String> {
    let lacks = |name: &str| !folder.join(name).is_file();
    if let Some(small) = [CONFIG, TOKENIZER].into_iter().find(|name| lacks(name)) {
        return Some(small.to_string());
    }
    let [first, ..] = WEIGHTS;
    for weights in WEIGHTS {
        if !lacks(weights) {
            return None;
        }
        let index = index_of(weights);
        if !lacks(&index) {
            // An index that cannot be read is told of when it is fetched, or read, again.
            let Ok(names) = shards(&folder.join(&index)) else {
                return Some(index);
            };
            return names.into_iter().find(|name| lacks(name));
        }
    }
    Some(first.to_string())
}

/// The file or index to fetch, and the name that the weights would have in one file.
fn weights(place: &Place, listing: &Listing) -> Result<(String, &'static str)> {
    for weights in WEIGHTS {
        for file in [weights.to_string(), index_of(weights)] {
            if listing.files.contains(&file) {
                return Ok((file, weights));
            }
        }
    }
    bail!(
        "{} has neither {}: it holds {}",
        place.title(),
        WEIGHTS.join(" nor "),
        shown(listing)
    )
}

fn index_of(weights: &str) -> String {
    format!("{weights}.index.json")
}

/// Fails in words if a small file is not there at all.
fn need(place: &Place, listing: &Listing, file: &str) -> Result<()> {
    if listing.files.contains(file) {
        return Ok(());
    }
    if file == TOKENIZER && listing.files.contains("spiece.model") {
        bail!(
            "{} has its vocabulary as spiece.model alone, which is not read: put its other files and \
             a {TOKENIZER} of the same vocabulary into a folder and name that by --model (T5 1.0 and \
             1.1 in English share that of google-t5/t5-small)",
            place.title()
        );
    }
    bail!(
        "{} has no {file}, so that it is no T5 as `transformers` writes one: it holds {}",
        place.title(),
        shown(listing)
    )
}

/// The first files of a listing, for an error.
fn shown(listing: &Listing) -> String {
    let names: Vec<&str> = listing.files.iter().take(8).map(String::as_str).collect();
    match (names.len(), listing.files.len()) {
        (0, _) => "nothing".into(),
        (some, all) if some < all => format!("{} and {} more", names.join(", "), all - some),
        _ => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_whole_with_one_form_of_weights() {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let missing = || missing(folder.path());
        assert_eq!(missing().as_deref(), Some(CONFIG));
        write(CONFIG, "{}");
        assert_eq!(missing().as_deref(), Some(TOKENIZER));
        write(TOKENIZER, "{}");
        assert_eq!(missing().as_deref(), Some("model.safetensors"));
        write("pytorch_model.bin", "");
        assert_eq!(missing(), None);
        write(
            "model.safetensors.index.json",
            r#"{"weight_map": {"x": "a", "y": "b"}}"#,
        );
        assert_eq!(missing().as_deref(), Some("a"));
        write("a", "");
        assert_eq!(missing().as_deref(), Some("b"));
        write("b", "");
        assert_eq!(missing(), None);
    }
}
