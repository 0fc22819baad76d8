//! The subcommands, their dispatch and the exit code.

use crate::commands::{
    bench, completions, devices, doctor, eval, export, import, inspect, merge, params, predict,
    report, reproduce, sweep, train,
};
use crate::failure::{exit_code, is_broken_pipe};
use crate::output;
use clap::{Parser, Subcommand};
use compacter_core::in_pool;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  compacter train                                   the bundled T5 on the bundled reviews
  compacter train --task rte --data glue/RTE --model t5-small/
  compacter train --data mine.csv --text body --label kind --method adapter
  compacter predict --run runs/reviews-compacter++-1 \"What a lovely evening.\"
  compacter params --model t5-base

Exit codes: 0 done, 1 failed, 2 wrong usage.";

/// Fine-tune T5 with Compacter, on any GPU or the CPU.
#[derive(Debug, Parser)]
#[command(name = "compacter", bin_name = "compacter", version, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Fine-tune a T5 on a task
    Train(Box<train::Args>),
    /// Score a trained run on its test rows, or on other data
    Eval(Box<eval::Args>),
    /// Answer for a sentence, a file or standard input
    Predict(predict::Args),
    /// Say what an adapter, a run or a model file is
    Inspect(inspect::Args),
    /// Write a trained run as a plain Hugging Face T5
    Merge(merge::Args),
    /// Write a trained adapter in the form of the AdapterHub library
    Export(export::Args),
    /// Take over an adapter of the AdapterHub library
    Import(import::Args),
    /// Count what each method trains
    Params(params::Args),
    /// List the devices to compute on
    Devices(devices::Args),
    /// Hold a device to the CPU and measure it
    Doctor(doctor::Args),
    /// Time training steps on random weights
    Bench(bench::Args),
    /// Do many runs: every combination of a file's lists
    Sweep(sweep::Args),
    /// Finished runs as the paper's tables and figures
    Report(report::Args),
    /// Run what a table or figure of the paper shows
    Reproduce(reproduce::Args),
    /// Print completions for a shell
    Completions(completions::Args),
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Train(args) => train::run(*args),
        Command::Eval(args) => eval::run(*args),
        Command::Predict(args) => predict::run(args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Merge(args) => merge::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Import(args) => import::run(args),
        Command::Params(args) => params::run(&args),
        Command::Devices(args) => devices::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Sweep(args) => sweep::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Reproduce(args) => reproduce::run(&args),
        Command::Completions(args) => completions::run(&args),
    }
}

/// Runs the program on the arguments of this process.
pub fn main_from_args() -> ExitCode {
    let command = Cli::parse().command;
    match in_pool(|| run(command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::say(format!("error: {error:#}"));
            ExitCode::from(exit_code(&error))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_help_has_examples() {
        for command in Cli::command().get_subcommands() {
            let help = command
                .get_after_help()
                .map(|help| help.to_string())
                .unwrap_or_default();
            assert!(help.starts_with("Examples:"), "{}", command.get_name());
        }
    }
}
