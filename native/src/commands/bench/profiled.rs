//! `bench --profile`: a table of where the time of each method's steps goes.

use super::{Args, bench};
use crate::{output, profile};
use anyhow::Result;
use compacter_core::Device;
use compacter_core::method::Method;
use compacter_core::t5::{T5, T5Config};
use compacter_core::train::kernel_times;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

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
    let model = Arc::new(T5::random(config.clone(), args.weights, 1, device)?);
    if *device != compacter_core::cpu_device() {
        return kernels(args, methods, &model);
    }
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

#[derive(Serialize)]
struct Kernel {
    kernel: String,
    launches: f64,
    seconds: f64,
}

#[derive(Serialize)]
struct OnGpu<'a> {
    method: &'a str,
    /// Of a step that is left alone.
    step_s: f64,
    /// Of a step, those that take longest first; each is waited for, so that nothing overlaps.
    kernels: Vec<Kernel>,
}

/// Times every kernel of the steps of one method after the other, and prints a table for each.
fn kernels(args: &Args, methods: &[Method], model: &Arc<T5>) -> Result<()> {
    let steps = args.rounds as f64;
    let mut all = Vec::with_capacity(methods.len());
    for method in methods {
        let mut bench = bench(args, model.clone(), method)?;
        bench.step()?; // warms up
        let mut take = || (0..args.rounds).try_for_each(|_| bench.step().map(drop));
        let start = Instant::now();
        take()?;
        let step_s = start.elapsed().as_secs_f64() / steps;
        let (done, times) = kernel_times(take);
        done?;
        let mut named = BTreeMap::<String, [f64; 2]>::new();
        for (kernel, time) in times {
            let [launches, seconds] = named.entry(short(kernel).into()).or_default();
            *launches += time.launches as f64 / steps;
            *seconds += time.seconds / steps;
        }
        let kernels = named.into_iter();
        let kernels = kernels.map(|(kernel, [launches, seconds])| Kernel {
            kernel,
            launches,
            seconds,
        });
        let mut kernels: Vec<Kernel> = kernels.collect();
        kernels.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
        let method = &method.name;
        output::say(format!("{method}: {} steps", args.rounds));
        all.push(OnGpu {
            method,
            step_s,
            kernels,
        });
    }
    if args.json {
        return output::json(&all);
    }
    all.iter()
        .try_for_each(|one| output::line(one.table().trim_end()))
}

/// A kernel's own name, without modules and types.
fn short(name: &str) -> &str {
    let own = name.split('<').next().unwrap_or(name);
    own.rsplit("::").next().unwrap_or(own)
}

impl OnGpu<'_> {
    fn table(&self) -> String {
        let head = [self.method, "launches", "ms", "%"];
        let mut table = vec![head.map(String::from).to_vec()];
        let all: f64 = self.kernels.iter().map(|kernel| kernel.seconds).sum();
        let launches: f64 = self.kernels.iter().map(|kernel| kernel.launches).sum();
        let line = |name: &str, launches: f64, seconds: f64| {
            let share = 100.0 * seconds / all;
            vec![
                name.to_string(),
                format!("{launches:.0}"),
                format!("{:.3}", 1e3 * seconds),
                format!("{share:.1}"),
            ]
        };
        let kernels = self.kernels.iter();
        table.extend(kernels.map(|one| line(&one.kernel, one.launches, one.seconds)));
        table.push(line("all kernels, one by one", launches, all));
        table.push(line("a step left alone", launches, self.step_s));
        output::columns(&table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_called_by_their_own_names() {
        assert_eq!(short("adapter_forward"), "adapter_forward");
        assert_eq!(short("a::b::Copy<c::D, e::F<g>>"), "Copy");
    }
}
