//! A run that is killed and goes on ends with the same weights as one that is left alone.
#![forbid(unsafe_code)]

use compacter_core::random::Stream;
use compacter_core::t5::T5Config;
use safetensors::tensor::{Dtype, TensorView};
use std::path::Path;
use std::process::{Child, Command, Stdio};
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

/// Starts a run and waits until it has logged `steps` steps.
fn start(mut command: Command, run: &Path, steps: usize) -> Child {
    let mut child = command.spawn().unwrap();
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
    child
}

/// Starts a run and kills it (no signal that it could handle) once it has logged `steps` steps.
fn kill_after(folder: &Path, arguments: &[&str], run: &Path, steps: usize) {
    let mut child = start(command(folder, arguments), run, steps);
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
    kill_after(folder.path(), &resume, &killed, 11);
    let resumed = command(folder.path(), &resume).status().unwrap();
    assert!(resumed.success());
    let adapter = |run: &str| std::fs::read(folder.path().join(run).join("adapter.safetensors"));
    assert!(
        adapter("alone").unwrap() == adapter("killed").unwrap(),
        "the adapters differ"
    );
    assert_eq!(
        steps_logged(&killed),
        24,
        "steps done twice are logged once"
    );
}

/// Ctrl-C, a scheduler's end of time, a closed terminal: a checkpoint at the next step.
#[cfg(unix)]
#[test]
fn a_signal_ends_a_run_that_goes_on_as_if_there_had_been_none() {
    let folder = tempfile::tempdir().unwrap();
    let settings = |out| {
        let sizes = "train --device cpu --steps 40 --batch 8 --eval-every 20 --train-samples 100";
        let mut all: Vec<&str> = sizes.split(' ').collect();
        all.extend(["--eval-samples", "8", "--out", out]);
        all
    };
    let alone = command(folder.path(), &settings("alone")).status().unwrap();
    assert!(alone.success());
    let run = folder.path().join("run");
    let resume = vec!["train", "--resume", "--out", "run"];
    for (signal, steps) in [("INT", 3), ("TERM", 9), ("HUP", 15)] {
        let arguments = if steps == 3 {
            settings("run")
        } else {
            resume.clone()
        };
        let mut command = command(folder.path(), &arguments);
        command.stderr(Stdio::piped());
        let child = start(command, &run, steps);
        let (kill, id) = (format!("-{signal}"), child.id().to_string());
        assert!(
            Command::new("kill")
                .args([&kill, &id])
                .status()
                .unwrap()
                .success()
        );
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{signal}: {stderr}");
        assert!(stderr.contains("go on by `"), "{signal}: {stderr}");
        assert!(run.join("checkpoint.safetensors").is_file(), "{signal}");
    }
    let (code, stderr) = go_on(folder.path());
    assert_eq!(code, Some(0), "{stderr}");
    let adapter = |run: &str| std::fs::read(folder.path().join(run).join("adapter.safetensors"));
    assert!(adapter("alone").unwrap() == adapter("run").unwrap());
    assert_eq!(steps_logged(&run), 40);
}

/// A folder with random weights of T5-small's shape, in bf16 to be half as large.
fn t5_small(folder: &Path) {
    let config = T5Config::preset("t5-small").unwrap();
    let mut stream = Stream::new(1, "t5-small");
    let mut random = |shape: &[usize]| -> Vec<u8> {
        let scale = (shape[shape.len() - 1] as f64).powf(-0.5);
        let values = (0..shape.iter().product()).map(|_| (stream.normal() * scale) as f32);
        // The upper half of an f32 is a bf16.
        values
            .flat_map(|value| ((value.to_bits() >> 16) as u16).to_le_bytes())
            .collect()
    };
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = config
        .tensors()
        .into_iter()
        .map(|(name, shape)| {
            let values = random(&shape);
            (name, shape, values)
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, values)| {
        (
            name,
            TensorView::new(Dtype::BF16, shape.clone(), values).unwrap(),
        )
    });
    safetensors::serialize_to_file(views, None, &folder.join("model.safetensors")).unwrap();
    // Absent keys take Hugging Face's defaults, which are T5-small's sizes.
    std::fs::write(folder.join("config.json"), r#"{"model_type": "t5"}"#).unwrap();
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/t5-nano");
    std::fs::copy(assets.join("tokenizer.json"), folder.join("tokenizer.json")).unwrap();
}

#[test]
fn killed_and_resumed_equals_undisturbed_at_the_size_of_t5_small() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("t5-small");
    std::fs::create_dir(&model).unwrap();
    t5_small(&model);
    let settings = |out| {
        let sizes = "--steps 6 --batch 4 --eval-every 2 --train-samples 40 --eval-samples 4";
        let mut all = vec![
            "train", "--device", "cpu", "--model", "t5-small", "--out", out,
        ];
        all.extend(sizes.split(' '));
        all
    };
    let alone = command(folder.path(), &settings("alone")).status().unwrap();
    assert!(alone.success());
    let killed = folder.path().join("killed");
    kill_after(folder.path(), &settings("killed"), &killed, 3);
    let resumed = command(folder.path(), &["train", "--resume", "--out", "killed"]).status();
    assert!(resumed.unwrap().success());
    let adapter = |run: &str| std::fs::read(folder.path().join(run).join("adapter.safetensors"));
    assert!(
        adapter("alone").unwrap() == adapter("killed").unwrap(),
        "the adapters differ"
    );
}

