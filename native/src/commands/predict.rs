//! `compacter predict`: a trained run's answers and their probabilities.

use crate::failure::usage;
use crate::files;
use crate::output;
use crate::trained::Trained;
use anyhow::{Context, Result};
use compacter_core::Error;
use compacter_core::t5::Storage;
use compacter_core::task::{Scoring, official_source, own_source};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  compacter predict \"What a lovely evening.\"   with the newest run in runs/
  compacter predict --run runs/reviews-compacter++-1 \"Never again.\" \"Again, please.\"
  compacter predict --run runs/rte-adapter-1 \"A man sleeps.\" --text2 \"Nobody is awake.\"
  compacter predict --run runs/reviews-compacter++-1 --file reviews.txt --json
  echo \"Never again.\" | compacter predict";

/// Rows that go through the model together when they come from a stream.
const ROWS: usize = 64;

/// Answer for a sentence, a file or standard input
///
/// Without sentences, each line of the file or of standard input is one; tasks with several
/// texts a row take them separated by tabs. An answer is a line: the answer, then each label's probability.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Sentences
    #[arg(value_name = "SENTENCE")]
    sentences: Vec<String>,
    /// The second text of a task that has two
    #[arg(long, value_name = "TEXT", requires = "sentences")]
    text2: Option<String>,
    /// File with a sentence a line (gzip too)
    #[arg(long, value_name = "FILE", conflicts_with = "sentences")]
    file: Option<PathBuf>,
    /// Run directory [default: the newest in runs]
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// auto, cpu, gpu or gpu:N
    #[arg(long, default_value = "auto")]
    device: String,
    /// f32, f16 or int8 for frozen weights [default: the run's]
    #[arg(long, value_name = "TYPE")]
    weights: Option<Storage>,
    /// One JSON object a line: {text, answer, probabilities}
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Answer<'a> {
    text: &'a str,
    answer: &'a str,
    probabilities: BTreeMap<&'a str, f64>,
}

/// Answers and prints.
pub(crate) fn run(args: Args) -> Result<()> {
    let trained = Trained::load(args.run.as_deref(), &args.device, args.weights)?;
    if !args.sentences.is_empty() {
        let join = |text: &String| match &args.text2 {
            Some(second) => format!("{text}\t{second}"),
            None => text.clone(),
        };
        let lines: Vec<String> = args.sentences.iter().map(join).collect();
        return answer(&trained, &lines, args.json);
    }
    if let Some(path) = &args.file {
        let name = path.display().to_string();
        let text = String::from_utf8(files::read(path)?)
            .map_err(|_| Error::file(&name, "is not UTF-8"))?;
        let lines: Vec<String> = text.lines().map(String::from).collect();
        if lines.is_empty() {
            return Err(Error::file(name, "the file is empty").into());
        }
        return lines
            .chunks(ROWS)
            .try_for_each(|lines| answer(&trained, lines, args.json));
    }
    let input = std::io::stdin();
    if input.is_terminal() {
        output::say("one sentence a line; end with Ctrl-D");
    }
    // A person waits for each answer, a pipe for all of them.
    let rows = if input.is_terminal() { 1 } else { ROWS };
    let mut lines = Vec::with_capacity(rows);
    for line in input.lock().lines() {
        lines.push(line.context("standard input")?);
        if lines.len() == rows {
            answer(&trained, &lines, args.json)?;
            lines.clear();
        }
    }
    answer(&trained, &lines, args.json)
}

/// The source text of a line, in the form that the run was trained on.
fn source(trained: &Trained, line: &str) -> Result<String> {
    let header = trained.predictor.header();
    let texts: Vec<&str> = line.split('\t').collect();
    if trained.config.glue {
        return Ok(official_source(
            &header.task,
            &texts,
            header.method.task_prefix,
        )?);
    }
    match (
        texts[..].first(),
        texts.get(1),
        trained.config.options.data.text2.is_some(),
    ) {
        (Some(first), second @ Some(_), true) => {
            Ok(own_source(&header.task, first, second.copied()))
        }
        (Some(_), _, false) => Ok(own_source(&header.task, line, None)),
        _ => Err(usage(format!(
            "the task {} has two texts: give --text2, or a tab between them",
            header.task
        ))),
    }
}

fn answer(trained: &Trained, lines: &[String], json: bool) -> Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let header = trained.predictor.header();
    let sources = lines
        .iter()
        .map(|line| source(trained, line))
        .collect::<Result<Vec<_>>>()?;
    let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
    let shares = match header.labels.is_empty() {
        true => vec![Vec::new(); lines.len()],
        false => trained.predictor.probabilities(&sources)?,
    };
    // ReCoRD's labels are each row's own, and no part of what was trained.
    let answers: Vec<String> = match (header.score, header.labels.is_empty()) {
        (Scoring::Generate, _) | (_, true) => trained.predictor.generate(&sources)?,
        (Scoring::Likelihood, false) => shares
            .iter()
            .map(|shares| trained.predictor.likeliest(shares).to_string())
            .collect(),
    };
    for ((text, answer), shares) in lines.iter().zip(&answers).zip(&shares) {
        let shares = header
            .labels
            .iter()
            .map(String::as_str)
            .zip(shares.iter().copied());
        if json {
            output::json(&Answer {
                text,
                answer,
                probabilities: shares.collect(),
            })?;
        } else {
            let shares: String = shares
                .map(|(label, share)| format!("\t{label} {share:.4}"))
                .collect();
            output::line(format!("{answer}{shares}"))?;
        }
    }
    Ok(())
}
