//! `compacter train`: options to a session, events to progress and files, a report at the end.

use crate::base::{Base, snapshot};
use crate::failure::usage;
use crate::options::{TrainOptions, seeds};
use crate::progress::Progress;
use crate::report::{Report, invocation, quoted};
use crate::run_dir::{ADAPTER, CONFIG, METRICS, RunDir, SUMMARY};
use crate::trained::{MadeBy, RunConfig};
use crate::{data, device, files, interrupt, memory, memory_plan, output};
use anyhow::{Context, Result, anyhow, bail};
use compacter_core::Error;
use compacter_core::train::{Event, Session, Summary};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

const EXAMPLES: &str = "\
Examples:
  compacter train                              the bundled T5 on the bundled reviews, compacter++
  compacter train --task topics --method adapter --epochs 5
  compacter train --task rte --data glue/RTE --model t5-small/ --device gpu
  compacter train --model google-t5/t5-small --task glue/rte   both fetched from the Hub
  compacter train --model t5-base/ --weights int8   a quarter of the memory for what is frozen
  compacter train --data mine.csv --text body --label kind --seeds 3
  compacter train --data pairs.jsonl --text question --target answer
  compacter train --config run.toml --lr 1e-3  flags win over the file
  compacter train --resume --out runs/reviews-compacter++-1";

/// Fine-tune a T5 on a task
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    options: TrainOptions,
    /// TOML file with any of these settings under the flags' names
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    config: Option<PathBuf>,
    /// Go on with the run in --out, with its own settings
    #[arg(
        long,
        requires = "out",
        conflicts_with = "config",
        help_heading = "Output"
    )]
    resume: bool,
    /// Print the memory that the run will need, and end before it starts
    #[arg(long, conflicts_with = "resume", help_heading = "Output")]
    memory_plan: bool,
    /// End with one JSON object on one line of standard output
    #[arg(long, help_heading = "Output")]
    json: bool,
}

/// A line of metrics.jsonl: an event and the seconds since the run began.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    event: &'a Event,
    seconds: f64,
}

/// Trains, or goes on with a run.
pub(crate) fn run(args: Args) -> Result<()> {
    let options = if args.resume {
        recorded(&args.options)?
    } else {
        args.options.over(args.config.as_deref())?
    };
    let seeds = seeds(&options)?;
    if args.memory_plan {
        return memory_plan::print(&options, args.json);
    }
    interrupt::listen()?;
    let report = match seeds[..] {
        [_] => train(&options, Start::new(args.resume))?,
        _ => train_seeds(&options, &seeds, args.resume)?,
    };
    if args.json {
        output::say(format!("\n{}", report.table()));
        return output::json(&report);
    }
    output::line(format!("\n{}", report.table()))?;
    let texts = data::texts(&options.data, &report.summary.task)?;
    output::line(report.next_steps(texts).trim_end())
}

/// The options of the run in `--out`; other settings cannot be given when it goes on.
fn recorded(flags: &TrainOptions) -> Result<TrainOptions> {
    let allowed = ["out", "device"];
    if let Some(name) = flags
        .given()?
        .iter()
        .find(|name| !allowed.contains(&name.as_str()))
    {
        return Err(usage(format!(
            "--{name} cannot be changed when a run goes on: leave it out, or start a new run"
        )));
    }
    let out = flags.out.clone().context("--resume needs --out")?;
    let config: RunConfig = files::read_json(&out.join(CONFIG))?;
    let mut options = config.options;
    options.out = Some(out);
    if flags.device.is_some() {
        options.device.clone_from(&flags.device);
    }
    Ok(options)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    Fresh,
    Resume,
}

impl Start {
    fn new(resume: bool) -> Self {
        if resume { Self::Resume } else { Self::Fresh }
    }
}

