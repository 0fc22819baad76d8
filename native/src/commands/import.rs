//! `compacter import`: an adapter of the AdapterHub library as a run that answers.

use crate::base::Base;
use crate::options::{DataOptions, TrainOptions};
use crate::run_dir::{ADAPTER, CONFIG, RunDir};
use crate::trained::{MadeBy, RunConfig};
use crate::{files, output};
use anyhow::Result;
use compacter_core::Error;
use compacter_core::artifact::adapterhub::{self, Source};
use compacter_core::task::Scoring;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  compacter import path/to/adapter --model t5-base/ --labels negative,positive
  compacter import path/to/adapter --model t5-base/ --rule phm_rule.safetensors
  compacter predict --run runs/task-compacter++-1 \"What a lovely evening.\"";

/// Take over an adapter of the AdapterHub library
///
/// Reads the folder that its save_adapter wrote (adapter_config.json with pytorch_adapter.bin, of
/// which nothing is executed, or adapter.safetensors) and makes a run of it for predict and eval.
/// Switches that compute what this program does not have are refused.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Folder of the adapter
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// The T5 it was trained on: a folder, or `bundled` [default: bundled]
    #[arg(long, value_name = "DIR")]
    model: Option<String>,
    /// File with the shared rule A, where the adapter's lacks it
    #[arg(long, value_name = "FILE")]
    rule: Option<PathBuf>,
    /// Name in front of each text [default: the adapter's]
    #[arg(long, value_name = "NAME")]
    task: Option<String>,
    /// Its answers, separated by commas, where it chooses among some
    #[arg(long, value_name = "LABELS", value_delimiter = ',')]
    labels: Vec<String>,
    /// Run directory [default: runs/<task>-<method>-<number>]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Reads, converts and writes.
pub(crate) fn run(args: Args) -> Result<()> {
    let base = Base::new(args.model.as_deref())?.config()?;
    let config = named(&args.folder.join(adapterhub::CONFIG))?;
    let weights = named(&weights(&args.folder)?)?;
    let rule = args.rule.as_deref().map(named).transpose()?;
    let source = Source {
        config: (&config.0, &config.1),
        weights: (&weights.0, &weights.1),
        rule: rule.as_ref().map(|(bytes, name)| (&bytes[..], &name[..])),
    };
    let mut imported = adapterhub::import(&source, &base)?;
    let header = &mut imported.header;
    if let Some(task) = &args.task {
        header.task.clone_from(task);
    }
    if !args.labels.is_empty() {
        header.labels.clone_from(&args.labels);
        header.score = Scoring::Likelihood;
    }
    let data = DataOptions {
        task: Some(header.task.clone()),
        ..DataOptions::default()
    };
    let run = RunConfig {
        glue: false,
        options: TrainOptions {
            data,
            model: args.model,
            method: Some(header.method.name.clone()),
            ..TrainOptions::default()
        },
        settings: None,
        made_by: MadeBy::here("none"),
    };
    let name = format!("{}-{}", header.task, header.method.name);
    let folder = RunDir::create(args.out.as_deref(), &name)?;
    folder.write(ADAPTER, &imported.to_bytes()?)?;
    folder.write_json(CONFIG, &run)?;
    output::line(folder.path().display().to_string())
}

fn named(path: &Path) -> Result<(Vec<u8>, String)> {
    Ok((files::read(path)?, path.display().to_string()))
}

/// The file with the adapter's tensors, of whichever kind.
fn weights(folder: &Path) -> Result<PathBuf> {
    let mut names = adapterhub::WEIGHTS.into_iter();
    let found = names.find(|name| folder.join(name).is_file());
    found.map(|name| folder.join(name)).ok_or_else(|| {
        let names = adapterhub::WEIGHTS.join(" or ");
        Error::file(folder.display().to_string(), format!("has no {names}")).into()
    })
}
