//! Progress of a run on standard error: a bar on a terminal, plain lines elsewhere.

use crate::output::{duration, say, thousands};
use compacter_core::train::Event;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::Instant;

/// Shows events as they come.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    started: Instant,
    rows: usize,
    first_step: Option<usize>,
    metric: String,
}

impl Progress {
    /// A bar if standard error is a terminal.
    pub(crate) fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(0);
            let bar_of = if std::env::var_os("NO_COLOR").is_some() {
                "{wide_bar}"
            } else {
                "{wide_bar:.cyan}"
            };
            let template = format!("step {{pos}}/{{len}} {bar_of} {{msg}}, {{eta}} left");
            if let Ok(style) = ProgressStyle::with_template(&template) {
                bar.set_style(style);
            }
            bar
        });
        Self {
            bar,
            started: Instant::now(),
            rows: 0,
            first_step: None,
            metric: String::new(),
        }
    }

    fn say(&self, text: String) {
        match &self.bar {
            Some(bar) => bar.suspend(|| say(text)),
            None => say(text),
        }
    }

    /// Shows one event.
    pub(crate) fn show(&mut self, event: &Event) {
        match event {
            Event::Started {
                method,
                trainable,
                percent,
                total_steps,
                train_rows,
                validation_rows,
                test_rows,
                ..
            } => {
                self.say(format!(
                    "{method}: {} trainable parameters, {percent:.3} % of the base",
                    thousands(*trainable)
                ));
                self.say(format!(
                    "{train_rows} training, {validation_rows} validation and {test_rows} test \
                     rows; {total_steps} steps"
                ));
                if let Some(bar) = &self.bar {
                    bar.set_length(*total_steps as u64);
                }
            }
            Event::Before { score, .. } => self.say(format!("before: {score:.2}")),
            Event::Step {
                step,
                total_steps,
                loss,
                rows,
                ..
            } => self.step(*step, *total_steps, *loss, *rows),
            Event::Evaluated {
                step, score, best, ..
            } => {
                self.metric = format!(", validation {score:.2}");
                let best = if *best { ", the best so far" } else { "" };
                self.say(format!("step {step}: validation {score:.2}{best}"));
            }
            Event::Finished(_) => self.finish(),
        }
    }

    fn step(&mut self, step: usize, total: usize, loss: f64, rows: usize) {
        if self.first_step.is_none() {
            // The clock starts before the first step: what came before was reading and scoring.
            self.first_step = Some(step - 1);
            if let Some(bar) = &self.bar {
                bar.reset_eta();
            }
        }
        self.rows += rows;
        let seconds = self.started.elapsed().as_secs_f64();
        let speed = self.rows as f64 / seconds.max(1e-9);
        let message = format!("loss {loss:.4}{}, {speed:.0} examples/s", self.metric);
        match &self.bar {
            Some(bar) => {
                bar.set_length(total as u64);
                bar.set_position(step as u64);
                bar.set_message(message);
            }
            None => {
                let every = (total / 20).max(1);
                if step.is_multiple_of(every) || step == total {
                    let done = step - self.first_step.unwrap_or(0);
                    let left = seconds / done.max(1) as f64 * (total.saturating_sub(step)) as f64;
                    say(format!(
                        "step {step}/{total}: {message}, {} left",
                        duration(left)
                    ));
                }
            }
        }
    }

    /// The next phase begins: the speed is counted from here.
    pub(crate) fn restart_clock(&mut self) {
        self.started = Instant::now();
        self.rows = 0;
        self.first_step = None;
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
