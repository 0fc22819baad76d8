//! `bench --vary`: how the time and the memory of a step grow with one size after the other.

use super::costs::{costs, pass, planned};
use super::{Args, bench, methods, spread};
use crate::base::sizes;
use crate::failure::usage;
use crate::{device, output};
use anyhow::{Context, Result};
use compacter_core::figure::{Chart, Cost, Grown, Growth};
use compacter_core::method::Method;
use compacter_core::nearest::suggestion;
use compacter_core::t5::{T5, T5Config, products};
use serde::Serialize;
use std::sync::Arc;
use std::time::Instant;

/// What can be varied.
const NAMES: [&str; 7] = [
    "batch",
    "source",
    "target",
    "size",
    "n",
    "rank",
    "bottleneck",
];

/// One size of one method.
#[derive(Debug, Serialize)]
struct Point {
    varied: String,
    value: String,
    method: String,
    median_s: f64,
    /// Multiply-adds of the step's matrix products, in the unit in which they take the seconds of
    /// this method's points on average.
    counted_s: f64,
    peak_mib: Option<f64>,
    planned_mib: f64,
    /// Multiply-adds of the step's matrix products.
    products: u64,
    /// The value as a number; a size is its parameters.
    at: f64,
}

/// Measures every value of every axis, prints a table, and draws it.
pub(super) fn grow(args: &Args) -> Result<()> {
    let (device, name) = device::open(&args.device)?;
    output::say(format!("device: {name}"));
    let cases = args.vary.iter().map(|vary| cases(args, vary));
    let mut points = Vec::new();
    for (varied, values) in cases.collect::<Result<Vec<_>>>()? {
        let first = points.len();
        for (value, case) in values {
            output::say(format!("{varied} {value}"));
            let config = sizes(&case.size)?;
            let model = Arc::new(T5::random(config.clone(), case.weights, 1, &device)?);
            for method in methods(&case, &config)? {
                let mut point = measure(&case, &config, &model, &method)?;
                (point.varied, point.value) = (varied.clone(), value.clone());
                point.at = value.parse().unwrap_or(config.parameters() as f64);
                points.push(point);
            }
        }
        count(&mut points[first..]);
    }
    if let Some(path) = &args.figure {
        let name = || path.display().to_string();
        std::fs::write(path, figure(&points).svg(false)).with_context(name)?;
        output::say(format!("drawn: {}", path.display()));
    }
    match args.json {
        true => output::json(&points),
        false => output::line(table(&points).trim_end()),
    }
}

/// An axis and the options of each of its values.
fn cases(args: &Args, vary: &str) -> Result<(String, Vec<(String, Args)>)> {
    let Some((name, values)) = vary.split_once('=') else {
        return Err(usage(format!(
            "--vary {vary}: expected NAME=VALUES, as in batch=2,4,8"
        )));
    };
    let case = |value: &str| {
        let wrong = || usage(format!("--vary {vary}: `{value}` is no number above 0"));
        let number = || {
            value
                .parse()
                .ok()
                .filter(|value| *value > 0)
                .ok_or_else(wrong)
        };
        let mut case = args.clone();
        match name {
            "batch" => case.batch = number()?,
            "source" => case.source = number()?,
            "target" => case.target = number()?,
            "size" => case.size = value.into(),
            "n" => case.n = Some(number()?),
            "rank" => case.rank = Some(number()?),
            "bottleneck" => case.bottleneck = Some(number()?),
            _ => {
                let known = suggestion(name, NAMES);
                return Err(usage(format!("--vary {name}: unknown size: {known}")));
            }
        }
        // What cannot be is said before anything is measured.
        methods(&case, &sizes(&case.size)?)?;
        Ok((value.to_string(), case))
    };
    let cases = values.split(',').map(case).collect::<Result<_>>()?;
    Ok((name.into(), cases))
}

