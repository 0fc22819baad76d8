//! A repository at a revision: what the cache has of it, what the hub lists, and fetching a file.

use super::failure::Failure;
use super::id::{is_commit, is_safe_name, is_safe_path};
use super::{Hub, Snapshot, download};
use crate::failure::usage;
use anyhow::{Context, Result, bail};
use hf_hub::{CacheRepo, Repo, RepoType};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// A repository at a revision.
pub(super) struct Place<'a> {
    pub(super) hub: &'a Hub,
    pub(super) repo: Repo,
    pub(super) cached: CacheRepo,
    id: String,
    kind: RepoType,
}

/// What a repository holds at one commit.
pub(super) struct Listing {
    pub(super) commit: String,
    /// The files' paths, with `/`.
    pub(super) files: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Info {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
}

impl<'a> Place<'a> {
    /// Asks for nothing yet.
    pub(super) fn new(hub: &'a Hub, id: &str, kind: RepoType, revision: &str) -> Result<Self> {
        if !is_safe_path(revision) {
            return Err(usage(format!(
                "`{revision}` is no revision: it is a branch, a tag or a commit of {id}, in letters, \
                 digits and . _ - /"
            )));
        }
        let repo = Repo::with_revision(id.to_string(), kind, revision.to_string());
        Ok(Self {
            hub,
            cached: hub.settings.cache.repo(repo.clone()),
            repo,
            id: id.to_string(),
            kind,
        })
    }

    /// What to call it.
    pub(super) fn title(&self) -> String {
        match self.kind {
            RepoType::Dataset => format!("the data set {}", self.id),
            RepoType::Model | RepoType::Space => self.id.clone(),
        }
    }

    /// What the cache has of this revision, which may be some files only.
    pub(super) fn snapshot(&self) -> Option<Snapshot> {
        let revision = self.repo.revision();
        let commit = if is_commit(revision) {
            revision.to_string()
        } else {
            let refs = self.folder().join("refs");
            let commit = std::fs::read_to_string(refs.join(revision)).ok()?;
            commit.trim().to_string()
        };
        let snapshot = self.at(&commit);
        (is_safe_name(&commit) && snapshot.folder.is_dir()).then_some(snapshot)
    }

    /// Where the files of a commit are kept.
    pub(super) fn at(&self, commit: &str) -> Snapshot {
        Snapshot {
            folder: self.cached.pointer_path(commit),
            commit: commit.to_string(),
        }
    }

    /// The folder of this repository in the cache.
    pub(super) fn folder(&self) -> PathBuf {
        self.hub.settings.cache.path().join(self.repo.folder_name())
    }

    /// Asks the hub for the commit and its files; `missing` says why that is needed.
    pub(super) fn listing(&self, missing: &str) -> Result<Listing> {
        let settings = &self.hub.settings;
        if settings.offline {
            bail!(
                "HF_HUB_OFFLINE is set, and of {} at `{}` {missing} is not in {}: unset it to fetch \
                 what is missing, or set HF_HOME or HF_HUB_CACHE to where it is",
                self.title(),
                self.repo.revision(),
                settings.cache.path().display()
            );
        }
        let url = format!("{}/api/{}", settings.endpoint, self.repo.api_url());
        let info: Info = self
            .hub
            .client
            .json(&url)
            .map_err(|failure| failure.into_error(self, None))?;
        if !is_safe_name(&info.sha) {
            bail!("{url} names the commit `{}`, which is none", info.sha);
        }
        let files = info.siblings.into_iter().map(|file| file.rfilename);
        Ok(Listing {
            commit: info.sha,
            files: files.collect(),
        })
    }

    /// Puts a file of a commit into the cache, if it is not there.
    pub(super) fn fetch(&self, commit: &str, file: &str) -> Result<PathBuf> {
        if !is_safe_path(file) {
            bail!(
                "{} names the file `{file}`, which could lead out of its folder: it is not fetched",
                self.title()
            );
        }
        let pointer = self.at(commit).folder.join(file);
        if !pointer.exists() {
            let fetched = download::fetch(self, commit, file);
            fetched.map_err(|failure: Failure| failure.into_error(self, Some(file)))?;
        }
        Ok(pointer)
    }

    /// Notes which commit the revision is; done when all its files are there, so that a break leaves
    /// the commit of before.
    pub(super) fn keep(&self, commit: &str) -> Result<Snapshot> {
        if !is_commit(self.repo.revision()) {
            let noted = self.cached.create_ref(commit);
            noted.with_context(|| format!("{}/refs cannot be written", self.folder().display()))?;
        }
        Ok(self.at(commit))
    }
}
