//! A model by its id, through the command line: fetched once, then used without a network.
#![forbid(unsafe_code)]

// What may go wrong on the way is played in the crate itself.
#[allow(dead_code)]
#[path = "../../native/src/hub/tests/server.rs"]
mod server;

use server::{Server, Trouble};
use std::path::Path;
use std::process::{Command, Output};

fn compacter(folder: &Path, server: &Server, offline: bool, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_compacter-tests"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("CARGO_MANIFEST_DIR")
        .env_remove("HF_HUB_CACHE")
        .env_remove("HF_TOKEN")
        .env("HF_HOME", folder.join("hf"))
        .env("HF_ENDPOINT", &server.endpoint)
        .env("HF_HUB_OFFLINE", if offline { "1" } else { "0" })
        .env("NO_PROXY", "*")
        .output()
        .unwrap()
}

fn failed(output: &Output) -> (i32, String) {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap(), text)
}

#[test]
fn a_model_on_the_hub_is_trained_and_answers_without_a_network() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let files: [(&str, &[u8]); 3] = [
        ("config.json", compacter_assets::CONFIG),
        ("tokenizer.json", compacter_assets::TOKENIZER),
        ("model.safetensors", compacter_assets::WEIGHTS),
    ];
    let commit = server.put("org/toy", "v1", &files);
    let run = |offline, arguments: &[&str]| compacter(folder.path(), &server, offline, arguments);
    // The connection breaks twice on the way.
    server.fail("store", Trouble::Cut(100_000));
    server.fail("store", Trouble::Cut(10_000));
    let model = ["--model", "org/toy", "--revision", "v1", "--device", "cpu"];
    let small = "--steps 2 --batch 2 --train-samples 8 --eval-samples 2 --max-source 16 --out run";
    let small: Vec<&str> = small.split(' ').collect();
    let trained = run(false, &[&["train"][..], &model, &small].concat());
    assert!(trained.status.success(), "{}", failed(&trained).1);
    let config = std::fs::read_to_string(folder.path().join("run/config.json")).unwrap();
    assert!(config.contains(&commit), "the run knows its base: {config}");

    assert!(!server.asked().is_empty());
    let answer = "predict --run run --device cpu Lovely";
    let answer: Vec<&str> = answer.split(' ').collect();
    for offline in [false, true] {
        let answered = run(offline, &answer);
        assert!(answered.status.success(), "{}", failed(&answered).1);
    }
    assert_eq!(server.asked(), [""; 0], "what is cached is not asked for");
}

#[test]
fn mistakes_are_told_of() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let run = |arguments: &[&str]| failed(&compacter(folder.path(), &server, false, arguments));
    let (code, unknown) = run(&["params", "--model", "org/none"]);
    assert!(code == 1 && unknown.contains("spelled right"), "{unknown}");
    let (code, rows) = run(&["train", "--task", "glue/mrpc"]);
    assert!(
        code == 1 && rows.contains("the data set nyu-mll/glue"),
        "{rows}"
    );
    let (code, revision) = run(&["train", "--revision", "v1"]);
    assert!(
        code == 2 && revision.contains("the id of a model"),
        "{revision}"
    );
    let asked = server.asked().len();
    let offline = compacter(
        folder.path(),
        &server,
        true,
        &["params", "--model", "org/none"],
    );
    let (code, offline) = failed(&offline);
    assert!(
        code == 1 && offline.contains("HF_HUB_OFFLINE is set"),
        "{offline}"
    );
    assert_eq!((asked, server.asked().len()), (2, 0));
}
