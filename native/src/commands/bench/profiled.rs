//! `bench --profile`: a table of where the time of each method's steps goes.

use super::{Args, bench};
use crate::failure::usage;
use crate::{output, profile};
use anyhow::Result;
use compacter_core::Device;
use compacter_core::method::Method;
use compacter_core::t5::{T5, T5Config};
use serde::Serialize;
use std::sync::Arc;

#[derive(Serialize)]
struct Profiled<'a> {
    method: &'a str,
    /// Kind of operation → percent of the processor's time.
    shares: profile::Shares,
}

/// Samples the steps of one method after the other, and prints a column for each.
pub(super) fn profile(
    args: &Args,
    config: &T5Config,
    methods: &[Method],
    device: &Device,
) -> Result<()> {
    if *device != compacter_core::cpu_device() {
        return Err(usage(
            "--profile sees the processor's work alone: give --device cpu",
        ));
    }
    let model = Arc::new(T5::random(config.clone(), args.weights, 1, device)?);
    let mut profiled = Vec::with_capacity(methods.len());
    for method in methods {
        let mut bench = bench(args, model.clone(), method)?;
        bench.step()?; // warms up
        let steps = || (0..args.rounds).try_for_each(|_| Ok(bench.step().map(drop)?));
        let shares = profile::shares(steps)?;
        let method = &method.name;
        output::say(format!("{method}: {} steps", args.rounds));
        profiled.push(Profiled { method, shares });
    }
    if args.json {
        return output::json(&profiled);
    }
    let names = profiled.iter().map(|one| one.method.to_string());
    let mut table = vec![
        std::iter::once("% of the time".into())
            .chain(names)
            .collect(),
    ];
    for kind in profile::kinds() {
        let share = |one: &Profiled<'_>| one.shares.0.get(kind).copied().unwrap_or(0.0);
        if profiled.iter().any(|one| share(one) > 0.0) {
            let shares = profiled.iter().map(|one| format!("{:.1}", share(one)));
            table.push(std::iter::once(kind.into()).chain(shares).collect());
        }
    }
    output::line(output::columns(&table).trim_end())
}
