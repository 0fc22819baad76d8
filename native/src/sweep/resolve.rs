//! From a sweep file to its runs: options, settings, names.

use crate::base::Base;
use crate::failure::usage;
use crate::options::{DataOptions, TrainOptions, check, option_names};
use crate::{data, files};
use anyhow::{Context, Result};
use compacter_core::Error;
use compacter_core::sweep::{Point, Shard, Sweep, hash};
use compacter_core::t5::T5Config;
use compacter_core::task::Task;
use compacter_core::train::Settings;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Where a sweep's runs go and where its data lies: what the command line says over the file.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Place {
    /// Folder of the runs [default: the file's `out`, or runs/<its name>]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Folder of tasks' folders, as glue/ is of RTE/; can be given again
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Vec<PathBuf>,
    /// Base of every run, instead of the file's
    #[arg(long, value_name = "DIR")]
    pub(crate) model: Option<String>,
    /// auto, cpu, gpu or gpu:N [default: auto]
    #[arg(long, value_name = "DEVICE")]
    pub(crate) device: Option<String>,
}

/// One run of a sweep with everything that decides it.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// Its directory's name: what distinguishes it, and the beginning of its hash.
    pub(crate) name: String,
    /// The hash of its resolved configuration.
    pub(crate) hash: String,
    /// What `train` is told.
    pub(crate) options: TrainOptions,
    /// What that comes to.
    pub(crate) settings: Settings,
    /// Task name.
    pub(crate) task: String,
    /// Training rows.
    pub(crate) rows: usize,
}

impl Run {
    /// Optimiser steps.
    pub(crate) fn steps(&self) -> usize {
        self.settings.total_steps(self.rows)
    }

    /// Training rows that go through it, each pass counted.
    pub(crate) fn rows_trained(&self) -> f64 {
        (self.steps() * self.settings.batch.min(self.rows)) as f64
    }
}

/// Reads a sweep file; what the command line says wins.
pub(crate) fn read(path: &Path, place: &Place) -> Result<(Sweep, PathBuf)> {
    let name = path.display().to_string();
    let text =
        String::from_utf8(files::read(path)?).map_err(|_| Error::file(&name, "is not UTF-8"))?;
    let mut sweep = Sweep::parse(&text, &name, &option_names()?, &check)?;
    if let Some(model) = &place.model {
        sweep.set("model", vec![model.as_str().into()]);
    }
    let stem = path.file_stem().unwrap_or_default();
    let out = match (&place.out, &sweep.out) {
        (Some(out), _) => out.clone(),
        (None, Some(out)) => out.into(),
        (None, None) => Path::new("runs").join(stem),
    };
    Ok((sweep, out))
}

/// Every run of a sweep; `wanted` says by the beginning of its name whether one is needed at all,
/// so that no data is read for the others.
fn resolve(
    sweep: &Sweep,
    out: &Path,
    place: &Place,
    wanted: &dyn Fn(usize, &Point) -> bool,
) -> Result<Vec<Run>> {
    let dirs: Vec<PathBuf> = match place.data_dir.as_slice() {
        [] => sweep.data_dirs.iter().map(PathBuf::from).collect(),
        given => given.to_vec(),
    };
    let first = sweep.values("model").first().and_then(Value::as_str);
    let mut known: Option<(Option<String>, T5Config)> = None;
    let points = sweep.points(&Base::new(first)?.config()?)?;
    let mut runs: Vec<Run> = Vec::new();
    let mut loaded: Option<(DataOptions, Task)> = None;
    for (index, point) in points.iter().enumerate() {
        if !wanted(index, point) {
            continue;
        }
        let mut options: TrainOptions =
            serde_json::from_value(Value::Object(point.options.clone()))
                .with_context(|| point.stem.clone())?;
        find_data(&mut options, &dirs);
        options.weights = Some(options.weights.unwrap_or_default());
        let config = match &known {
            Some((model, config)) if *model == options.model => config.clone(),
            _ => Base::new(options.model.as_deref())?.config()?,
        };
        known = Some((options.model.clone(), config.clone()));
        let method = options.method(&config)?;
        // A task's name in front of its sources changes no setting: one reading does for all.
        let task = match loaded.take() {
            Some((data, task)) if data == options.data => task,
            _ => data::load(&options.data, false)?,
        };
        let settings = options.settings(method, &task)?;
        let (task_name, rows) = (task.name.clone(), task.train.len());
        loaded = Some((options.data.clone(), task));
        let hash = identity(&options, &settings)?;
        let stem = match point.stem.as_str() {
            "" => format!("{task_name}-{}", settings.method.name),
            stem => stem.to_string(),
        };
        let name = format!("{stem}-{}", &hash[..8]);
        options.out = Some(out.join(&name));
        options.device.clone_from(&place.device);
        if runs.iter().all(|run| run.hash != hash) {
            runs.push(Run {
                name,
                hash,
                options,
                settings,
                task: task_name,
                rows,
            });
        }
    }
    Ok(runs)
}

/// The hash of what decides a run: its data, base and settings, whatever device computes it and
/// wherever it is kept.
fn identity(options: &TrainOptions, settings: &Settings) -> Result<String> {
    Ok(hash(&json!({
        "data": serde_json::to_value(&options.data)?,
        "model": options.model.as_deref().unwrap_or(crate::base::BUNDLED),
        "weights": options.weights,
        "settings": serde_json::to_value(settings)?,
    })))
}