/// One run per seed in directories inside the run's own; finished ones are not repeated.
fn train_seeds(options: &TrainOptions, seeds: &[u64], resume: bool) -> Result<Report> {
    let options = &pinned(options)?;
    let config = Base::at(options.model.as_deref(), options.revision.as_deref())?.config()?;
    let method = options.method(&config)?;
    let task = data::load(&options.data, method.task_prefix)?;
    let folder = match &options.out {
        Some(out) if resume => RunDir::open(out)?,
        out => RunDir::create(out.as_deref(), &format!("{}-{}", task.name, method.name))?,
    };
    if !folder.holds(CONFIG) {
        let device = options.device.as_deref().unwrap_or("auto");
        let glue = data::is_glue(&options.data);
        let (mut options, made_by) = (options.clone(), MadeBy::here(device));
        options.weights = Some(options.weights.unwrap_or_default());
        folder.write_json(
            CONFIG,
            &RunConfig {
                options,
                glue,
                settings: None,
                made_by,
            },
        )?;
    }
    let mut reports: Vec<Report> = Vec::new();
    for (index, seed) in seeds.iter().enumerate() {
        output::say(format!("seed {seed} ({} of {})", index + 1, seeds.len()));
        let out = folder.file(&format!("seed-{seed}"));
        let (seed, out) = (Some(*seed), Some(out));
        let one = TrainOptions {
            seed,
            seeds: None,
            out,
            ..options.clone()
        };
        let trained = begin_or_go_on(&one);
        let hint = || format!("go on by `{}`", resume_command(folder.path()));
        reports.push(trained.with_context(hint)?);
    }
    let report = Report::over_seeds(&reports, folder.path()).context("no seed was run")?;
    folder.write_json(SUMMARY, &report)?;
    Ok(report)
}

/// These options with the commit of a model on the Hub in place of its branch or tag, so that the
/// run goes on, and answers, with the weights it was trained on whatever the branch becomes.
fn pinned(options: &TrainOptions) -> Result<TrainOptions> {
    let mut options = options.clone();
    if let Some(snapshot) = snapshot(options.model.as_deref(), options.revision.as_deref())? {
        options.revision = Some(snapshot.commit);
    }
    Ok(options)
}

/// The run in `options.out`, begun there or gone on with.
pub(crate) fn begin_or_go_on(options: &TrainOptions) -> Result<Report> {
    let begun = |out: &PathBuf| out.join(CONFIG).is_file();
    train(options, Start::new(options.out.as_ref().is_some_and(begun)))
}

fn resume_command(out: &Path) -> String {
    format!("{} train --resume --out {}", invocation(), quoted(out))
}

/// One run from its options to its report. Nothing is written before all input has been read.
fn train(options: &TrainOptions, start: Start) -> Result<Report> {
    if let (Start::Resume, Some(out)) = (start, &options.out) {
        let summary = out.join(SUMMARY);
        if summary.is_file() {
            output::say(format!("{} is finished already", out.display()));
            return files::read_json(&summary);
        }
    }
    memory::forget_peak();
    let options = &pinned(options)?;
    let base = Base::at(options.model.as_deref(), options.revision.as_deref())?;
    let config = base.config()?;
    let method = options.method(&config)?;
    let task = data::load(&options.data, method.task_prefix)?;
    let settings = options.settings(method, &task)?;
    let (device, device_name) = device::open(options.device.as_deref().unwrap_or("auto"))?;
    output::say(format!("device: {device_name}"));
    device::say_if_tuned(&device);
    if let Some(width) = settings.method.bottleneck() {
        output::say(format!("bottleneck: {width} (d_model {})", config.d_model));
    }
    let tokenizer = Arc::new(base.tokenizer()?);
    let storage = options.weights.unwrap_or_default();
    output::say(format!("frozen weights: {storage}"));
    let model = Arc::new(base.model(config, storage, &device)?);
    let name = format!("{}-{}", task.name, settings.method.name);
    output::say(format!("task: {}, seed {}", task.name, settings.seed));
    let mut session = Session::new(model, tokenizer, task, settings.clone())?;
    let folder = match &options.out {
        Some(out) if start == Start::Resume => RunDir::open(out)?,
        out => RunDir::create(out.as_deref(), &name)?,
    };
    let mut before = 0.0;
    if start == Start::Resume {
        before = seconds_so_far(&folder)?;
        let mut step = None;
        if let Some((checkpoint, file)) = folder.open_checkpoint()? {
            session.resume(checkpoint, &file)?;
            output::say(format!("going on after step {}", session.steps()));
            step = Some(session.steps());
        }
        folder.rewind_log(step)?;
    } else {
        let made_by = MadeBy::here(&device_name);
        let mut options = options.clone();
        options.out = Some(folder.path().to_path_buf());
        options.weights = Some(storage);
        let glue = data::is_glue(&options.data);
        let run = RunConfig {
            options,
            glue,
            settings: Some(settings.clone()),
            made_by,
        };
        folder.write_json(CONFIG, &run)?;
    }
    output::say(format!("run directory: {}", folder.path().display()));
    let (summary, seconds) = drive(&mut session, &folder, before)?;
    let adapter = session.adapter()?;
    saved(&folder, folder.write(ADAPTER, &adapter))?;
    let report = Report {
        summary,
        seconds,
        peak_mib: memory::high_water_mark(),
        adapter_bytes: adapter.len(),
        device: device_name,
        seed: settings.seed,
        out: folder.path().to_path_buf(),
        seeds: None,
    };
    saved(&folder, folder.write_json(SUMMARY, &report))?;
    Ok(report)
}

