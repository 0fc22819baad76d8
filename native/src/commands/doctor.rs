//! `compacter doctor`: what a device is, whether it computes what the CPU computes, and how fast.

use crate::device::{self, Adapter, adapters};
use crate::{memory, output};
use anyhow::{Result, bail};
use compacter_core::block_on;
use compacter_core::check::{Advice, Health, examine};
use serde::Serialize;

const EXAMPLES: &str = "\
Examples:
  compacter doctor
  compacter doctor --device gpu:0
  compacter doctor --json > report.json      for a bug report

Runs every kernel, products of 1,024 rows and three training steps on the device and on the CPU,
compares them, and measures copies, products and the start of a kernel on both. Exit code 1 if any
result differs by more than rounding.";

/// Hold a device to the CPU and measure it
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// auto, cpu, gpu or gpu:N
    #[arg(long, default_value = "auto")]
    device: String,
    /// One JSON object with all of it
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    version: &'static str,
    build: String,
    /// Bytes of the machine's memory, all and free; a GPU's own is not told by its driver.
    memory: Option<[u64; 2]>,
    adapters: Vec<Adapter>,
    device: String,
    health: Health,
    advice: Vec<Advice>,
}

/// Examines and says.
pub(crate) fn run(args: &Args) -> Result<()> {
    let (device, name) = device::open(&args.device)?;
    output::say(format!("examining {name}"));
    device::say_if_tuned(&device);
    let health = block_on(examine(&device))?;
    let report = Report {
        version: env!("CARGO_PKG_VERSION"),
        build: build(),
        memory: memory::of_the_machine(),
        adapters: adapters(),
        device: name,
        advice: health.advice(),
        health,
    };
    if args.json {
        output::json(&report)?;
    } else {
        output::line(words(&report).trim_end())?;
    }
    match report.health.wrong().count() {
        0 => Ok(()),
        count => bail!("{count} results of this device are wrong"),
    }
}

/// What was decided when this program was compiled: mixes of these two have given wrong numbers on
/// some drivers.
fn build() -> String {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let how = match (cfg!(feature = "native"), cfg!(feature = "autotune")) {
        (true, true) => "with fusion and autotune",
        (true, false) => "with fusion, without autotune",
        (false, _) => "without fusion and autotune, as in a browser",
    };
    format!("{arch}, {os}, {how}")
}

fn words(report: &Report) -> String {
    let mut lines = vec![
        format!("compacter {}", report.version),
        format!("build  {}", report.build),
    ];
    if let Some(memory) = report.memory {
        let [all, free] = memory.map(giga);
        lines.push(format!("memory  {all}, {free} free"));
    }
    lines.extend(report.adapters.iter().flat_map(adapter));
    lines.push(format!("device  {}", report.device));
    for Advice { verdict, words } in &report.advice {
        lines.push(format!("{:<6} {words}", verdict.name()));
    }
    for one in report.health.wrong() {
        lines.push(format!(
            "       {}: off by {:.1e}, expected at most {:.0e}",
            one.kernel, one.worst, one.limit
        ));
    }
    lines.join("\n")
}

fn adapter(adapter: &Adapter) -> [String; 2] {
    let subgroups = match adapter.subgroups {
        Some([least, most]) if least == most => format!("subgroups of {least}"),
        Some([least, most]) => format!("subgroups of {least} to {most}"),
        None => "no subgroups".into(),
    };
    [
        adapter.line(),
        format!(
            "       buffers up to {}, {} for a kernel, {}f16, {subgroups}",
            giga(adapter.largest_buffer),
            giga(adapter.largest_binding),
            if adapter.f16 { "" } else { "no " },
        ),
    ]
}

fn giga(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;
    use compacter_core::check::{Checked, Speed};

    #[test]
    fn what_is_wrong_is_shown_with_its_size() {
        let speed = Speed {
            copy: 10.0,
            product: 100.0,
            launch: None,
        };
        let health = Health {
            results: vec![Checked {
                kernel: "gelu: output".into(),
                worst: 0.25,
                limit: 2e-5,
            }],
            speed,
            cpu: speed,
        };
        let report = Report {
            version: "0.0.0",
            build: build(),
            memory: Some([24_000_000_000, 9_000_000_000]),
            adapters: Vec::new(),
            device: "a test".into(),
            advice: health.advice(),
            health,
        };
        let words = words(&report);
        assert!(words.contains("memory  24.0 GB, 9.0 GB free"), "{words}");
        assert!(words.contains("\nwrong  1 of 1 results"), "{words}");
        assert!(
            words.contains("gelu: output: off by 2.5e-1, expected at most 2e-5"),
            "{words}"
        );
    }
}
