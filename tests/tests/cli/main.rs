//! The command line as a person and a script meet it: help, errors, exit codes, a whole small run.
#![forbid(unsafe_code)]

mod mistakes;

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

/// Runs the program in a folder of its own.
fn compacter(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_compacter-tests"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("CARGO_MANIFEST_DIR")
        .env("NO_COLOR", "1")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Runs what must succeed; its standard output.
fn done(folder: &Path, arguments: &[&str]) -> String {
    let output = compacter(folder, arguments);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{arguments:?}: {}",
        text(&output.stderr)
    );
    text(&output.stdout)
}

/// Runs what must fail; its exit code and the error, with nothing on standard output.
fn fails(folder: &Path, arguments: &[&str]) -> String {
    let output = compacter(folder, arguments);
    assert_eq!(text(&output.stdout), "", "{arguments:?}");
    let stderr = text(&output.stderr);
    let error: Vec<&str> = stderr.lines().skip_while(|line| !is_error(line)).collect();
    format!("{} {}", output.status.code().unwrap(), error.join("\n"))
}

/// Drivers also write lines that begin with `error: `.
fn is_error(line: &str) -> bool {
    line.starts_with("error: ") && !line.contains("XDG_RUNTIME_DIR")
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn help_shows_the_subcommands_and_examples() {
    let folder = folder();
    insta::assert_snapshot!(done(folder.path(), &["--help"]), @r#"
    Fine-tune T5 with Compacter, on any GPU or the CPU

    Usage: compacter <COMMAND>

    Commands:
      train        Fine-tune a T5 on a task
      eval         Score a trained run on its test rows, or on other data
      predict      Answer for a sentence, a file or standard input
      inspect      Say what an adapter, a run or a model file is
      merge        Write a trained run as a plain Hugging Face T5
      export       Write a trained adapter in the form of the AdapterHub library
      import       Take over an adapter of the AdapterHub library
      params       Count what each method trains
      devices      List the devices to compute on
      doctor       Hold a device to the CPU and measure it
      bench        Time training steps on random weights
      sweep        Do many runs: every combination of a file's lists
      report       Finished runs as the paper's tables and figures
      reproduce    Run what a table or figure of the paper shows
      completions  Print completions for a shell
      help         Print this message or the help of the given subcommand(s)

    Options:
      -h, --help     Print help
      -V, --version  Print version

    Examples:
      compacter train                                   the bundled T5 on the bundled reviews
      compacter train --task rte --data glue/RTE --model t5-small/
      compacter train --data mine.csv --text body --label kind --method adapter
      compacter predict --run runs/reviews-compacter++-1 "What a lovely evening."
      compacter params --model t5-base

    Exit codes: 0 done, 1 failed, 2 wrong usage.
    "#);
    for command in [
        "train",
        "eval",
        "predict",
        "inspect",
        "merge",
        "export",
        "import",
        "params",
        "devices",
        "doctor",
        "bench",
        "sweep",
        "report",
        "reproduce",
        "completions",
    ] {
        let help = done(folder.path(), &[command, "--help"]);
        assert!(help.contains("\nExamples:\n  compacter "), "{help}");
        assert!(
            help.lines().all(|line| line.chars().count() <= 100),
            "{help}"
        );
    }
}

#[test]
fn counts_are_the_references() {
    let folder = folder();
    let reference: Value =
        serde_json::from_str(include_str!("../../fixtures/reference/params.json")).unwrap();
    for size in ["t5-small", "t5-base", "t5-large"] {
        let printed = done(
            folder.path(),
            &["params", "--model", size, "--all", "--json"],
        );
        let rows: Vec<Value> = serde_json::from_str(&printed).unwrap();
        assert_eq!(rows.len(), 12);
        for row in rows {
            let name = match row["method"].as_str().unwrap() {
                "full" => "full-fine-tuning",
                "pfeiffer" => "pfeiffer-adapter",
                "prompt-random" => "prompt-tuning-random",
                "prompt-tokens" => "prompt-tuning-tokens",
                name => name,
            };
            let expected = &reference["models"][size]["methods"][name]["vocab_32128"];
            assert_eq!(row["trainable"], expected["trainable"], "{size} {name}");
            let percent = expected["percent_of_own_base"].as_f64().unwrap();
            assert!(
                (row["percent"].as_f64().unwrap() - percent).abs() < 1e-9,
                "{size} {name}"
            );
            let mut paper = reference["paper_table_1"].as_array().unwrap().iter();
            let paper = paper.find(|row| row["method"] == name).unwrap();
            let shown = format!("{:.3}", row["percent"].as_f64().unwrap());
            let published = format!("{:.3}", paper["paper_percent"].as_f64().unwrap());
            assert!(size != "t5-base" || shown == published, "{name}: {shown}");
        }
    }
}

#[test]
fn devices_and_completions_are_listed() {
    let folder = folder();
    let devices: Value =
        serde_json::from_str(&done(folder.path(), &["devices", "--json"])).unwrap();
    assert!(devices["adapters"].is_array() && devices["reason"].is_string());
    for adapter in devices["adapters"].as_array().unwrap() {
        if adapter["kind"] == "software" {
            assert_ne!(devices["auto"], format!("gpu:{}", adapter["index"]));
        }
    }
    assert!(done(folder.path(), &["devices"]).contains("\nauto takes "));
    assert!(done(folder.path(), &["completions", "bash"]).contains("_compacter"));
}

#[test]
fn the_doctor_examines_the_cpu() {
    let arguments = ["doctor", "--device", "cpu", "--json"];
    let report: Value = serde_json::from_str(&done(folder().path(), &arguments)).unwrap();
    let results = report["health"]["results"].as_array().unwrap();
    assert!(results.len() > 30, "{results:?}");
    assert!(report["health"]["speed"]["product"].as_f64().unwrap() > 0.0);
    assert_eq!(report["advice"][0]["verdict"], "good");
}

#[test]
fn a_small_run_from_training_to_answers() {
    let folder = folder();
    let train = [
        "train",
        "--device",
        "cpu",
        "--steps",
        "4",
        "--batch",
        "8",
        "--eval-every",
        "2",
        "--json",
    ];
    let printed = done(folder.path(), &train);
    let line = printed.lines().last().unwrap();
    let report: Value = serde_json::from_str(line).unwrap();
    assert_eq!(report["method"], "compacter++");
    assert_eq!(
        (&report["metric"], &report["steps"]),
        (&"accuracy".into(), &4.into())
    );
    for key in [
        "trainable",
        "percent",
        "score_before",
        "score_after",
        "majority",
        "seconds",
    ] {
        assert!(report[key].as_f64().unwrap() > 0.0, "{key}: {line}");
    }
    let run = folder.path().join("runs/reviews-compacter++-1");
    let size = std::fs::metadata(run.join("adapter.safetensors"))
        .unwrap()
        .len();
    assert_eq!(report["adapter_bytes"], size);
    for file in [
        "config.json",
        "metrics.jsonl",
        "checkpoint.safetensors",
        "summary.json",
    ] {
        assert!(run.join(file).is_file(), "{file}");
    }
    let metrics = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let events: Vec<Value> = metrics
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let count = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    assert_eq!(
        (count("started"), count("before"), count("step")),
        (1, 1, 4)
    );
    assert_eq!((count("evaluated"), count("finished")), (2, 1));

    let name = "runs/reviews-compacter++-1";
    let scores = done(
        folder.path(),
        &["eval", "--run", name, "--device", "cpu", "--json"],
    );
    let scores: Value = serde_json::from_str(&scores).unwrap();
    assert_eq!(scores["score"], report["score_after"]);

    let predict = [
        "predict",
        "--device",
        "cpu",
        "--json",
        "Never again.",
        "Lovely.",
    ];
    let answers = done(folder.path(), &predict);
    assert_eq!(answers.lines().count(), 2);
    for line in answers.lines() {
        let answer: Value = serde_json::from_str(line).unwrap();
        let shares = answer["probabilities"].as_object().unwrap();
        let sum: f64 = shares.values().map(|share| share.as_f64().unwrap()).sum();
        assert!((sum - 1.0).abs() < 1e-9 && shares.len() == 2, "{line}");
        assert!(["positive", "negative"].contains(&answer["answer"].as_str().unwrap()));
    }

    let again = fails(folder.path(), &["train", "--device", "cpu", "--out", name]);
    insta::assert_snapshot!(again, @"2 error: runs/reviews-compacter++-1 already holds a run: go on with it by `train --resume --out runs/reviews-compacter++-1`, or choose another --out");
    let changed = fails(
        folder.path(),
        &["train", "--resume", "--out", name, "--lr", "1"],
    );
    insta::assert_snapshot!(changed, @"2 error: --lr cannot be changed when a run goes on: leave it out, or start a new run");
    let finished = done(
        folder.path(),
        &["train", "--resume", "--out", name, "--json"],
    );
    assert_eq!(serde_json::from_str::<Value>(&finished).unwrap(), report);
}

#[test]
fn a_run_keeps_its_weights_setting() {
    let folder = folder();
    let small = ["--train-samples", "40", "--eval-samples", "8"];
    let train = ["train", "--device", "cpu", "--steps", "2", "--weights"];
    for weights in ["f16", "int8"] {
        let report = done(
            folder.path(),
            &[&train[..], &[weights, "--out", weights, "--json"], &small].concat(),
        );
        let report: Value = serde_json::from_str(report.lines().last().unwrap()).unwrap();
        let config = std::fs::read(folder.path().join(weights).join("config.json")).unwrap();
        let config: Value = serde_json::from_slice(&config).unwrap();
        assert_eq!(config["options"]["weights"], weights);
        let eval = ["eval", "--run", weights, "--device", "cpu", "--json"];
        let scores: Value = serde_json::from_str(&done(folder.path(), &eval)).unwrap();
        assert_eq!(scores["score"], report["score_after"], "{weights}");
    }
    let predict = ["predict", "--run", "int8", "--device", "cpu", "Lovely."];
    let (own, wide) = (
        done(folder.path(), &predict),
        done(
            folder.path(),
            &[&predict[..], &["--weights", "f32"]].concat(),
        ),
    );
    assert_ne!(own, wide, "the run's own weights are not f32");
    let again = ["train", "--resume", "--out", "int8", "--weights", "f32"];
    let error = fails(folder.path(), &again);
    assert!(error.contains("--weights cannot be changed"), "{error}");
}

#[test]
fn own_data_by_file_and_seeds() {
    let folder = folder();
    let mut rows = String::from("body,kind\n");
    for index in 0..24 {
        let (body, kind) = [("good, really", "up"), ("bad", "down")][index % 2];
        rows.push_str(&format!("\"{body} {index}\",{kind}\n"));
    }
    std::fs::write(folder.path().join("mine.csv"), rows).unwrap();
    let toml = "data = 'mine.csv'\ntext = 'body'\nlabel = 'kind'\nsteps = 9\nbatch = 4\n";
    std::fs::write(folder.path().join("run.toml"), toml).unwrap();
    let train = [
        "train", "--config", "run.toml", "--steps", "1", "--seeds", "2", "--device", "cpu",
        "--json",
    ];
    let report: Value = serde_json::from_str(&done(folder.path(), &train)).unwrap();
    assert_eq!(
        (&report["task"], &report["steps"]),
        (&"mine".into(), &1.into())
    );
    assert_eq!(report["seeds"]["count"], 2);
    let scores = report["seeds"]["scores"].as_array().unwrap();
    let mean = scores
        .iter()
        .map(|score| score.as_f64().unwrap())
        .sum::<f64>()
        / 2.0;
    assert!((report["score_after"].as_f64().unwrap() - mean).abs() < 1e-9);
    let run = folder.path().join("runs/mine-compacter++-1");
    assert!(run.join("seed-42/adapter.safetensors").is_file());
    assert!(run.join("seed-43/adapter.safetensors").is_file());
}

#[test]
fn the_memory_of_a_run_is_planned_before_it() {
    let folder = folder();
    let plan = |more: &[&str]| -> Value {
        let arguments = [&["train", "--memory-plan", "--json"], more].concat();
        serde_json::from_str(&done(folder.path(), &arguments)).unwrap()
    };
    let plain = plan(&[]);
    assert_eq!(plain["trained_numbers"], 7024);
    assert_eq!(plain["pass_rows"], 32);
    assert_eq!(plain["peak_at"], "between forward and backward");
    let peak = |plan: &Value| plan["peak_mib"].as_f64().unwrap();
    let less = plan(&["--activation-checkpointing", "--weights", "int8"]);
    assert!(peak(&less) < peak(&plain) - 20.0, "{less}");
    assert!(peak(&plan(&["--method", "full"])) > peak(&plain) + 50.0);
    let table = done(folder.path(), &["train", "--memory-plan"]);
    assert!(table.contains("\nat its peak "), "{table}");
    assert!(!folder.path().join("runs").exists(), "no run was begun");
}

#[test]
fn bench_reports_each_method() {
    let folder = folder();
    let arguments = [
        "bench",
        "--size",
        "bundled",
        "--methods",
        "adapter,compacter",
        "--batch",
        "2",
        "--source",
        "8",
        "--rounds",
        "2",
        "--device",
        "cpu",
        "--json",
    ];
    let rows: Vec<Value> = serde_json::from_str(&done(folder.path(), &arguments)).unwrap();
    let names: Vec<&str> = rows
        .iter()
        .map(|row| row["method"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["adapter", "compacter"]);
    for row in rows {
        let [median, min, max] =
            ["median_s", "min_s", "max_s"].map(|key| row[key].as_f64().unwrap());
        assert!(min > 0.0 && min <= median && median <= max);
        assert!(row["dispatches"].is_null());
        assert_eq!(row["peak_mib"].is_number(), cfg!(target_os = "linux"));
    }
}