/// A campaign, started by hand as docs/robustness.md has it. Every run is killed again and again, at any moment from its
/// start on, a checkpoint after every step, and must end as one that was left alone.
#[test]
#[ignore = "takes minutes: see its comment"]
fn killed_at_any_moment() {
    let wished: usize = std::env::var("COMPACTER_KILLS").map_or(200, |n| n.parse().unwrap());
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let seed = std::env::var("COMPACTER_SEED").map_or(now.as_secs(), |n| n.parse().unwrap());
    let mut stream = Stream::new(seed, "kills");
    let folder = tempfile::tempdir().unwrap();
    let adapter = |run: &str| std::fs::read(folder.path().join(run).join("adapter.safetensors"));
    let train = |out: &str| {
        let sizes = "--steps 30 --batch 8 --eval-every 1 --train-samples 100 --eval-samples 8";
        let mut all = vec!["train", "--device", "cpu", "--out", out];
        all.extend(sizes.split(' '));
        command(folder.path(), &all)
    };
    let begun = Instant::now();
    assert!(train("alone").status().unwrap().success());
    let whole = begun.elapsed().as_secs_f64();
    let (mut kills, mut in_writing, mut runs) = (0, 0, 0);
    while kills < wished {
        runs += 1;
        let run = format!("killed-{runs}");
        loop {
            let config = folder.path().join(&run).join("config.json");
            let mut child = match config.is_file() {
                true => command(folder.path(), &["train", "--resume", "--out", &run]),
                false => train(&run),
            }
            .spawn()
            .unwrap();
            let moment = Duration::from_secs_f64(stream.uniform() * whole / 3.0);
            std::thread::sleep(moment);
            if let Some(status) = child.try_wait().unwrap() {
                assert!(status.success(), "seed {seed}, {run}: {status}");
                break;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
            let files = std::fs::read_dir(folder.path().join(&run))
                .into_iter()
                .flatten();
            let half = |name: &str| name.ends_with(".tmp");
            in_writing += usize::from(
                files
                    .flatten()
                    .any(|f| half(&f.file_name().to_string_lossy())),
            );
        }
        assert!(
            adapter(&run).unwrap() == adapter("alone").unwrap(),
            "seed {seed}: {run} differs"
        );
    }
    println!("seed {seed}: {kills} kills of {runs} runs, {in_writing} left a file half written");
}

/// Goes on with the run in `run`: its exit status and what it said.
fn go_on(folder: &Path) -> (Option<i32>, String) {
    let mut command = command(folder, &["train", "--resume", "--out", "run"]);
    let output = command.stderr(Stdio::piped()).output().unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn what_cannot_be_written_ends_a_run_and_takes_nothing_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let sizes =
        "train --device cpu --steps 12 --batch 4 --eval-every 2 --train-samples 40 --out run";
    let train: Vec<&str> = sizes.split(' ').collect();
    kill_after(folder.path(), &train, &run, 3);
    // A folder where a file is to be made stands for a full disk: neither can be written to.
    let obstacle = run.join("checkpoint.safetensors.tmp");
    let _ = std::fs::remove_file(&obstacle);
    std::fs::create_dir(&obstacle).unwrap();
    let (code, stderr) = go_on(folder.path());
    assert_eq!(code, Some(1), "{stderr}");
    let words = "checkpoint.safetensors cannot be written";
    assert!(
        stderr.contains(words) && stderr.contains("mend that, then `"),
        "{stderr}"
    );
    std::fs::remove_dir(&obstacle).unwrap();
    let (code, stderr) = go_on(folder.path());
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("going on after step 2"), "{stderr}");
}

#[test]
fn where_a_checkpoint_is_damaged_the_one_before_is_taken_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let train = [
        "train",
        "--device",
        "cpu",
        "--steps",
        "40",
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
    let flip = |name: &str| {
        let path = run.join(name);
        let mut bytes = std::fs::read(&path).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        bytes
    };
    // With both damaged nothing is touched.
    let names = ["checkpoint.safetensors", "checkpoint.before.safetensors"];
    let damaged = names.map(flip);
    let (code, stderr) = go_on(folder.path());
    assert_eq!(code, Some(1), "{stderr}");
    assert!(
        stderr.contains("checkpoint.safetensors: is damaged"),
        "{stderr}"
    );
    assert!(names.map(|name| std::fs::read(run.join(name)).unwrap()) == damaged);
    // The same bit again makes the one before whole.
    flip(names[1]);
    let (code, stderr) = go_on(folder.path());
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("goes on from the one before"), "{stderr}");
    assert!(stderr.contains("going on after step"), "{stderr}");
}
