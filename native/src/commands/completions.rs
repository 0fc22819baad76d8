//! `compacter completions`: a script for a shell.

use crate::cli::Cli;
use crate::output;
use anyhow::Result;
use clap::CommandFactory;
use clap_complete::Shell;

const EXAMPLES: &str = "\
Examples:
  compacter completions bash > ~/.local/share/bash-completion/completions/compacter
  compacter completions fish > ~/.config/fish/completions/compacter.fish";

/// Print completions for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Which shell
    shell: Shell,
}

/// Prints the script.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "compacter", &mut script);
    output::line(String::from_utf8(script)?.trim_end())
}
