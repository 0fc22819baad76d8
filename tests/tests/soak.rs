//! A long run holds as much memory at its end as soon after its start. Started by hand, as
//! docs/robustness.md has it.
#![forbid(unsafe_code)]
#![cfg(target_os = "linux")]

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What a process holds: MiB in memory, and files and devices open.
#[derive(Debug, Clone, Copy)]
struct Held {
    mib: f64,
    files: usize,
}

fn held(child: &Child) -> Option<Held> {
    let process = PathBuf::from(format!("/proc/{}", child.id()));
    let status = std::fs::read_to_string(process.join("status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(Held {
        mib: kib / 1024.0,
        files: std::fs::read_dir(process.join("fd")).ok()?.count(),
    })
}

/// Looks at a run ten times a second. Its first fifth is the warm-up; of the rest, what the first and
/// the last quarter held in the median must be the same to 2 %.
#[test]
#[ignore = "takes minutes: see docs/robustness.md"]
fn a_long_run_stays_as_it_is() {
    let value = |name: &str, default: &str| std::env::var(name).unwrap_or(default.into());
    let (steps, device) = (
        value("COMPACTER_STEPS", "10000"),
        value("COMPACTER_DEVICE", "cpu"),
    );
    let folder = tempfile::tempdir().unwrap();
    let sizes = "--batch 2 --eval-every 500 --train-samples 100 --eval-samples 8 --out run";
    let mut child = Command::new(env!("CARGO_BIN_EXE_compacter-tests"))
        .args(["train", "--device", &device, "--steps", &steps])
        .args(sizes.split(' '))
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut seen = Vec::new();
    while child.try_wait().unwrap().is_none() {
        seen.extend(held(&child));
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(child.wait().unwrap().success());
    let rest = &seen[seen.len() / 5..];
    let quarter = rest.len() / 4;
    assert!(quarter >= 10, "over too soon to tell: {} looks", seen.len());
    let median = |looks: &[Held]| {
        let mut mib: Vec<f64> = looks.iter().map(|held| held.mib).collect();
        mib.sort_by(f64::total_cmp);
        mib[mib.len() / 2]
    };
    let (early, late) = (&rest[..quarter], &rest[rest.len() - quarter..]);
    let files = |looks: &[Held]| looks.iter().map(|held| held.files).max();
    let (before, after) = (median(early), median(late));
    println!("{steps} steps on {device}: {before:.1} MiB early, {after:.1} MiB late");
    println!(
        "files open: {:?} early, {:?} late",
        files(early),
        files(late)
    );
    assert!((after / before - 1.0).abs() <= 0.02);
    assert!(files(late) <= files(early));
}
