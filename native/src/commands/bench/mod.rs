//! `compacter bench`: training steps on random weights, methods in turn.

mod adapter;
mod costs;
mod growth;
mod profiled;

use crate::base::sizes;
use crate::device;
use crate::failure::usage;
use crate::output;
use anyhow::Result;
use compacter_core::method::{Layer, Method, NAMES, Overrides};
use compacter_core::paper::Cost;
use compacter_core::t5::{Storage, T5, T5Config};
use compacter_core::train::Bench;
use costs::{Costs, costs, measure_costs, planned};
use serde::Serialize;
use std::sync::Arc;
use std::time::Instant;

const EXAMPLES: &str = "\
Examples:
  compacter bench
  compacter bench --size t5-small --methods adapter,compacter --rounds 10 --device cpu
  compacter bench --size t5-base --methods compacter --weights int8
  compacter bench --methods frozen,compacter         frozen: layer norms alone, nothing added
  compacter bench --methods all --dimension 1400     the paper's Table 3, with its ratios beside
  compacter bench --profile                          time by kind of operation, or by kernel
  compacter bench --adapter --batch 400 --methods compacter --size t5-base
  compacter bench --vary batch=2,4,8 --vary n=2,4,8 --methods compacter --figure growth.svg
  compacter bench --size bundled --batch 32 --source 64 --json";

/// Time training steps on random weights
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// A size (t5-large, …), a folder or a Hub id
    #[arg(long, value_name = "SIZE|DIR|ID", default_value = "t5-small")]
    size: String,
    /// Methods, by commas, or `all`
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        default_value = "full,adapter,compacter"
    )]
    methods: Vec<String>,
    /// Numbers that all weights follow in intrinsic-said [default: 20000]
    #[arg(long, value_name = "N")]
    dimension: Option<usize>,
    /// Terms of the sum in hypercomplex methods [default: each one's]
    #[arg(long, value_name = "N")]
    n: Option<usize>,
    /// Rank of factors [default: each method's]
    #[arg(long, value_name = "RANK")]
    rank: Option<usize>,
    /// Width between an adapter's projections [default: each method's]
    #[arg(long, value_name = "WIDTH")]
    bottleneck: Option<usize>,
    /// Rows per step
    #[arg(long, value_name = "ROWS", default_value_t = 8)]
    batch: usize,
    /// Tokens per source
    #[arg(long, value_name = "TOKENS", default_value_t = 128)]
    source: usize,
    /// Tokens per target
    #[arg(long, value_name = "TOKENS", default_value_t = 4)]
    target: usize,
    /// Rows per forward pass; gradients accumulate over a step
    #[arg(long, value_name = "ROWS")]
    micro_batch: Option<usize>,
    /// Run each block again on the way back: less memory, more time
    #[arg(long)]
    activation_checkpointing: bool,
    /// Rounds; each takes one step of every method, in turn
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// auto, cpu, gpu or gpu:N
    #[arg(long, default_value = "auto")]
    device: String,
    /// f32, f16 or int8 for frozen weights
    #[arg(long, value_name = "TYPE", default_value_t)]
    weights: Storage,
    /// Time by kind of operation on the CPU (Linux), by kernel on a GPU
    #[arg(long)]
    profile: bool,
    /// The fused adapter alone, in GB/s beside a copy's
    #[arg(long, conflicts_with = "profile")]
    adapter: bool,
    /// Costs by batch, source, target, size, n, rank or bottleneck
    #[arg(long, value_name = "NAME=VALUES", conflicts_with_all = ["profile", "adapter"])]
    vary: Vec<String>,
    /// Draw what --vary measured beside what counting gives, as SVG
    #[arg(long, value_name = "FILE", requires = "vary")]
    figure: Option<std::path::PathBuf>,
    /// An array of {method, median_s, min_s, max_s, peak_mib, …}
    #[arg(long)]
    json: bool,
    /// Take some steps of one method and print their costs as JSON
    #[arg(long, hide = true)]
    measure_costs: bool,
}