/// Gives a task that is not bundled its folder in one of `dirs`: the one whose name has the task's
/// letters and digits, as `SST-2` has those of sst2.
fn find_data(options: &mut TrainOptions, dirs: &[PathBuf]) {
    let Some(task) = options
        .data
        .task
        .as_deref()
        .filter(|_| options.data.data.is_none())
    else {
        return;
    };
    let plain = |name: &str| -> String {
        let kept = name.chars().filter(char::is_ascii_alphanumeric);
        kept.map(|c| c.to_ascii_lowercase()).collect()
    };
    let short = plain(task.rsplit('/').next().unwrap_or(task));
    let inside = dirs
        .iter()
        .flat_map(|dir| std::fs::read_dir(dir).into_iter().flatten().flatten());
    let found = inside
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .find(|path| {
            path.file_name()
                .is_some_and(|name| plain(&name.to_string_lossy()) == short)
        });
    options.data.data = found;
}

/// The runs of a shard, or those that `only` names by their names or the beginnings of their hashes.
pub(crate) fn select(
    sweep: &Sweep,
    out: &Path,
    place: &Place,
    shard: Option<Shard>,
    only: &[String],
) -> Result<Vec<Run>> {
    let in_shard = |index: usize| shard.is_none_or(|shard| shard.holds(index));
    let is_hash = |word: &str| word.len() >= 6 && word.chars().all(|c| c.is_ascii_hexdigit());
    let may_be = |point: &Point| {
        only.is_empty()
            || only
                .iter()
                .any(|word| is_hash(word) || word.starts_with(&point.stem))
    };
    let wanted = |index: usize, point: &Point| in_shard(index) && may_be(point);
    let mut runs = resolve(sweep, out, place, &wanted)?;
    if only.is_empty() {
        return Ok(runs);
    }
    let is =
        |run: &Run, word: &str| run.name == word || is_hash(word) && run.hash.starts_with(word);
    if let Some(word) = only
        .iter()
        .find(|word| !runs.iter().any(|run| is(run, word)))
    {
        return Err(usage(format!(
            "--only {word}: this sweep has no such run; `sweep plan` lists them"
        )));
    }
    runs.retain(|run| only.iter().any(|word| is(run, word)));
    Ok(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep(text: &str) -> (tempfile::TempDir, Sweep, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("small.toml");
        std::fs::write(&path, text).unwrap();
        let (sweep, out) = read(&path, &Place::default()).unwrap();
        (folder, sweep, out)
    }

    fn all(sweep: &Sweep, place: &Place) -> Vec<Run> {
        select(sweep, Path::new("o"), place, None, &[]).unwrap()
    }

    #[test]
    fn a_run_is_named_by_what_decides_it_and_not_by_where_it_is_done() {
        let (_folder, sweep, out) = sweep("method = ['full', 'adapter']\nseed = [1, 2]\nsteps = 3");
        assert_eq!(out, Path::new("runs/small"));
        let runs = all(&sweep, &Place::default());
        assert_eq!(runs.len(), 4);
        assert!(runs[1].name.starts_with("full-seed2-"), "{}", runs[1].name);
        assert_eq!((runs[0].steps(), runs[0].task.as_str()), (3, "reviews"));
        let device = Place {
            device: Some("cpu".into()),
            out: Some("elsewhere".into()),
            ..Place::default()
        };
        let again = all(&sweep, &device);
        assert!(runs.iter().zip(&again).all(|(a, b)| a.hash == b.hash));
        assert!(
            runs.iter()
                .enumerate()
                .all(|(i, a)| runs[..i].iter().all(|b| a.hash != b.hash))
        );
    }

    #[test]
    fn what_is_set_to_its_default_is_the_same_run() {
        let (_a, plain, _) = sweep("method = 'adapter'\nsteps = 3");
        let (_b, spelt, _) = sweep("method = 'adapter'\nsteps = 3\nlr = 3e-4\nmodel = 'bundled'");
        let hashes = [plain, spelt].map(|sweep| all(&sweep, &Place::default())[0].hash.clone());
        assert_eq!(hashes[0], hashes[1]);
    }

    #[test]
    fn shards_and_names_choose() {
        let (_folder, sweep, _) = sweep("method = ['full', 'adapter']\nseed = [1, 2]\nsteps = 3");
        let chosen = |shard: Option<&str>, only: &[String]| {
            let shard = shard.map(|text| text.parse().unwrap());
            select(&sweep, Path::new("o"), &Place::default(), shard, only)
        };
        assert_eq!(chosen(Some("2/3"), &[]).unwrap().len(), 1);
        let name = chosen(None, &[]).unwrap()[2].clone();
        for word in [
            name.name.clone(),
            name.hash.clone(),
            name.hash[..8].to_string(),
        ] {
            let runs = chosen(None, &[word]).unwrap();
            assert_eq!((runs.len(), &runs[0].hash), (1, &name.hash));
        }
        let error = chosen(None, &["full-seed1-00000000".into()]).unwrap_err();
        assert!(error.to_string().contains("no such run"), "{error}");
    }

    #[test]
    fn a_tasks_folder_is_found_by_its_letters() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("SST-2")).unwrap();
        let mut options = TrainOptions::default();
        options.data.task = Some("glue/sst2".into());
        find_data(&mut options, &[folder.path().into()]);
        assert!(options.data.data.unwrap().ends_with("SST-2"));
        let mut other = TrainOptions::default();
        other.data.task = Some("reviews".into());
        find_data(&mut other, &[folder.path().into()]);
        assert_eq!(other.data.data, None);
    }

    #[test]
    fn a_wrong_value_is_named() {
        assert!(check("steps", &5.into()).is_ok());
        assert!(check("steps", &"many".into()).is_err());
        let error = check("method", &"adaptor".into()).unwrap_err();
        assert!(error.contains("`adapter`"), "{error}");
    }
}
