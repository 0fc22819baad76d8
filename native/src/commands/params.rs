//! `compacter params`: how much each method trains, from sizes alone.

use crate::base::sizes;
use crate::output;
use anyhow::Result;
use compacter_core::method::{Method, NAMES};
use serde::Serialize;

const EXAMPLES: &str = "\
Examples:
  compacter params --model t5-base
  compacter params --model t5-small --method compacter,compacter++
  compacter params --model path/to/t5 --json
  compacter params --model google/t5-v1_1-base   fetches its config.json";

/// Count what each method trains
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// A size (t5-large, …), a folder or an id on the Hub
    #[arg(long, value_name = "SIZE|DIR|ID", default_value = "t5-base")]
    model: String,
    /// Every method, which is also the default
    #[arg(long, conflicts_with = "method")]
    all: bool,
    /// Only these methods, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    method: Vec<String>,
    /// An array of {method, trainable, percent}
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    method: String,
    trainable: usize,
    percent: f64,
}

/// Counts and prints.
pub(crate) fn run(args: &Args) -> Result<()> {
    let config = sizes(&args.model)?;
    let names = if args.method.is_empty() {
        NAMES.map(String::from).to_vec()
    } else {
        args.method.clone()
    };
    let mut rows = Vec::new();
    for name in names {
        let method = Method::preset(&name, &config)?;
        let (trainable, percent) = (method.trainable(&config), method.percent(&config));
        rows.push(Row {
            method: method.name,
            trainable,
            percent,
        });
    }
    if args.json {
        return output::json(&rows);
    }
    let mut table = vec![vec!["method".into(), "trainable".into(), "percent".into()]];
    for row in rows {
        let percent = format!("{:.3}", row.percent);
        table.push(vec![row.method, output::thousands(row.trainable), percent]);
    }
    output::line(output::columns(&table).trim_end())
}
