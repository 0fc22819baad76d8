//! From the data options to a task: bundled, GLUE or SuperGLUE from a folder or the Hub, or one's own
//! file.

use crate::failure::usage;
use crate::files::{self, DirFiles, NamedFiles};
use crate::hub::Hub;
use crate::options::DataOptions;
use anyhow::Result;
use compacter_core::data::{Format, Table, read_table};
use compacter_core::nearest::suggestion;
use compacter_core::task::{
    Columns, Example, OFFICIAL, Recipe, Task, draw, hub_files, official, official_fields, own,
};
use std::path::Path;

/// The task that is trained when none is named.
const DEFAULT: &str = "reviews";

/// Reads and splits the rows; `prefix` puts the task's name in front of the sources of GLUE and
/// SuperGLUE.
pub(crate) fn load(options: &DataOptions, prefix: bool) -> Result<Task> {
    let seed = options.data_seed.unwrap_or(42);
    let recipe = Recipe {
        seed,
        prefix,
        exact: options.reference_exact.unwrap_or(false),
    };
    let mut task = match &options.data {
        Some(path) if path.is_dir() => {
            let Some(name) = &options.task else {
                return Err(usage(format!(
                    "--data {} is a folder: name its task, as in --task rte",
                    path.display()
                )));
            };
            official(name, &DirFiles(path.clone()), &recipe)?
        }
        Some(path) => own_file(options, path, seed)?,
        None => match on_hub(options) {
            Some(name) => official(name, &fetched(name)?, &recipe)?,
            None => bundled(options, seed)?,
        },
    };
    let (train, eval) = (options.train_samples, options.eval_samples);
    sample(&mut task.train, train, seed, "train-samples")?;
    sample(&mut task.validation, eval, seed, "eval-samples")?;
    sample(&mut task.test, eval, seed, "eval-samples")?;
    Ok(task)
}

/// Keeps `count` rows drawn at random; `flag` names the option and its stream.
fn sample(rows: &mut Vec<Example>, count: Option<usize>, seed: u64, flag: &str) -> Result<()> {
    let Some(count) = count else { return Ok(()) };
    if count == 0 {
        return Err(usage(format!("--{flag} 0: it must be at least 1")));
    }
    draw(rows, count, seed, flag);
    Ok(())
}

/// The task that comes from the Hub: one that is named with its suite, as in `glue/mrpc`, where no
/// file or folder is given.
fn on_hub(options: &DataOptions) -> Option<&str> {
    let name = options.task.as_deref()?;
    (options.data.is_none() && name.contains('/')).then_some(name)
}

/// A task's files in the Hub's cache, fetched if they are not there.
fn fetched(task: &str) -> Result<NamedFiles> {
    let wanted = hub_files(task)?;
    let files = Hub::from_env()?.data(wanted.repository, &wanted.paths)?;
    Ok(NamedFiles(files))
}

/// Whether these options mean a task of GLUE or SuperGLUE: only those come from a folder or the Hub.
pub(crate) fn is_glue(options: &DataOptions) -> bool {
    options.data.as_ref().is_some_and(|path| path.is_dir()) || on_hub(options).is_some()
}

/// How many texts a row of this task has.
pub(crate) fn texts(options: &DataOptions, task: &str) -> Result<usize> {
    Ok(match is_glue(options) {
        true => official_fields(task)?.len(),
        false => 1 + usize::from(options.text2.is_some()),
    })
}

fn bundled(options: &DataOptions, seed: u64) -> Result<Task> {
    let name = options.task.as_deref().unwrap_or(DEFAULT);
    let Some(bytes) = compacter_assets::data(name) else {
        return Err(usage(unknown(name)));
    };
    let table = read_table(bytes, Format::Tsv, &format!("bundled {name}.tsv"), true)?;
    own_table(options, name, &table, seed)
}

/// That a task is not bundled: what it needs, or the names that may have been meant.
fn unknown(name: &str) -> String {
    let bundled = compacter_assets::DATA_NAMES;
    if official_fields(name).is_ok() {
        return format!(
            "the task `{name}` is not bundled: give --data DIR with its official files or the \
             hub's Parquet files, or name it with its suite, as in glue/rte, to fetch it from the \
             Hub; bundled are {}",
            bundled.join(", ")
        );
    }
    let known = bundled.iter().copied().chain(OFFICIAL);
    format!(
        "unknown task `{name}`: {}; your own data needs --data FILE",
        suggestion(name, known)
    )
}

fn own_file(options: &DataOptions, path: &Path, seed: u64) -> Result<Task> {
    let stem = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or("data");
    let stem = stem.split('.').next().unwrap_or(stem);
    let name = options.task.as_deref().unwrap_or(stem);
    own_table(options, name, &table(path)?, seed)
}

fn own_table(options: &DataOptions, name: &str, rows: &Table, seed: u64) -> Result<Task> {
    let text = options.text.clone().unwrap_or_else(|| "text".into());
    let label = match (&options.label, &options.target) {
        (None, None) => Some("label".into()),
        (label, _) => label.clone(),
    };
    let (text2, target) = (options.text2.clone(), options.target.clone());
    let columns = Columns {
        text,
        text2,
        label,
        target,
    };
    let read = |path: &Option<std::path::PathBuf>| path.as_deref().map(table).transpose();
    let (validation, test) = (read(&options.validation)?, read(&options.test)?);
    Ok(own(
        name,
        rows,
        &columns,
        validation.as_ref(),
        test.as_ref(),
        seed,
    )?)
}

/// Reads a table; the format goes by the name.
fn table(path: &Path) -> Result<Table> {
    let file = path.display().to_string();
    let bytes = files::read(path)?;
    let format = Format::from_name(&file)?;
    Ok(read_table(&bytes, format, &file, true)?)
}
