//! The runs of a sweep for a scheduler that exists already: nothing here is one.

use std::fmt::Write;
use std::str::FromStr;

/// Who is to do the runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheduler {
    /// An array job for `sbatch`.
    Slurm,
    /// An array job for `hq submit`.
    HyperQueue,
    /// One after another in a shell.
    Shell,
}

impl FromStr for Scheduler {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "slurm" => Ok(Self::Slurm),
            "hyperqueue" => Ok(Self::HyperQueue),
            "shell" => Ok(Self::Shell),
            _ => Err(format!(
                "unknown scheduler `{name}`: it is slurm, hyperqueue or shell"
            )),
        }
    }
}

/// A script with one task a run. `command` does the run whose name follows it, quoted for a shell;
/// it may be given the same run twice, since a run that is finished is not done again. `folder`, quoted
/// too, is where relative paths of the sweep start.
pub fn script(scheduler: Scheduler, folder: &str, command: &str, names: &[String]) -> String {
    let last = names.len().saturating_sub(1);
    let mut text = String::from("#!/bin/bash\n");
    let head = match scheduler {
        Scheduler::Slurm => format!(
            "#SBATCH --job-name=compacter-sweep\n#SBATCH --array=0-{last}\n\
             #SBATCH --cpus-per-task=4\n# Submit by `sbatch THIS`; add the partition, time and GPU \
             that the runs need.\n"
        ),
        Scheduler::HyperQueue => format!(
            "#HQ --name=compacter-sweep\n#HQ --array=0-{last}\n#HQ --cpus=1\n\
             # Submit by `hq submit THIS.sh`; add `#HQ --resource gpus/nvidia=1` for a GPU a run.\n"
        ),
        Scheduler::Shell => {
            "# A run that fails does not keep the others from their turn.\nfailed=0\n".into()
        }
    };
    text.push_str(&head);
    // Writing to a string cannot fail.
    let _ = writeln!(text, "cd {folder} || exit 1");
    match scheduler {
        Scheduler::Shell => {
            for name in names {
                let _ = writeln!(text, "{command} {name} || failed=1");
            }
            text.push_str("exit $failed\n");
        }
        Scheduler::Slurm | Scheduler::HyperQueue => {
            let task = match scheduler {
                Scheduler::Slurm => "SLURM_ARRAY_TASK_ID",
                _ => "HQ_TASK_ID",
            };
            text.push_str("runs=(\n");
            for name in names {
                let _ = writeln!(text, "  {name}");
            }
            let _ = write!(text, ")\nexec {command} \"${{runs[${task}]}}\"\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        vec!["rte-full-1a".into(), "rte-compacter++-2b".into()]
    }

    #[test]
    fn every_run_is_in_the_array() {
        for (scheduler, directive, variable) in [
            ("slurm", "#SBATCH --array=0-1\n", "$SLURM_ARRAY_TASK_ID"),
            ("hyperqueue", "#HQ --array=0-1\n", "$HQ_TASK_ID"),
        ] {
            let text = script(
                scheduler.parse().unwrap(),
                "here",
                "compacter x --only",
                &names(),
            );
            assert!(text.contains(directive), "{text}");
            assert!(text.contains("\ncd here || exit 1\n"), "{text}");
            assert!(text.contains("runs=(\n  rte-full-1a\n  rte-compacter++-2b\n)\n"));
            let last = format!("exec compacter x --only \"${{runs[{variable}]}}\"\n");
            assert!(text.ends_with(&last), "{text}");
        }
    }

    #[test]
    fn a_shell_does_one_after_another() {
        let text = script(Scheduler::Shell, "here", "compacter x --only", &names());
        assert!(text.contains("\ncompacter x --only rte-compacter++-2b || failed=1\n"));
        assert!(text.ends_with("exit $failed\n"));
        assert!("pbs".parse::<Scheduler>().unwrap_err().contains("slurm"));
    }
}