/// No method of the paper: forward and backward to the layer norms, and nothing added.
const FROZEN: &str = "frozen";

#[derive(Default, Serialize)]
struct Row {
    method: String,
    median_s: f64,
    min_s: f64,
    max_s: f64,
    peak_mib: Option<f64>,
    /// What `--memory-plan` would say of it, for steps alone and on the CPU.
    planned_mib: f64,
    dispatches: Option<u64>,
    /// Median ÷ that of `full`, and what the paper's Table 3 has.
    time_ratio: Option<f64>,
    paper_time_ratio: Option<f64>,
    /// Peak memory ÷ that of `full`, and what the paper's Table 3 has.
    memory_ratio: Option<f64>,
    paper_memory_ratio: Option<f64>,
}

/// Times and prints.
pub(crate) fn run(args: &Args) -> Result<()> {
    for (name, value) in [
        ("batch", args.batch),
        ("source", args.source),
        ("target", args.target),
        ("micro-batch", args.micro_batch.unwrap_or(1)),
        ("rounds", args.rounds),
    ] {
        if value == 0 {
            return Err(usage(format!("--{name} 0: it must be at least 1")));
        }
    }
    if !args.vary.is_empty() {
        return growth::grow(args);
    }
    let config = sizes(&args.size)?;
    let methods = methods(args, &config)?;
    if args.measure_costs {
        return measure_costs(args, config, &methods);
    }
    let (device, name) = device::open(&args.device)?;
    output::say(format!("device: {name}"));
    device::say_if_tuned(&device);
    if args.profile {
        return profiled::profile(args, &config, &methods, &device);
    }
    if args.adapter {
        return adapter::speeds(args, &config, &methods, &device);
    }
    // Before the timing, so that a child has the memory to itself.
    let costs: Vec<Costs> = methods.iter().map(|m| costs(args, &m.name)).collect();
    let plans: Vec<f64> = methods.iter().map(|m| planned(args, &config, m)).collect();
    let model = Arc::new(T5::random(config, args.weights, 1, &device)?);
    let benches = methods
        .iter()
        .map(|method| bench(args, model.clone(), method));
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
    let rows = methods.into_iter().zip(seconds).zip(costs).zip(plans);
    let mut rows: Vec<Row> = rows
        .map(|(((method, seconds), costs), planned_mib)| Row {
            planned_mib,
            ..row(method.name, seconds, costs)
        })
        .collect();
    compare(&mut rows);
    if args.json {
        return output::json(&rows);
    }
    output::line(table(&rows).trim_end())
}

fn bench(args: &Args, model: Arc<T5>, method: &Method) -> compacter_core::Result<Bench> {
    let sizes = [args.batch, args.source, args.target];
    let bench = Bench::new(model, method, sizes, 1)?
        .with_micro_batches(args.micro_batch.unwrap_or(args.batch))
        .with_activation_checkpointing(args.activation_checkpointing);
    Ok(bench)
}

/// The named methods, or all, as published but for the dimension of intrinsic-said.
fn methods(args: &Args, config: &T5Config) -> compacter_core::Result<Vec<Method>> {
    let names: Vec<&str> = match args.methods.as_slice() {
        [all] if all == "all" => NAMES.to_vec(),
        names => names.iter().map(String::as_str).collect(),
    };
    let method = |name: &str| {
        if name == FROZEN {
            return Ok(Method {
                name: name.into(),
                adapters: None,
                ..Method::resolve("adapter", config, &Overrides::default())?
            });
        }
        let adapters = Method::preset(name, config)
            .ok()
            .and_then(|method| method.adapters);
        let layer = adapters.as_ref().map(|adapters| adapters.layer);
        let ranked = matches!(layer, Some(Layer::Lphm { .. } | Layer::LowRank { .. }));
        let hypercomplex = layer.is_some_and(|layer| layer.rule().is_some());
        let overrides = Overrides {
            dimension: args.dimension.filter(|_| name == "intrinsic-said"),
            n: args.n.filter(|_| hypercomplex),
            rank: args.rank.filter(|_| ranked),
            bottleneck: args.bottleneck.filter(|_| layer.is_some()),
            ..Overrides::default()
        };
        Method::resolve(name, config, &overrides)
    };
    names.into_iter().map(method).collect()
}

