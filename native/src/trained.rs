//! A run directory as something that answers: its configuration, its base and its adapter.

use crate::base::Base;
use crate::failure::usage;
use crate::options::TrainOptions;
use crate::run_dir::{ADAPTER, CONFIG};
use crate::{device, files, output};
use anyhow::Result;
use compacter_core::artifact::Header;
use compacter_core::t5::Storage;
use compacter_core::train::{Predictor, Settings};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// `config.json` of a run directory.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RunConfig {
    /// What was asked for.
    pub(crate) options: TrainOptions,
    /// Whether the task is one of GLUE or SuperGLUE, whose sources have a form of their own.
    pub(crate) glue: bool,
    /// What it came to; absent in the directory of several seeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) settings: Option<Settings>,
    /// Versions and machine.
    pub(crate) made_by: MadeBy,
}

/// Which program on which machine made a run.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct MadeBy {
    compacter: String,
    burn: String,
    system: String,
    threads: usize,
    device: String,
}

impl MadeBy {
    /// This program, here.
    pub(crate) fn here(device: &str) -> Self {
        Self {
            compacter: env!("CARGO_PKG_VERSION").into(),
            burn: "0.22.1".into(),
            system: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            device: device.into(),
        }
    }
}

/// The files of a trained run.
pub(crate) struct Files {
    /// Its directory.
    pub(crate) path: PathBuf,
    pub(crate) config: RunConfig,
    /// The bytes of its adapter file.
    pub(crate) adapter: Vec<u8>,
    /// That file's name, for errors.
    pub(crate) name: String,
}

impl Files {
    /// Reads those of a run, by default the newest in `runs`.
    pub(crate) fn open(run: Option<&Path>) -> Result<Self> {
        let path = match run {
            Some(path) => path.to_path_buf(),
            None => newest()?,
        };
        let config = files::read_json(&path.join(CONFIG))?;
        let adapter = path.join(ADAPTER);
        Ok(Self {
            config,
            adapter: files::read(&adapter)?,
            name: adapter.display().to_string(),
            path,
        })
    }

    /// What the adapter file says of itself.
    pub(crate) fn header(&self) -> Result<Header> {
        Ok(Header::read(&self.adapter, &self.name)?)
    }
}

/// A trained run, loaded.
pub(crate) struct Trained {
    pub(crate) config: RunConfig,
    pub(crate) predictor: Predictor,
}

impl Trained {
    /// Loads a run, by default the newest in `runs`, over weights kept as in training unless said.
    pub(crate) fn load(run: Option<&Path>, device: &str, weights: Option<Storage>) -> Result<Self> {
        let Files {
            path,
            config,
            adapter,
            name: file,
        } = Files::open(run)?;
        let (device, name) = device::open(device)?;
        output::say(format!("run: {}; device: {name}", path.display()));
        device::say_if_tuned(&device);
        let (model, revision) = (&config.options.model, &config.options.revision);
        let base = Base::at(model.as_deref(), revision.as_deref())?;
        let tokenizer = Arc::new(base.tokenizer()?);
        let storage = weights.or(config.options.weights).unwrap_or_default();
        let model = Arc::new(base.model(base.config()?, storage, &device)?);
        let predictor = Predictor::new(model, tokenizer, &adapter, &file)?;
        Ok(Self { config, predictor })
    }
}

/// The run in `runs` whose adapter was written last.
fn newest() -> Result<PathBuf> {
    let runs = std::fs::read_dir("runs").into_iter().flatten().flatten();
    let written = runs.filter_map(|entry| {
        let time = entry
            .path()
            .join(ADAPTER)
            .metadata()
            .ok()?
            .modified()
            .ok()?;
        Some((time, entry.path()))
    });
    let none = || usage("no finished run in runs/: name one with --run DIR, or train one first");
    written.max().map(|(_, path)| path).ok_or_else(none)
}
