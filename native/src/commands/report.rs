//! `compacter report`: finished runs as the paper's tables and figures.

use crate::failure::usage;
use crate::output;
use crate::png::png;
use crate::records::read_runs;
use anyhow::{Context, Result};
use clap::ValueEnum;
use compacter_core::report::{Report, csv, markdown};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  compacter report runs                       every finished run below runs/, as Markdown
  compacter report runs/table --format csv
  compacter report runs/table --out report    report.md, .csv and .json, figure1 and figure4 as SVG
                                              and PNG, as far as the runs give them";

/// Finished runs as the paper's tables and figures
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Run directories, or folders that hold them
    #[arg(required = true, value_name = "DIR")]
    dirs: Vec<PathBuf>,
    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Markdown)]
    format: Format,
    /// Write all formats and the figures into this folder, too
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Forms of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Tables for people
    Markdown,
    /// A line a score
    Csv,
    /// Everything
    Json,
}

/// Reads, prints and writes.
pub(crate) fn run(args: &Args) -> Result<()> {
    let runs = read_runs(&args.dirs)?;
    if runs.is_empty() {
        let dirs: Vec<String> = args
            .dirs
            .iter()
            .map(|dir| dir.display().to_string())
            .collect();
        return Err(usage(format!(
            "no finished run in {}: a run is finished when it has its summary.json",
            dirs.join(", ")
        )));
    }
    let report = Report::new(&runs);
    if let Some(out) = &args.out {
        write(&report, out)?;
    }
    match args.format {
        Format::Markdown => output::line(markdown(&report).trim_end()),
        Format::Csv => output::line(csv(&report)?.trim_end()),
        Format::Json => output::json(&report),
    }
}

/// Writes every form of a report that its runs give, and says what was written.
pub(crate) fn write(report: &Report, out: &Path) -> Result<()> {
    std::fs::create_dir_all(out).with_context(|| format!("{}", out.display()))?;
    let mut json = serde_json::to_vec_pretty(report)?;
    json.push(b'\n');
    let mut files = vec![
        ("report.md", markdown(report).into_bytes()),
        ("report.csv", csv(report)?.into_bytes()),
        ("report.json", json),
    ];
    if let Some(figure) = report.pareto.as_ref().map(|figure| figure.picture(false)) {
        files.push(("figure1.svg", figure.svg().into_bytes()));
        files.push(("figure1.png", png(&figure)?));
    }
    if let Some(figure) = report.samples.as_ref().map(|figure| figure.picture(false)) {
        files.push(("figure4.svg", figure.svg().into_bytes()));
        files.push(("figure4.png", png(&figure)?));
    }
    for (name, bytes) in files {
        let path = out.join(name);
        std::fs::write(&path, bytes).with_context(|| format!("{}", path.display()))?;
        output::say(format!("written: {}", path.display()));
    }
    Ok(())
}
