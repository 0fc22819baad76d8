//! `inspect`, `merge`, `export` and `import`, from a run to the files of others and back.
#![forbid(unsafe_code)]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Runs the program in a folder of its own.
fn compacter(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_compacter-tests"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("CARGO_MANIFEST_DIR")
        .output()
        .unwrap()
}

/// Runs what must succeed; its standard output.
fn done(folder: &Path, arguments: &[&str]) -> String {
    let output = compacter(folder, arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs what must fail with this exit code; what it says.
fn fails(folder: &Path, code: i32, arguments: &[&str]) -> String {
    let output = compacter(folder, arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    stderr
}

fn inspect(folder: &Path, path: &str) -> Value {
    serde_json::from_str(&done(folder, &["inspect", path, "--json"])).unwrap()
}

/// A run of two steps on few rows.
fn train(folder: &Path, method: &str) {
    let arguments = [
        "train",
        "--method",
        method,
        "--out",
        method,
        "--steps",
        "2",
        "--batch",
        "4",
        "--train-samples",
        "8",
        "--eval-samples",
        "2",
        "--device",
        "cpu",
    ];
    done(folder, &arguments);
}

fn fixture(path: &str) -> String {
    let root: PathBuf = [env!("CARGO_MANIFEST_DIR"), "fixtures"].iter().collect();
    root.join(path).display().to_string()
}

#[test]
fn a_full_run_becomes_a_plain_t5() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    train(folder, "full");
    assert_eq!(inspect(folder, "full")["method"], "full");
    done(folder, &["merge", "--run", "full", "--out", "plain"]);
    let facts = inspect(folder, "plain");
    assert_eq!(facts["kind"], "T5 model");
    assert_eq!(facts["numbers"], facts["parameters"]);
    // The merged base answers alone as the run does, since it is what it starts from.
    let data = ["--eval-samples", "20", "--device", "cpu"];
    let score = done(
        folder,
        &[&["eval", "--run", "full", "--json"][..], &data].concat(),
    );
    let score: Value = serde_json::from_str(&score).unwrap();
    let again = [
        "train", "--model", "plain", "--out", "again", "--steps", "1", "--batch", "4",
    ];
    done(
        folder,
        &[&again[..], &data, &["--train-samples", "4"]].concat(),
    );
    let summary = std::fs::read(folder.join("again/summary.json")).unwrap();
    let summary: Value = serde_json::from_slice(&summary).unwrap();
    assert_eq!(summary["score_before"], score["score"], "{summary} {score}");
    let text = fails(folder, 2, &["merge", "--run", "full", "--out", "plain"]);
    assert!(text.contains("not empty"), "{text}");
}

#[test]
fn an_adapter_is_exported_with_its_norms_beside_it() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    train(folder, "compacter++");
    let text = fails(
        folder,
        2,
        &["merge", "--run", "compacter++", "--out", "plain"],
    );
    assert!(
        text.contains("cannot be merged") && text.contains("rule"),
        "{text}"
    );
    assert!(!folder.join("plain").exists());
    let text = fails(
        folder,
        2,
        &["export", "--run", "compacter++", "--out", "hub"],
    );
    assert!(text.contains("--base-out"), "{text}");
    done(
        folder,
        &[
            "export",
            "--run",
            "compacter++",
            "--out",
            "hub",
            "--base-out",
            "base",
        ],
    );
    let facts = inspect(folder, "hub");
    assert_eq!(facts["name"], "reviews");
    assert_eq!(facts["activation"], "gelu_new");
    assert!(facts.get("shared_rule").is_none());
    // What was exported comes back, on the base that was written beside it.
    let import = [
        "import",
        "hub",
        "--model",
        "base",
        "--labels",
        "negative,positive",
        "--out",
        "back",
    ];
    done(folder, &import);
    let ask = |run: &str| {
        let answer = done(
            folder,
            &["predict", "--run", run, "--device", "cpu", "A lovely film."],
        );
        let numbers = answer
            .split(['\t', ' '])
            .filter_map(|word| word.trim().parse::<f64>().ok());
        numbers.collect::<Vec<f64>>()
    };
    let (there, back) = (ask("compacter++"), ask("back"));
    assert_eq!(there.len(), 2, "{there:?}");
    assert_eq!(there, back);
}

#[test]
fn the_librarys_pickle_is_imported_with_its_rule() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    let adapter = fixture("reference/adapterhub/compacter++/adapter");
    let base = fixture("reference/adapterhub/compacter++/base");
    let rule = fixture("reference/adapterhub/compacter++/phm_rule.safetensors");
    let facts = inspect(folder, &adapter);
    assert!(facts["shared_rule"].as_str().unwrap().contains("--rule"));
    let text = fails(folder, 1, &["import", &adapter, "--model", &base]);
    assert!(text.contains("--rule phm_rule.safetensors"), "{text}");
    let import = [
        "import", &adapter, "--model", &base, "--rule", &rule, "--out", "run",
    ];
    assert_eq!(done(folder, &import), "run\n");
    let facts = inspect(folder, "run");
    assert_eq!(facts["method"], "compacter++");
    assert_eq!(
        (&facts["activation"], &facts["input"]),
        (&"gelu".into(), &"residual".into())
    );
    assert_eq!(facts["trained_numbers"], 544);
    // Onto another base: both are named.
    let text = fails(folder, 1, &["import", &adapter, "--rule", &rule]);
    assert!(
        text.contains("d_model 32") && text.contains("192"),
        "{text}"
    );
    done(folder, &["export", "--run", "run", "--out", "hub"]);
    assert!(inspect(folder, "hub").get("shared_rule").is_none());
}

#[test]
fn a_file_is_recognised_by_what_is_in_it() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    let facts = inspect(folder, &fixture("torch/pytorch_model.bin"));
    assert_eq!(
        (&facts["kind"], &facts["form"]),
        (&"weights of a T5".into(), &"torch.save".into())
    );
    std::fs::write(folder.join("x"), "hello").unwrap();
    let text = fails(folder, 1, &["inspect", "x"]);
    assert!(text.contains("not a whole safetensors file"), "{text}");
    std::fs::create_dir(folder.join("empty")).unwrap();
    assert!(fails(folder, 1, &["inspect", "empty"]).contains("adapter_config.json"));
}
