//! `compacter bench`: training steps on random weights, methods in turn.

use crate::base::sizes;
use crate::device;
use crate::failure::usage;
use crate::memory::high_water_mark;
use crate::output;
use anyhow::{Context, Result};
use compacter_core::method::Method;
use compacter_core::t5::{Storage, T5Config};
use compacter_core::train::Bench;
use serde::{Deserialize, Serialize};
use std::process::{Command, Stdio};
use std::time::Instant;

const EXAMPLES: &str = "\
Examples:
  compacter bench
  compacter bench --size t5-small --methods adapter,compacter --rounds 10 --device cpu
  compacter bench --size t5-base --methods compacter --weights int8
  compacter bench --size bundled --batch 32 --source 64 --json";

/// Time training steps on random weights
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// A size (t5-large, …), a folder or an id on the Hub
    #[arg(long, value_name = "SIZE|DIR|ID", default_value = "t5-small")]
    size: String,
    /// Methods, separated by commas
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        default_value = "full,adapter,compacter"
    )]
    methods: Vec<String>,
    /// Rows per step
    #[arg(long, value_name = "ROWS", default_value_t = 8)]
    batch: usize,
    /// Tokens per source
    #[arg(long, value_name = "TOKENS", default_value_t = 128)]
    source: usize,
    /// Tokens per target
    #[arg(long, value_name = "TOKENS", default_value_t = 4)]
    target: usize,
    /// Rounds; each takes one step of every method, in turn
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// auto, cpu, gpu or gpu:N
    #[arg(long, default_value = "auto")]
    device: String,
    /// f32, f16 or int8 for frozen weights
    #[arg(long, value_name = "TYPE", default_value_t)]
    weights: Storage,
    /// An array of {method, median_s, min_s, max_s, peak_mib, dispatches}
    #[arg(long)]
    json: bool,
    /// Take some steps of one method and print their costs as JSON
    #[arg(long, hide = true)]
    measure_costs: bool,
}

#[derive(Serialize)]
struct Row {
    method: String,
    median_s: f64,
    min_s: f64,
    max_s: f64,
    peak_mib: Option<f64>,
    dispatches: Option<u64>,
}

/// Peak memory of a step (of the process, or of a GPU's pool) and kernels launched (GPU only).
#[derive(Debug, Default, Serialize, Deserialize)]
struct Costs {
    peak_mib: Option<f64>,
    dispatches: Option<u64>,
}

/// Times and prints.
pub(crate) fn run(args: &Args) -> Result<()> {
    for (name, value) in [
        ("batch", args.batch),
        ("source", args.source),
        ("target", args.target),
        ("rounds", args.rounds),
    ] {
        if value == 0 {
            return Err(usage(format!("--{name} 0: it must be at least 1")));
        }
    }
    let config = sizes(&args.size)?;
    let methods = args
        .methods
        .iter()
        .map(|name| Method::preset(name, &config));
    let methods = methods.collect::<compacter_core::Result<Vec<_>>>()?;
    if args.measure_costs {
        return measure_costs(args, &config, methods);
    }
    let (device, name) = device::open(&args.device)?;
    output::say(format!("device: {name}"));
    // Before the timing, so that a child has the memory to itself.
    let costs: Vec<Costs> = methods.iter().map(|m| costs(args, &m.name)).collect();
    let sizes = [args.batch, args.source, args.target];
    let benches = methods
        .iter()
        .map(|method| Bench::new(&config, args.weights, method.clone(), sizes, 1, &device));
    let mut benches = benches.collect::<compacter_core::Result<Vec<_>>>()?;
    let mut seconds = vec![Vec::with_capacity(args.rounds); benches.len()];
    for round in 0..=args.rounds {
        for (bench, seconds) in benches.iter_mut().zip(&mut seconds) {
            let start = Instant::now();
            bench.step()?;
            // The first round warms up.
            if round > 0 {
                seconds.push(start.elapsed().as_secs_f64());
            }
        }
        output::say(format!("round {round} of {}", args.rounds));
    }
    let rows: Vec<Row> = methods
        .into_iter()
        .zip(seconds)
        .zip(costs)
        .map(|((method, seconds), costs)| row(method.name, seconds, costs))
        .collect();
    if args.json {
        return output::json(&rows);
    }
    output::line(table(&rows).trim_end())
}

fn row(method: String, mut seconds: Vec<f64>, costs: Costs) -> Row {
    seconds.sort_by(f64::total_cmp);
    let at = |index: usize| seconds.get(index).copied().unwrap_or(f64::NAN);
    let middle = seconds.len() / 2;
    let median_s = match seconds.len() % 2 {
        0 => (at(middle.saturating_sub(1)) + at(middle)) / 2.0,
        _ => at(middle),
    };
    let (min_s, max_s) = (at(0), at(seconds.len().saturating_sub(1)));
    Row {
        method,
        median_s,
        min_s,
        max_s,
        peak_mib: costs.peak_mib,
        dispatches: costs.dispatches,
    }
}

fn table(rows: &[Row]) -> String {
    let head = [
        "method", "median s", "min s", "max s", "peak MiB", "kernels",
    ]
    .map(String::from)
    .to_vec();
    let mut table = vec![head];
    for row in rows {
        let seconds = [row.median_s, row.min_s, row.max_s].map(|value| format!("{value:.4}"));
        let peak = row.peak_mib.map_or("?".into(), |peak| format!("{peak:.0}"));
        let [median, min, max] = seconds;
        let kernels = row.dispatches.map_or("-".into(), |count| count.to_string());
        table.push(vec![row.method.clone(), median, min, max, peak, kernels]);
    }
    output::columns(&table)
}

/// What a step of one method takes, measured in a process of its own: a process's high-water mark
/// and a GPU's memory pool know no methods. Unknown where that process cannot tell.
fn costs(args: &Args, method: &str) -> Costs {
    let run = || {
        let sizes = [args.batch, args.source, args.target].map(|size| size.to_string());
        let [batch, source, target] = &sizes;
        let output = Command::new(std::env::current_exe().ok()?)
            .args(["bench", "--measure-costs", "--methods", method])
            .args(["--device", &args.device, "--size", &args.size])
            .args(["--weights", args.weights.name()])
            .args(["--batch", batch, "--source", source, "--target", target])
            .stderr(Stdio::null())
            .output()
            .ok()?;
        serde_json::from_slice(&output.stdout).ok()
    };
    run().unwrap_or_default()
}

fn measure_costs(args: &Args, config: &T5Config, methods: Vec<Method>) -> Result<()> {
    let method = methods.into_iter().next().context("no method")?;
    let (device, _) = device::open(&args.device)?;
    let sizes = [args.batch, args.source, args.target];
    let mut bench = Bench::new(config, args.weights, method, sizes, 1, &device)?;
    bench.step()?;
    bench.step()?;
    if device == compacter_core::cpu_device() {
        let (peak_mib, dispatches) = (high_water_mark(), None);
        return output::json(&Costs {
            peak_mib,
            dispatches,
        });
    }
    let dispatches = Some(bench.dispatches()?);
    let peak_mib = bench
        .pool_bytes()
        .map(|bytes| bytes as f64 / f64::from(1 << 20));
    output::json(&Costs {
        peak_mib,
        dispatches,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_spread() {
        let even = row("x".into(), vec![4.0, 1.0, 3.0, 2.0], Costs::default());
        assert_eq!((even.median_s, even.min_s, even.max_s), (2.5, 1.0, 4.0));
        let odd = row("x".into(), vec![3.0, 1.0, 2.0], Costs::default());
        assert_eq!(odd.median_s, 2.0);
    }
}
