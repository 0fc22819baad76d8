//! A run that is killed and goes on ends with the same weights as one that is left alone.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_compacter-tests"));
    command
        .args(arguments)
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn steps_logged(run: &Path) -> usize {
    let metrics = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap_or_default();
    metrics
        .lines()
        .filter(|line| line.contains("\"event\":\"step\""))
        .count()
}

/// Starts a run and kills it (no signal that it could handle) once it has logged `steps` steps.
fn kill_after(folder: &Path, arguments: &[&str], run: &Path, steps: usize) {
    let mut child = command(folder, arguments).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(300);
    while steps_logged(run) < steps {
        assert!(
            child.try_wait().unwrap().is_none(),
            "the run ended before it was killed"
        );
        assert!(
            Instant::now() < deadline,
            "the run logged no {steps} steps in five minutes"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        !run.join("summary.json").exists(),
        "the run was over before it was killed"
    );
}

#[test]
fn killed_and_resumed_equals_undisturbed() {
    let folder = tempfile::tempdir().unwrap();
    let settings = |out: &'static str| {
        [
            "train",
            "--device",
            "cpu",
            "--steps",
            "24",
            "--batch",
            "8",
            "--eval-every",
            "4",
            "--train-samples",
            "100",
            "--out",
            out,
        ]
    };
    let alone = command(folder.path(), &settings("alone")).status().unwrap();
    assert!(alone.success());
    let killed = folder.path().join("killed");
    // Once before the first checkpoint, once between two.
    kill_after(folder.path(), &settings("killed"), &killed, 2);
    assert!(!killed.join("adapter.safetensors").exists());
    let resume = ["train", "--resume", "--out", "killed"];
    kill_after(folder.path(), &resume, &killed, 2 + 11);
    let resumed = command(folder.path(), &resume).status().unwrap();
    assert!(resumed.success());
    let adapter = |run: &str| std::fs::read(folder.path().join(run).join("adapter.safetensors"));
    assert!(
        adapter("alone").unwrap() == adapter("killed").unwrap(),
        "the adapters differ"
    );
}

#[test]
fn a_damaged_checkpoint_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let train = [
        "train",
        "--device",
        "cpu",
        "--steps",
        "400",
        "--batch",
        "4",
        "--eval-every",
        "1",
        "--train-samples",
        "40",
        "--out",
        "run",
    ];
    kill_after(folder.path(), &train, &run, 3);
    let path = run.join("checkpoint.safetensors");
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let output = command(folder.path(), &["train", "--resume", "--out", "run"])
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("checkpoint.safetensors: is damaged"),
        "{stderr}"
    );
    assert_eq!(
        std::fs::read(&path).unwrap(),
        bytes,
        "what was there is left as it was"
    );
}
