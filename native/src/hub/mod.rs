//! Models and data sets from the Hugging Face Hub, in the cache that its own tools share.
//!
//! `hf-hub` gives the layout of the cache (`blobs`, `snapshots`, `refs`) and the hub's addresses.
//! Its downloads are not used: version 0.5 adds the answer to a range onto a part file without
//! looking whether the range was honoured, checks no hash, and knows neither `Retry-After` nor an
//! offline mode. That part is done here, with `ureq`, the client that `hf-hub` itself uses.
//!
//! A file lies in the cache under its final name only after its size and hash were checked, so that
//! what is there is taken without any request.

mod client;
mod data;
mod download;
mod failure;
mod id;
mod model;
mod place;
mod progress;
mod settings;
#[cfg(test)]
mod tests;
mod verify;

pub(crate) use id::is_id;

use anyhow::Result;
use client::Client;
use hf_hub::RepoType;
use place::Place;
use settings::Settings;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The hub as the environment describes it.
#[derive(Debug)]
pub(crate) struct Hub {
    settings: Settings,
    client: Client,
}

/// Files of a repository at one commit, in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// The folder that holds them under the names they have in the repository.
    pub(crate) folder: PathBuf,
    /// The commit they are of.
    pub(crate) commit: String,
}

impl Hub {
    /// By HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE, as the hub's own tools.
    pub(crate) fn from_env() -> Result<Self> {
        Ok(Self::new(Settings::from_env()?))
    }

    fn new(settings: Settings) -> Self {
        let client = Client::new(&settings);
        Self { settings, client }
    }

    /// All that a base is loaded from: config.json, tokenizer.json and the weights of the model
    /// `id` (`owner/name`), at a branch, tag or commit, by default `main`.
    pub(crate) fn model(&self, id: &str, revision: Option<&str>) -> Result<Snapshot> {
        let revision = revision.unwrap_or("main");
        model::fetch(&Place::new(self, id, RepoType::Model, revision)?)
    }

    /// Only config.json of a model: what its sizes are told by.
    pub(crate) fn config(&self, id: &str, revision: Option<&str>) -> Result<Snapshot> {
        let revision = revision.unwrap_or("main");
        model::fetch_config(&Place::new(self, id, RepoType::Model, revision)?)
    }

    /// Where the Parquet files `paths` of a data set lie once they are in the cache, by the paths that
    /// the hub's library writes. They are looked for at `main`, and then in the hub's own conversion.
    pub(crate) fn data(&self, id: &str, paths: &[String]) -> Result<BTreeMap<String, PathBuf>> {
        let at = |revision: &str| Place::new(self, id, RepoType::Dataset, revision);
        data::fetch(&[at("main")?, at(data::CONVERTED)?], paths)
    }
}