/// The median, the fastest and the slowest.
fn spread(mut seconds: Vec<f64>) -> [f64; 3] {
    seconds.sort_by(f64::total_cmp);
    let at = |index: usize| seconds.get(index).copied().unwrap_or(f64::NAN);
    let middle = seconds.len() / 2;
    let median = match seconds.len() % 2 {
        0 => (at(middle.saturating_sub(1)) + at(middle)) / 2.0,
        _ => at(middle),
    };
    [median, at(0), at(seconds.len().saturating_sub(1))]
}

fn row(method: String, seconds: Vec<f64>, costs: Costs) -> Row {
    let [median_s, min_s, max_s] = spread(seconds);
    Row {
        method,
        median_s,
        min_s,
        max_s,
        peak_mib: costs.peak_mib,
        dispatches: costs.dispatches,
        ..Row::default()
    }
}

/// Puts every method beside full fine-tuning, where that is there, and beside the paper.
fn compare(rows: &mut [Row]) {
    let full = rows.iter().find(|row| row.method == "full");
    let Some((seconds, memory)) = full.map(|full| (full.median_s, full.peak_mib)) else {
        return;
    };
    for row in rows {
        let paper = Cost::ratios(&row.method);
        row.time_ratio = Some(row.median_s / seconds);
        row.memory_ratio = row.peak_mib.zip(memory).map(|(own, full)| own / full);
        row.paper_time_ratio = paper.map(|[time, _]| time);
        row.paper_memory_ratio = paper.map(|[_, memory]| memory);
    }
}

fn table(rows: &[Row]) -> String {
    let mut head = vec![
        "method", "median s", "min s", "max s", "peak MiB", "planned", "kernels",
    ];
    let compared = rows.iter().any(|row| row.time_ratio.is_some());
    if compared {
        head.extend(["time ÷ full", "paper", "memory ÷ full", "paper"]);
    }
    let mut table = vec![head.into_iter().map(String::from).collect()];
    for row in rows {
        let mut line = vec![row.method.clone()];
        line.extend([row.median_s, row.min_s, row.max_s].map(|value| format!("{value:.4}")));
        line.push(row.peak_mib.map_or("?".into(), |peak| format!("{peak:.0}")));
        line.push(format!("{:.0}", row.planned_mib));
        line.push(row.dispatches.map_or("-".into(), |count| count.to_string()));
        if compared {
            let ratios = [
                row.time_ratio,
                row.paper_time_ratio,
                row.memory_ratio,
                row.paper_memory_ratio,
            ];
            line.extend(
                ratios.map(|ratio| ratio.map_or("-".into(), |ratio| format!("{ratio:.2}"))),
            );
        }
        table.push(line);
    }
    output::columns(&table)
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

    #[test]
    fn ratios_stand_beside_the_papers() {
        let costs = |peak_mib| Costs {
            peak_mib: Some(peak_mib),
            dispatches: None,
        };
        let mut rows = vec![
            row("compacter".into(), vec![1.0], costs(150.0)),
            row("full".into(), vec![2.0], costs(600.0)),
        ];
        let alone = table(&rows[..1]);
        assert!(!alone.contains("paper"), "{alone}");
        compare(&mut rows);
        assert_eq!(
            (rows[0].time_ratio, rows[0].memory_ratio),
            (Some(0.5), Some(0.25))
        );
        let table = table(&rows);
        let line = table.lines().nth(1).unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words[7..], ["0.50", "0.87", "0.25", "0.74"], "{table}");
    }
}
