//! What a step takes beside time: measured in a process of its own, and planned.

use super::{Args, bench};
use crate::memory::high_water_mark;
use crate::{device, output};
use anyhow::{Context, Result};
use compacter_core::method::Method;
use compacter_core::t5::{Pass, Plan, T5, T5Config};
use serde::{Deserialize, Serialize};
use std::process::{Command, Stdio};
use std::sync::Arc;

/// Peak memory of a step (of the process, or of a GPU's pool) and kernels launched (GPU only).
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Costs {
    pub(super) peak_mib: Option<f64>,
    pub(super) dispatches: Option<u64>,
}

/// What goes through together.
pub(super) fn pass(args: &Args) -> Pass {
    Pass {
        rows: args.micro_batch.unwrap_or(args.batch).min(args.batch),
        source: args.source,
        target: args.target,
        dropout: false,
        activation_checkpointing: args.activation_checkpointing,
    }
}

/// What steps of this method take on the CPU, in MiB, by [`Plan`].
pub(super) fn planned(args: &Args, config: &T5Config, method: &Method) -> f64 {
    let plan = Plan::new(config, method, args.weights, pass(args));
    plan.steps() as f64 / f64::from(1 << 20)
}

/// What a step of one method takes, measured in a process of its own: a process's high-water mark
/// and a GPU's memory pool know no methods. Unknown where that process cannot tell.
pub(super) fn costs(args: &Args, method: &str) -> Costs {
    let run = || {
        let sizes = [args.batch, args.source, args.target].map(|size| size.to_string());
        let [batch, source, target] = &sizes;
        let output = Command::new(std::env::current_exe().ok()?)
            .args(["bench", "--measure-costs", "--methods", method])
            .args(["--device", &args.device, "--size", &args.size])
            .args(["--weights", args.weights.name()])
            .args(args.micro_batch.map(|rows| format!("--micro-batch={rows}")))
            .args(
                args.activation_checkpointing
                    .then_some("--activation-checkpointing"),
            )
            .args(args.dimension.map(|number| format!("--dimension={number}")))
            .args(args.n.map(|number| format!("--n={number}")))
            .args(args.rank.map(|number| format!("--rank={number}")))
            .args(args.bottleneck.map(|width| format!("--bottleneck={width}")))
            .args(["--batch", batch, "--source", source, "--target", target])
            .stderr(Stdio::null())
            .output()
            .ok()?;
        serde_json::from_slice(&output.stdout).ok()
    };
    run().unwrap_or_default()
}

pub(super) fn measure_costs(args: &Args, config: T5Config, methods: &[Method]) -> Result<()> {
    let method = methods.first().context("no method")?;
    let (device, _) = device::open(&args.device)?;
    let model = Arc::new(T5::random(config, args.weights, 1, &device)?);
    let mut bench = bench(args, model, method)?;
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
