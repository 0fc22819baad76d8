//! What the trainer is started with: a device, a base, a form of its weights.

use compacter_core::t5::Storage;
use serde::{Deserialize, Serialize};

/// Where to compute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// A real graphics device, else the CPU.
    #[default]
    Auto,
    /// The graphics device, even a software one.
    Gpu,
    /// The CPU.
    Cpu,
}

impl Device {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Gpu, Self::Cpu];

    /// As the trainer is told.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Gpu => "gpu",
            Self::Cpu => "cpu",
        }
    }
}

/// Where the base comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Base {
    /// The small T5 beside the page.
    #[default]
    Bundled,
    /// In a page an id of the Hugging Face hub, in a window a folder.
    Named(String),
    /// Files that were chosen; a later visit has them no more.
    Files,
}

/// What a trainer starts with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// Where to compute.
    pub device: Device,
    /// On which base.
    pub base: Base,
    /// What its frozen weights are kept as.
    pub weights: Storage,
}

impl Start {
    /// What the base is called.
    pub fn name(&self) -> &str {
        match &self.base {
            Base::Bundled => compacter_assets::MODEL_NAME,
            Base::Named(name) => name,
            Base::Files => "your files",
        }
    }
}

/// How far the base has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// What comes and what it will take.
    pub words: String,
    /// Bytes that have come.
    pub done: u64,
    /// Bytes in all, as far as is known.
    pub total: u64,
}
