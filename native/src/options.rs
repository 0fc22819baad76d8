//! What `train` can be told, by flags or by a TOML file of the same names; flags win.

use crate::failure::usage;
use crate::files;
use crate::method_options::MethodOptions;
use anyhow::{Context, Result};
use clap::Args;
use compacter_core::Error;
use compacter_core::method::{Method, NAMES};
use compacter_core::nearest::suggestion;
use compacter_core::run_file::{self, Options};
use compacter_core::t5::{Storage, T5Config};
use compacter_core::task::{Scoring, Task};
use compacter_core::train::Settings;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// Where rows come from.
#[derive(Debug, Clone, Default, PartialEq, Args, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct DataOptions {
    /// Bundled (reviews, …), GLUE or SuperGLUE (rte, …) [default: reviews]
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    pub(crate) task: Option<String>,
    /// Folder of GLUE or SuperGLUE, or your TSV, CSV or JSONL (gzip too)
    #[arg(long, value_name = "DIR|FILE", help_heading = "Data")]
    pub(crate) data: Option<PathBuf>,
    /// Validation rows of your own data [default: a tenth of the rest]
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub(crate) validation: Option<PathBuf>,
    /// Test rows of your own data [default: a quarter]
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub(crate) test: Option<PathBuf>,
    /// Column of the text [default: text]
    #[arg(long, value_name = "COLUMN", help_heading = "Data")]
    pub(crate) text: Option<String>,
    /// Column of a second text
    #[arg(long, value_name = "COLUMN", help_heading = "Data")]
    pub(crate) text2: Option<String>,
    /// Column of the label [default: label]
    #[arg(long, value_name = "COLUMN", help_heading = "Data")]
    pub(crate) label: Option<String>,
    /// Column of free text to produce, instead of a label
    #[arg(
        long,
        value_name = "COLUMN",
        conflicts_with = "label",
        help_heading = "Data"
    )]
    pub(crate) target: Option<String>,
    /// Train on this many rows, drawn at random
    #[arg(long, value_name = "ROWS", help_heading = "Data")]
    pub(crate) train_samples: Option<usize>,
    /// Score on this many validation and test rows each, drawn at random
    #[arg(long, value_name = "ROWS", help_heading = "Data")]
    pub(crate) eval_samples: Option<usize>,
    /// As the published code: STS-B, warm-up, gradients, prompts
    #[arg(
        long,
        num_args = 0,
        default_missing_value = "true",
        help_heading = "Data"
    )]
    pub(crate) reference_exact: Option<bool>,
    /// Seed of the splits [default: 42]
    #[arg(long, value_name = "SEED", help_heading = "Data")]
    pub(crate) data_seed: Option<u64>,
}

/// Everything that decides a run.
#[derive(Debug, Clone, Default, PartialEq, Args, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct TrainOptions {
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) data: DataOptions,
    /// Folder, id on the Hub (owner/name) or `bundled` [default: bundled]
    #[arg(long, value_name = "DIR|ID", help_heading = "Model and method")]
    pub(crate) model: Option<String>,
    /// Branch, tag or commit of a model on the Hub [default: main]
    #[arg(long, value_name = "REVISION", help_heading = "Model and method")]
    pub(crate) revision: Option<String>,
    /// What frozen weights are kept as: f32, f16 or int8 [default: f32]
    #[arg(long, value_name = "TYPE", help_heading = "Model and method")]
    pub(crate) weights: Option<Storage>,
    /// One of `compacter params --all` [default: compacter++]
    #[arg(long, value_name = "NAME", help_heading = "Model and method")]
    pub(crate) method: Option<String>,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) settings_of_method: MethodOptions,
    /// Peak learning rate [default: the method's]
    #[arg(long, value_name = "RATE", help_heading = "Training")]
    pub(crate) lr: Option<f64>,
    /// Rows per step [default: 100; 32 for small data]
    #[arg(long, value_name = "ROWS", help_heading = "Training")]
    pub(crate) batch: Option<usize>,
    /// Rows per forward pass, up to a batch: takes less memory
    #[arg(long, value_name = "ROWS", help_heading = "Training")]
    pub(crate) micro_batch: Option<usize>,
    /// Run each block again on the way back: less memory, more time
    #[arg(
        long,
        num_args = 0,
        default_missing_value = "true",
        help_heading = "Training"
    )]
    pub(crate) activation_checkpointing: Option<bool>,
    /// Passes over the training rows [default: the task's]
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub(crate) epochs: Option<usize>,
    /// Steps, instead of epochs
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub(crate) steps: Option<usize>,
    /// Steps of warm-up [default: a tenth, at most 500]
    #[arg(long, value_name = "STEPS", help_heading = "Training")]
    pub(crate) warmup: Option<usize>,
    /// Decoupled weight decay [default: 0]
    #[arg(long, value_name = "RATE", help_heading = "Training")]
    pub(crate) weight_decay: Option<f64>,
    /// Norm at which gradients are clipped; 0 for never [default: 1]
    #[arg(long, value_name = "NORM", help_heading = "Training")]
    pub(crate) max_grad_norm: Option<f64>,
    /// Dropout probability [default: 0.1]
    #[arg(long, value_name = "P", help_heading = "Training")]
    pub(crate) dropout: Option<f64>,
    /// Tokens a source is cut at [default: 128]
    #[arg(long, value_name = "TOKENS", help_heading = "Training")]
    pub(crate) max_source: Option<usize>,
    /// Seed of initialisation, shuffles and dropout [default: 42]
    #[arg(long, value_name = "SEED", help_heading = "Training")]
    pub(crate) seed: Option<u64>,
    /// Repeat with N seeds: mean and deviation [default: 1]
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub(crate) seeds: Option<usize>,
    /// Stop after this many evaluations without a better score
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub(crate) patience: Option<usize>,
    /// Steps between evaluations [default: an epoch]
    #[arg(long, value_name = "STEPS", help_heading = "Training")]
    pub(crate) eval_every: Option<usize>,
    /// likelihood or generate [default: the task's]
    #[arg(long, value_name = "HOW", help_heading = "Training")]
    pub(crate) score: Option<String>,
    /// auto, cpu, gpu or gpu:N [default: auto]
    #[arg(long, value_name = "DEVICE", help_heading = "Output")]
    pub(crate) device: Option<String>,
    /// Run directory [default: runs/<task>-<method>-<number>]
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub(crate) out: Option<PathBuf>,
}

