//! `--memory-plan`: what a run will hold, from its settings and its rows, before any weight is read.

use crate::base::Base;
use crate::options::TrainOptions;
use crate::{data, memory, output};
use anyhow::Result;
use compacter_core::data::{Row, Tokenizer};
use compacter_core::t5::{Pass, Peak, Plan, Storage};
use compacter_core::task::Task;
use compacter_core::train::Settings;
use serde::Serialize;

/// A plan in MiB, as `--json` has it.
#[derive(Serialize)]
struct Planned {
    frozen_weights_mib: f64,
    weights: Storage,
    trained_numbers: usize,
    trained_mib: f64,
    pass_rows: usize,
    pass_source: usize,
    pass_target: usize,
    pass_mib: f64,
    peak_mib: f64,
    peak_at: &'static str,
    free_mib: Option<f64>,
}

/// Plans the run of these options and prints it.
pub(crate) fn print(options: &TrainOptions, json: bool) -> Result<()> {
    let base = Base::at(options.model.as_deref(), options.revision.as_deref())?;
    let config = base.config()?;
    let method = options.method(&config)?;
    let task = data::load(&options.data, method.task_prefix)?;
    let settings = options.settings(method, &task)?;
    let pass = pass(&settings, &task, &base.tokenizer()?)?;
    let storage = options.weights.unwrap_or_default();
    let plan = Plan::new(&config, &settings.method, storage, pass);
    let trained_numbers = settings.method.trainable(&config);
    let planned = Planned::new(&plan, storage, pass, trained_numbers);
    match json {
        true => output::json(&planned),
        false => output::line(planned.table().trim_end()),
    }
}

/// The widest pass: as many rows as go through together, all as long as the longest.
fn pass(settings: &Settings, task: &Task, tokenizer: &Tokenizer) -> Result<Pass> {
    let (mut source, mut target) = (0, 0);
    for example in &task.train {
        let (text, answer) = (&example.source, &example.target);
        let row = Row::from_text(tokenizer, text, answer, settings.max_source)?;
        source = source.max(row.source.len());
        target = target.max(row.target.len());
    }
    let rows = settings.micro_batch.unwrap_or(settings.batch);
    Ok(Pass {
        rows: rows.min(settings.batch).min(task.train.len()),
        source,
        target,
        dropout: settings.dropout > 0.0,
        activation_checkpointing: settings.activation_checkpointing,
    })
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

impl Planned {
    fn new(plan: &Plan, weights: Storage, pass: Pass, trained_numbers: usize) -> Self {
        Self {
            frozen_weights_mib: mib(plan.weights),
            weights,
            trained_numbers,
            trained_mib: mib(plan.trained + plan.best),
            pass_rows: pass.rows,
            pass_source: pass.source,
            pass_target: pass.target,
            pass_mib: mib(plan.activations),
            peak_mib: mib(plan.total()),
            peak_at: match plan.peak().0 {
                Peak::Loading => "while the weights are read",
                Peak::Pass => "between forward and backward",
                Peak::Scoring => "while rows are scored",
                Peak::Update => "in the optimiser",
            },
            free_mib: memory::of_the_machine().map(|[_, free]| mib(free)),
        }
    }

    fn table(&self) -> String {
        let row = |what: &str, mib: f64, how: &str| format!("{what:<14} {mib:>6.0} MiB   {how}\n");
        let free = match self.free_mib {
            Some(free) => format!("{}; {free:.0} MiB are free here", self.peak_at),
            None => self.peak_at.into(),
        };
        let numbers = format!(
            "{} numbers, their two moments and the best of them so far",
            self.trained_numbers
        );
        let pass = format!(
            "{} rows, sources of up to {} tokens, targets of up to {}",
            self.pass_rows, self.pass_source, self.pass_target
        );
        let mut text = [
            row(
                "frozen weights",
                self.frozen_weights_mib,
                self.weights.name(),
            ),
            row("trained", self.trained_mib, &numbers),
            row("a pass", self.pass_mib, &pass),
            row("at its peak", self.peak_mib, &free),
        ]
        .concat();
        if self.free_mib.is_some_and(|free| free < self.peak_mib) {
            text += "\nmore than is free: lower --micro-batch or --max-source, or take \
                     --activation-checkpointing or --weights int8\n";
        }
        text + "\nplanned for the CPU; a GPU's memory pool rounds up\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use compacter_core::method::Method;
    use compacter_core::t5::T5Config;

    #[test]
    fn what_does_not_fit_is_said() {
        let config = T5Config::preset("t5-large").unwrap();
        let pass = Pass {
            rows: 8,
            source: 128,
            target: 4,
            dropout: true,
            activation_checkpointing: false,
        };
        let method = Method::preset("full", &config).unwrap();
        let plan = Plan::new(&config, &method, Storage::F32, pass);
        let numbers = method.trainable(&config);
        let mut planned = Planned::new(&plan, Storage::F32, pass, numbers);
        planned.free_mib = Some(1000.0);
        let table = planned.table();
        assert!(
            table.contains("more than is free: lower --micro-batch"),
            "{table}"
        );
        assert!(
            table.contains("between forward and backward; 1000 MiB"),
            "{table}"
        );
        planned.free_mib = None;
        assert!(!planned.table().contains("free"));
    }
}
