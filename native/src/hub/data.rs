//! The rows of a task: Parquet files, as the hub keeps GLUE and SuperGLUE.

use super::place::{Listing, Place};
use anyhow::{Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Where the hub keeps its own conversion to Parquet of repositories that hold a script instead.
pub(super) const CONVERTED: &str = "refs/convert/parquet";

/// Where each of `paths` lies, from the first of the places that has them all; the paths are as the
/// hub's library writes them, `mrpc/train-00000-of-00001.parquet`.
pub(super) fn fetch(places: &[Place], paths: &[String]) -> Result<BTreeMap<String, PathBuf>> {
    let mut missing = paths.first().cloned().unwrap_or_default();
    for place in places {
        let Some(snapshot) = place.snapshot() else {
            continue;
        };
        let lies = |path: &String| (path.clone(), snapshot.folder.join(name_at(place, path)));
        let files: BTreeMap<String, PathBuf> = paths.iter().map(lies).collect();
        match files.iter().find(|(_, file)| !file.is_file()) {
            None => return Ok(files),
            Some((path, _)) => missing.clone_from(path),
        }
    }
    let mut instead = String::new();
    for place in places {
        let listing = place.listing(&missing)?;
        if paths
            .iter()
            .all(|path| listing.files.contains(&name_at(place, path)))
        {
            return all(place, &listing, paths);
        }
        instead = held(place, &listing, &missing);
        // Only a repository whose rows a script makes has none at all at `main`.
        if listing.files.iter().any(|file| file.ends_with(".parquet")) {
            break;
        }
    }
    bail!(instead)
}

fn all(place: &Place, listing: &Listing, paths: &[String]) -> Result<BTreeMap<String, PathBuf>> {
    let mut files = BTreeMap::new();
    for path in paths {
        let name = name_at(place, path);
        let next = name.replace("/0000.parquet", "/0001.parquet");
        if next != name && listing.files.contains(&next) {
            bail!(
                "{} has {path} in several files, which is not read",
                place.title()
            );
        }
        files.insert(path.clone(), place.fetch(&listing.commit, &name)?);
    }
    place.keep(&listing.commit)?;
    Ok(files)
}

/// The conversion has a folder for each split: `mrpc/train/0000.parquet`.
fn name_at(place: &Place, path: &str) -> String {
    match path.strip_suffix("-00000-of-00001.parquet") {
        Some(split) if place.repo.revision() == CONVERTED => format!("{split}/0000.parquet"),
        _ => path.to_string(),
    }
}

/// What the repository has instead of a file.
fn held(place: &Place, listing: &Listing, missing: &str) -> String {
    let parquet = listing
        .files
        .iter()
        .filter(|file| file.ends_with(".parquet"));
    let folders: BTreeSet<&str> = parquet
        .filter_map(|file| Some(file.split_once('/')?.0))
        .collect();
    let folders: Vec<&str> = folders.into_iter().collect();
    let held = match folders[..] {
        [] => "it has no Parquet files in folders".into(),
        _ => format!("it has Parquet files of {}", folders.join(", ")),
    };
    let revision = place.repo.revision();
    format!(
        "{} has no {} at `{revision}`: {held}",
        place.title(),
        name_at(place, missing)
    )
}