fn object(options: &TrainOptions) -> Result<Map<String, Value>> {
    match serde_json::to_value(options)? {
        Value::Object(map) => Ok(map),
        other => anyhow::bail!("options are {other}, not an object"),
    }
}

/// The name of every option, as flags and files have it.
pub(crate) fn option_names() -> Result<Vec<String>> {
    Ok(object(&TrainOptions::default())?
        .into_iter()
        .map(|(name, _)| name)
        .collect())
}

/// What is wrong with one value of one key.
pub(crate) fn check(key: &str, value: &Value) -> std::result::Result<(), String> {
    let mut one = Options::new();
    one.insert(key.into(), value.clone());
    let options: TrainOptions =
        serde_json::from_value(Value::Object(one)).map_err(|e| e.to_string())?;
    match options.method {
        Some(method) if !NAMES.contains(&method.as_str()) => {
            let known = suggestion(&method, NAMES);
            Err(format!("unknown method `{method}`: {known}"))
        }
        _ => Ok(()),
    }
}

impl DataOptions {
    /// These options, and where one is not given that of `other`.
    pub(crate) fn over(self, other: Self) -> Self {
        Self {
            task: self.task.or(other.task),
            data: self.data.or(other.data),
            validation: self.validation.or(other.validation),
            test: self.test.or(other.test),
            text: self.text.or(other.text),
            text2: self.text2.or(other.text2),
            label: self.label.or(other.label),
            target: self.target.or(other.target),
            train_samples: self.train_samples.or(other.train_samples),
            eval_samples: self.eval_samples.or(other.eval_samples),
            reference_exact: self.reference_exact.or(other.reference_exact),
            data_seed: self.data_seed.or(other.data_seed),
        }
    }
}

impl TrainOptions {
    /// The names that were given a value.
    pub(crate) fn given(&self) -> Result<Vec<String>> {
        let set = object(self)?
            .into_iter()
            .filter(|(_, value)| !value.is_null());
        Ok(set.map(|(name, _)| name).collect())
    }

    /// These flags over what a TOML file says.
    pub(crate) fn over(&self, file: Option<&Path>) -> Result<Self> {
        let Some(path) = file else {
            return Ok(self.clone());
        };
        let name = path.display().to_string();
        let text = String::from_utf8(files::read(path)?)
            .map_err(|_| Error::file(&name, "is not UTF-8"))?;
        let mut merged = run_file::read(&text, &name, &option_names()?, &check)?;
        for (key, value) in object(self)?
            .into_iter()
            .filter(|(_, value)| !value.is_null())
        {
            merged.insert(key, value);
        }
        let options: Self = serde_json::from_value(Value::Object(merged))
            .map_err(|e| Error::file(&name, e.to_string()))?;
        if options.data.label.is_some() && options.data.target.is_some() {
            return Err(usage("both label and target are set: choose one"));
        }
        Ok(options)
    }

    /// The method with its sizes.
    pub(crate) fn method(&self, config: &T5Config) -> Result<Method> {
        let name = self.method.as_deref().unwrap_or("compacter++");
        let exact = self.data.reference_exact == Some(true);
        let set = self.settings_of_method.overrides(self.lr, exact);
        Ok(Method::resolve(name, config, &set)?)
    }