fn measure(args: &Args, config: &T5Config, model: &Arc<T5>, method: &Method) -> Result<Point> {
    let taken = costs(args, &method.name);
    let mut bench = bench(args, model.clone(), method)?;
    bench.step()?; // warms up
    let mut seconds = Vec::with_capacity(args.rounds);
    for _ in 0..args.rounds {
        let start = Instant::now();
        bench.step()?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    let [median_s, ..] = spread(seconds);
    Ok(Point {
        varied: String::new(),
        value: String::new(),
        method: method.name.clone(),
        median_s,
        counted_s: f64::NAN,
        peak_mib: taken.peak_mib,
        planned_mib: planned(args, config, method),
        products: products(config, method, pass(args)),
        at: f64::NAN,
    })
}

/// Puts the products of each method's points on the scale of its seconds.
fn count(points: &mut [Point]) {
    let names: Vec<String> = points.iter().map(|point| point.method.clone()).collect();
    for name in names {
        let own = || points.iter().filter(|point| point.method == name);
        let ratios = own().map(|point| (point.median_s / point.products as f64).ln());
        let scale = (ratios.sum::<f64>() / own().count() as f64).exp();
        for point in points.iter_mut().filter(|point| point.method == name) {
            point.counted_s = scale * point.products as f64;
        }
    }
}

fn table(points: &[Point]) -> String {
    let head = [
        "varied",
        "value",
        "method",
        "median s",
        "counted s",
        "peak MiB",
        "planned MiB",
    ];
    let mut table = vec![head.map(String::from).to_vec()];
    for point in points {
        table.push(vec![
            point.varied.clone(),
            point.value.clone(),
            point.method.clone(),
            format!("{:.4}", point.median_s),
            format!("{:.4}", point.counted_s),
            point
                .peak_mib
                .map_or("?".into(), |peak| format!("{peak:.0}")),
            format!("{:.0}", point.planned_mib),
        ]);
    }
    output::columns(&table)
}

/// Time above, memory below, a column for each axis.
fn figure(points: &[Point]) -> Growth {
    let mut axes: Vec<&str> = points.iter().map(|point| point.varied.as_str()).collect();
    axes.dedup();
    let chart = |title: &str, axis: &str, cost: &dyn Fn(&Point) -> [f64; 2]| {
        let own = || points.iter().filter(|point| point.varied == axis);
        let mut lines: Vec<Grown> = Vec::new();
        for point in own() {
            let [measured, theory] = cost(point);
            let cost = Cost {
                at: point.at,
                measured,
                theory,
            };
            match lines.iter_mut().find(|line| line.method == point.method) {
                Some(line) => line.costs.push(cost),
                None => lines.push(Grown {
                    method: point.method.clone(),
                    costs: vec![cost],
                }),
            }
        }
        let across = match axis {
            "size" => "parameters of the base",
            "batch" => "rows",
            "source" | "target" => "tokens",
            _ => "",
        };
        Chart {
            title: format!("{title}, by {axis}"),
            across: across.into(),
            lines,
        }
    };
    let time = |point: &Point| [point.median_s, point.counted_s];
    let memory = |point: &Point| [point.peak_mib.unwrap_or(f64::NAN), point.planned_mib];
    let times = axes.iter().map(|axis| chart("seconds", axis, &time));
    let memories = axes.iter().map(|axis| chart("MiB", axis, &memory));
    Growth {
        charts: times.chain(memories).collect(),
        columns: axes.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_meets_the_seconds_on_average() {
        let point = |median_s, products| Point {
            varied: "batch".into(),
            value: String::new(),
            method: "full".into(),
            median_s,
            counted_s: f64::NAN,
            peak_mib: Some(1.0),
            planned_mib: 1.0,
            products,
            at: median_s,
        };
        let mut points = [point(1.0, 10), point(4.0, 10)];
        count(&mut points);
        assert_eq!(points.each_ref().map(|point| point.counted_s), [2.0, 2.0]);
        let figure = figure(&points);
        assert_eq!((figure.charts.len(), figure.columns), (2, 1));
        assert!(table(&points).contains("2.0000"));
    }
}
