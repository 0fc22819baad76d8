//! The sweeps behind the paper's tables and figures.

use super::Sweep;
use crate::method::NAMES;
use crate::paper;
use serde_json::Value;
use std::str::FromStr;

/// Training rows of the low-resource protocol (paper §5.6).
pub const LOW_RESOURCE_SAMPLES: [usize; 5] = [100, 500, 1000, 2000, 4000];
/// Seeds of the low-resource protocol.
pub const LOW_RESOURCE_SEEDS: usize = 5;
/// The methods of the paper's Figure 4.
const LOW_RESOURCE_METHODS: [&str; 2] = ["full", "compacter++"];
/// Passes over the few rows, as for the paper's small tasks: three would be a dozen steps.
const LOW_RESOURCE_EPOCHS: usize = 20;
/// Seed of what is not repeated.
const SEED: u64 = 42;

/// What of the paper can be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reproduce {
    /// GLUE by every method.
    Table1,
    /// SuperGLUE by every method.
    Table2,
    /// Time and memory of every method.
    Table3,
    /// Table 1 as a picture: score against trained share.
    Figure1,
    /// Score against the number of training rows.
    Figure4,
}

impl Reproduce {
    /// Everything there is.
    pub const ALL: [Self; 5] = [
        Self::Table1,
        Self::Table2,
        Self::Table3,
        Self::Figure1,
        Self::Figure4,
    ];

    /// `table1`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Table1 => "table1",
            Self::Table2 => "table2",
            Self::Table3 => "table3",
            Self::Figure1 => "figure1",
            Self::Figure4 => "figure4",
        }
    }

    /// Folder of its runs; Figure 1 is drawn from those of Table 1.
    fn folder(self) -> &'static str {
        match self {
            Self::Figure1 => Self::Table1.name(),
            other => other.name(),
        }
    }

    /// Its sweep; `quick` takes the bundled data and few steps, to see it work within minutes.
    pub fn sweep(self, quick: bool) -> Sweep {
        let mut sweep = Sweep::default();
        let suffix = if quick { "-quick" } else { "" };
        sweep.out = Some(format!("runs/reproduce-{}{suffix}", self.folder()));
        let mut set = |key: &str, values: Vec<Value>| sweep.set(key, values);
        set("task", texts(self.tasks(quick)));
        set("method", texts(NAMES));
        set("seed", vec![SEED.into()]);
        match (self, quick) {
            (Self::Table3, _) => {
                set("steps", vec![if quick { 5 } else { 50 }.into()]);
                set("eval-samples", vec![if quick { 16 } else { 100 }.into()]);
            }
            (Self::Figure4, false) => {
                set("method", texts(LOW_RESOURCE_METHODS));
                set("train-samples", numbers(LOW_RESOURCE_SAMPLES));
                set("seed", numbers(1..=LOW_RESOURCE_SEEDS));
                set("epochs", vec![LOW_RESOURCE_EPOCHS.into()]);
            }
            (Self::Figure4, true) => {
                set("method", texts(LOW_RESOURCE_METHODS));
                set("train-samples", numbers([50, 200]));
                set("seed", numbers(1..=2));
                set("steps", vec![QUICK_STEPS.into()]);
                set("eval-samples", vec![QUICK_ROWS.into()]);
            }
            (_, true) => {
                set("steps", vec![QUICK_STEPS.into()]);
                set("eval-samples", vec![QUICK_ROWS.into()]);
            }
            (_, false) => {}
        }
        sweep
    }

    fn tasks(self, quick: bool) -> Vec<&'static str> {
        match (self, quick) {
            (_, true) => vec![QUICK_TASK],
            (Self::Table2, _) => paper::SUPERGLUE.tasks(),
            // The largest, whose rows are of middling length.
            (Self::Table3, _) => vec!["mnli"],
            _ => paper::GLUE.tasks(),
        }
    }
}

/// The bundled task that every kind of method learns something of within a minute.
const QUICK_TASK: &str = "topics";
const QUICK_STEPS: usize = 60;
const QUICK_ROWS: usize = 100;

impl FromStr for Reproduce {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let all = Self::ALL.map(Self::name);
        let found = Self::ALL.into_iter().find(|one| one.name() == name);
        found.ok_or_else(|| {
            let known = crate::nearest::suggestion(name, all);
            format!("unknown table or figure `{name}`: {known}")
        })
    }
}

fn texts<'a>(values: impl IntoIterator<Item = &'a str>) -> Vec<Value> {
    values.into_iter().map(Value::from).collect()
}

fn numbers(values: impl IntoIterator<Item = usize>) -> Vec<Value> {
    values.into_iter().map(Value::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::t5::T5Config;

    #[test]
    fn presets_have_every_method_and_the_papers_tasks() {
        let config = T5Config::preset("t5-base").unwrap();
        let count = |one: Reproduce, quick| one.sweep(quick).points(&config).unwrap().len();
        assert_eq!(count(Reproduce::Table1, false), 8 * NAMES.len());
        assert_eq!(count(Reproduce::Table2, false), 6 * NAMES.len());
        assert_eq!(count(Reproduce::Figure4, false), 8 * 2 * 5 * 5);
        assert_eq!(count(Reproduce::Table1, true), NAMES.len());
        assert_eq!(count(Reproduce::Table3, true), NAMES.len());
    }

    #[test]
    fn figure_1_shares_the_runs_of_table_1() {
        for quick in [false, true] {
            let (table, figure) = (
                Reproduce::Table1.sweep(quick),
                Reproduce::Figure1.sweep(quick),
            );
            assert_eq!(table, figure);
        }
        assert_ne!(
            Reproduce::Table1.sweep(true),
            Reproduce::Table1.sweep(false)
        );
    }

    #[test]
    fn names_are_read() {
        for one in Reproduce::ALL {
            assert_eq!(one.name().parse(), Ok(one));
        }
        let error = "tabel1".parse::<Reproduce>().unwrap_err();
        assert!(error.contains("`table1`"), "{error}");
    }
}