/// A file that could not be written ends a run, and takes nothing that was written before with it.
fn saved<T>(folder: &RunDir, written: Result<T>) -> Result<T> {
    written.map_err(|error| {
        // That the numbers are none is not the folder's fault.
        if let Some(Error::NotFinite { .. }) = error.downcast_ref() {
            return error;
        }
        if !folder.holds(CONFIG) {
            return error.context("the run's directory is gone");
        }
        let command = resume_command(folder.path());
        anyhow!("{error:#}; what was saved before is whole: mend that, then `{command}`")
    })
}

fn checkpoint(session: &Session, folder: &RunDir) -> Result<()> {
    folder.write_checkpoint(|each| session.write_checkpoint(each))
}

/// Advances the session to its end; checkpoints after evaluations and on Ctrl-C.
fn drive(session: &mut Session, folder: &RunDir, before: f64) -> Result<(Summary, f64)> {
    let started = Instant::now();
    let mut progress = Progress::new();
    let mut finished = None;
    loop {
        let event = match session.advance() {
            Ok(Some(event)) => event,
            Ok(None) => break,
            Err(error) => {
                progress.finish();
                return Err(error.into());
            }
        };
        let seconds = before + started.elapsed().as_secs_f64();
        progress.show(&event);
        let line = Line {
            event: &event,
            seconds,
        };
        saved(folder, folder.log(&line))?;
        match event {
            Event::Before { .. } => progress.restart_clock(),
            Event::Evaluated { .. } => {
                saved(folder, checkpoint(session, folder))?;
            }
            Event::Finished(summary) => finished = Some((summary, seconds)),
            Event::Started { .. } | Event::Step { .. } => {}
        }
        if interrupt::asked() && finished.is_none() {
            progress.finish();
            saved(folder, checkpoint(session, folder))?;
            let (step, command) = (session.steps(), resume_command(folder.path()));
            bail!("stopped after step {step}; go on by `{command}`");
        }
    }
    finished.context("the run ended without a summary")
}

/// The seconds that earlier parts of this run took, by its last whole line.
fn seconds_so_far(folder: &RunDir) -> Result<f64> {
    if !folder.holds(METRICS) {
        return Ok(0.0);
    }
    let text = String::from_utf8_lossy(&files::read(&folder.file(METRICS))?).into_owned();
    let seconds =
        |line: &str| serde_json::from_str::<serde_json::Value>(line).ok()?["seconds"].as_f64();
    Ok(text.lines().rev().find_map(seconds).unwrap_or(0.0))
}
