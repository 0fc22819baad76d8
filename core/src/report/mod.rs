//! Finished runs as the paper's tables and figures, with the paper's own numbers beside them.

mod costs;
mod csv;
mod figures;
mod interval;
mod markdown;
mod run;
mod select;
mod tables;

pub use costs::{CostRow, costs};
pub use csv::csv;
pub use interval::Interval;
pub use markdown::markdown;
pub use run::Run;
pub use select::{Choice, choose};
pub use tables::{Cell, Row, Table, tables};

use crate::figure::{Pareto, Samples};
use serde::Serialize;

/// Everything that a set of runs shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Tables 1 and 2 and one for other tasks, as far as there are runs of them.
    pub tables: Vec<Table>,
    /// Table 3; empty where nothing was run by full fine-tuning to compare with.
    pub costs: Vec<CostRow>,
    /// Figure 1: score against trained share.
    #[serde(skip)]
    pub pareto: Option<Pareto>,
    /// Figure 4: score against training rows.
    #[serde(skip)]
    pub samples: Option<Samples>,
}

impl Report {
    /// From finished runs, in any order.
    pub fn new(runs: &[Run]) -> Self {
        let tables = tables(runs);
        let pareto = figures::pareto(&tables, runs);
        Self {
            pareto,
            tables,
            costs: costs(runs),
            samples: figures::samples(runs),
        }
    }
}

/// A method's place in tables: the order of the presets, then any other name.
fn order(method: &str) -> (usize, &str) {
    let known = crate::method::NAMES.iter().position(|name| *name == method);
    (known.unwrap_or(usize::MAX), method)
}

fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values
        .into_iter()
        .fold((0.0, 0usize), |(sum, count), value| {
            (sum + value, count + 1)
        });
    (count > 0).then(|| sum / count as f64)
}

/// Sample deviation; 0 for one value.
fn deviation(values: &[f64]) -> f64 {
    let mean = mean(values.iter().copied()).unwrap_or(0.0);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / (values.len().max(2) - 1) as f64).sqrt()
}