    /// The settings, checked.
    pub(crate) fn settings(&self, method: Method, task: &Task) -> Result<Settings> {
        let defaults = Settings::new(method, task);
        let exact = self.data.reference_exact == Some(true);
        let settings = Settings {
            batch: self.batch.unwrap_or(defaults.batch),
            micro_batch: self.micro_batch.or(defaults.micro_batch),
            activation_checkpointing: self.activation_checkpointing == Some(true),
            epochs: self.epochs.unwrap_or(defaults.epochs),
            steps: self.steps,
            warmup: self.warmup.or(exact.then_some(500)),
            weight_decay: self.weight_decay.unwrap_or(defaults.weight_decay),
            max_grad_norm: self.max_grad_norm.unwrap_or(defaults.max_grad_norm),
            dropout: self.dropout.unwrap_or(defaults.dropout),
            max_source: self.max_source.unwrap_or(defaults.max_source),
            seed: self.seed.unwrap_or(defaults.seed),
            patience: self.patience,
            eval_every: self.eval_every,
            score: scoring(self.score.as_deref(), task)?,
            ..defaults
        };
        settings.check()?;
        Ok(settings)
    }
}

/// `--score`, checked against the task.
pub(crate) fn scoring(score: Option<&str>, task: &Task) -> Result<Scoring> {
    match score {
        None => Ok(task.scoring),
        Some("generate") => Ok(Scoring::Generate),
        Some("likelihood") if !task.has_labels() => Err(usage(format!(
            "--score likelihood: the task {} has no labels to weigh; use generate",
            task.name
        ))),
        Some("likelihood") => Ok(Scoring::Likelihood),
        Some(other) => Err(usage(format!(
            "--score {other}: it is likelihood or generate"
        ))),
    }
}

/// The number of seeds, at least one.
pub(crate) fn seeds(options: &TrainOptions) -> Result<Vec<u64>> {
    let first = options.seed.unwrap_or(42);
    let count = options.seeds.unwrap_or(1);
    if count == 0 {
        return Err(usage("--seeds 0: it must be at least 1"));
    }
    let last = first
        .checked_add(count as u64 - 1)
        .context("--seed is too large")?;
    Ok((first..=last).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_toml(text: &str, flags: &TrainOptions) -> Result<TrainOptions> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.toml");
        std::fs::write(&path, text).unwrap();
        flags.over(Some(&path))
    }

    #[test]
    fn flags_win_over_the_file() {
        let flags = TrainOptions {
            lr: Some(0.5),
            ..TrainOptions::default()
        };
        let merged = from_toml("lr = 1\ntask = 'topics'\nmax-source = 9", &flags).unwrap();
        assert_eq!((merged.lr, merged.max_source), (Some(0.5), Some(9)));
        assert_eq!(merged.data.task.as_deref(), Some("topics"));
    }

    #[test]
    fn mistakes_in_the_file_are_named() {
        let flags = TrainOptions::default();
        let unknown = from_toml("learning-rate = 1", &flags)
            .unwrap_err()
            .to_string();
        assert!(
            unknown.contains("run.toml:1: unknown key `learning-rate`"),
            "{unknown}"
        );
        let broken = from_toml("lr = 1\nsteps = = 2", &flags)
            .unwrap_err()
            .to_string();
        assert!(broken.contains("run.toml:2:"), "{broken}");
        assert!(from_toml("steps = 'many'", &flags).is_err());
    }

    #[test]
    fn settings_of_the_method_come_from_the_file_too() {
        let text = "method = 'compacter'\nsites = ['encoder.feed_forward']\nrule = 'own'\n\
                    rule-fixed = true\nactivation = 'swish'\ndrop-layers = 1";
        let options = from_toml(text, &TrainOptions::default()).unwrap();
        let config = T5Config::preset("t5-small").unwrap();
        let method = options.method(&config).unwrap();
        let adapters = method.adapters.unwrap();
        assert_eq!(
            adapters.sites,
            [compacter_core::method::Site::EncoderFeedForward]
        );
        assert_eq!(
            adapters.encoder_layers.as_deref(),
            Some(&[1, 2, 3, 4, 5][..])
        );
        let (_, rule) = adapters.layer.rule().unwrap();
        assert!(rule.own && rule.fixed && !rule.factorised);
        assert!(from_toml("rule = 'theirs'", &TrainOptions::default()).is_err());
    }

    #[test]
    fn given_lists_what_was_set() {
        let mut flags = TrainOptions {
            lr: Some(0.5),
            ..TrainOptions::default()
        };
        flags.data.task = Some("x".into());
        let mut given = flags.given().unwrap();
        given.sort();
        assert_eq!(given, ["lr", "task"]);
    }

    #[test]
    fn seeds_count_up() {
        let options = TrainOptions {
            seeds: Some(3),
            ..TrainOptions::default()
        };
        assert_eq!(seeds(&options).unwrap(), [42, 43, 44]);
    }
}
