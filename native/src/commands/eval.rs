//! `compacter eval`: every metric of a trained run on its test rows, or on others.

use crate::options::DataOptions;
use crate::trained::Trained;
use crate::{data, output};
use anyhow::Result;
use compacter_core::t5::Storage;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

const EXAMPLES: &str = "\
Examples:
  compacter eval                               the newest run in runs/
  compacter eval --run runs/reviews-compacter++-1 --json
  compacter eval --run runs/mine-adapter-1 --test other.csv";

/// Score a trained run on its test rows, or on other data
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Run directory [default: the newest in runs]
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// auto, cpu, gpu or gpu:N
    #[arg(long, default_value = "auto")]
    device: String,
    /// f32, f16 or int8 for frozen weights [default: the run's]
    #[arg(long, value_name = "TYPE")]
    weights: Option<Storage>,
    /// One JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataOptions,
}

#[derive(Serialize)]
struct Scores {
    task: String,
    method: String,
    metric: String,
    score: f64,
    metrics: BTreeMap<String, f64>,
    majority: Option<f64>,
    rows: usize,
    seconds: f64,
}

/// Scores and prints.
pub(crate) fn run(args: Args) -> Result<()> {
    let trained = Trained::load(args.run.as_deref(), &args.device, args.weights)?;
    let header = trained.predictor.header();
    let mut options = args.data.over(trained.config.options.data.clone());
    // The name is part of every source text, so other rows keep it.
    options.task.get_or_insert(header.task.clone());
    let task = data::load(&options, header.method.task_prefix)?;
    let start = Instant::now();
    let metrics = trained.predictor.evaluate(&task)?;
    let metric = task.metric().to_string();
    let scores = Scores {
        score: metrics.get(&metric).copied().unwrap_or(f64::NAN),
        method: header.method.name.clone(),
        majority: task.majority(),
        rows: task.test.len(),
        seconds: start.elapsed().as_secs_f64(),
        task: task.name,
        metric,
        metrics,
    };
    if args.json {
        return output::json(&scores);
    }
    let mut table = vec![
        vec!["task".into(), scores.task],
        vec!["method".into(), scores.method],
        vec!["test rows".into(), scores.rows.to_string()],
    ];
    table.extend(
        scores
            .metrics
            .into_iter()
            .map(|(name, value)| vec![name, format!("{value:.2}")]),
    );
    if let Some(majority) = scores.majority {
        table.push(vec![
            format!("{} of the majority class", scores.metric),
            format!("{majority:.2}"),
        ]);
    }
    output::line(output::columns(&table).trim_end())
}
