//! `bench --adapter`: the fused adapter alone, beside a copy.

use super::Args;
use crate::failure::usage;
use crate::output;
use anyhow::Result;
use compacter_core::check::{AdapterSpeed, adapter_speed};
use compacter_core::kernels::AdapterShape;
use compacter_core::method::{Layer, Method};
use compacter_core::t5::T5Config;
use compacter_core::{Device, block_on};
use serde::Serialize;

#[derive(Serialize)]
struct Row<'a> {
    method: &'a str,
    rows: usize,
    width: usize,
    #[serde(flatten)]
    speed: AdapterSpeed,
}

/// Measures the layer of each method on the rows of a batch's sources, and prints a line for each.
pub(super) fn speeds(
    args: &Args,
    config: &T5Config,
    methods: &[Method],
    device: &Device,
) -> Result<()> {
    let rows = args.batch * args.source;
    let measure = |method| {
        let shape = shape(method, config)?;
        let speed = block_on(adapter_speed(device, rows, &shape))?;
        Ok(Row {
            method: &method.name,
            rows,
            width: shape.model,
            speed,
        })
    };
    let all = methods.iter().map(measure).collect::<Result<Vec<_>>>()?;
    if args.json {
        return output::json(&all);
    }
    let head = [
        "method",
        "rows",
        "width",
        "copy GB/s",
        "forward",
        "÷ copy",
        "backward",
        "÷ copy",
    ];
    let mut table = vec![head.map(String::from).to_vec()];
    for row in &all {
        let AdapterSpeed {
            copy,
            forward,
            backward,
        } = row.speed;
        let share = |speed: f64| format!("{:.2}", speed / copy);
        table.push(vec![
            row.method.into(),
            row.rows.to_string(),
            row.width.to_string(),
            format!("{copy:.0}"),
            format!("{forward:.0}"),
            share(forward),
            format!("{backward:.0}"),
            share(backward),
        ]);
    }
    output::line(output::columns(&table).trim_end())
}

/// Sizes of the layer, which only LPHM layers have in one kernel.
fn shape(method: &Method, config: &T5Config) -> Result<AdapterShape> {
    let layer = method
        .adapters
        .as_ref()
        .map(|all| (all.layer, all.bottleneck));
    match layer {
        Some((Layer::Lphm { n, rank, .. }, bottleneck)) => {
            Ok(AdapterShape::new(n, rank, config.d_model, bottleneck)?)
        }
        _ => Err(usage(format!(
            "--adapter: {} has no fused adapter: give --methods compacter",
            method.name
        ))),
    }
}
