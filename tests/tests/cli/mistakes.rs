//! What people get wrong: one line that names it and says what to do, and the exit code.

use super::{fails, folder};

#[test]
fn wrong_usage_exits_with_2() {
    let folder = folder();
    let fails = |arguments: &[&str]| fails(folder.path(), arguments);
    insta::assert_snapshot!(fails(&["train", "--method", "compactor"]), @"2 error: unknown method `compactor`: the nearest are `compacter`, `compacter++`");
    insta::assert_snapshot!(fails(&["train", "--task", "rewievs"]), @"2 error: unknown task `rewievs`: the nearest is `reviews`; your own data needs --data FILE");
    insta::assert_snapshot!(fails(&["train", "--task", "boolq"]), @"2 error: the task `boolq` is not bundled: give --data DIR with its official files or the hub's Parquet files, or name it with its suite, as in glue/rte, to fetch it from the Hub; bundled are reviews, topics, intents, questions");
    insta::assert_snapshot!(fails(&["train", "--task", "bolq", "--data", "."]), @"2 error: unknown task `bolq`: the nearest are `boolq`, `cola`");
    assert!(fails(&["train", "--n", "5"]).starts_with("2 error: n = 5 does not divide d_model "));
    insta::assert_snapshot!(fails(&["train", "--method", "bitfit", "--rule-fixed"]), @"2 error: rule-fixed means nothing to the method `bitfit`: leave it out");
    insta::assert_snapshot!(fails(&["train", "--bottleneck", "8", "--reduction", "8"]), @"2 error: bottleneck and reduction both say how wide an adapter is: leave one out");
    insta::assert_snapshot!(fails(&["train", "--batch", "0"]), @"2 error: batch is 0: it must be at least 1");
    insta::assert_snapshot!(fails(&["train", "--score", "luck"]), @"2 error: --score luck: it is likelihood or generate");
    insta::assert_snapshot!(fails(&["train", "--device", "tpu"]), @"2 error: --device tpu: it is auto, cpu, gpu or gpu:N");
    insta::assert_snapshot!(fails(&["train", "--weights", "f8"]), @"
    2 error: invalid value 'f8' for '--weights <TYPE>': weights `f8`: they are f32, f16 or int8

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(fails(&["train", "--data", "."]), @"2 error: --data . is a folder: name its task, as in --task rte");
    insta::assert_snapshot!(fails(&["train", "--model", "t5-small"]), @"2 error: --model t5-small: the program holds no weights of t5-small; give the folder that has its config.json, tokenizer.json and model.safetensors, or fetch it by --model google-t5/t5-small");
    insta::assert_snapshot!(fails(&["params", "--model", "t5-huge"]), @"2 error: unknown size `t5-huge`: it is t5-small, t5-base, t5-large, bundled, a folder with a config.json or the id of a model on the Hub");
    insta::assert_snapshot!(fails(&["predict", "--device", "cpu", "x"]), @"2 error: no finished run in runs/: name one with --run DIR, or train one first");
    insta::assert_snapshot!(fails(&["train", "--zzz"]), @"
    2 error: unexpected argument '--zzz' found

    Usage: compacter train [OPTIONS]

    For more information, try '--help'.
    ");
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        0,
        "nothing was written"
    );
}

#[test]
fn bad_files_exit_with_1_and_are_named() {
    let folder = folder();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("ragged.tsv", b"text\tlabel\na\tx\nb\n");
    write("empty.csv", b"");
    write("latin.tsv", b"text\tlabel\na\tx\ncaf\xe9\ty\n");
    write(
        "wrong.jsonl",
        b"{\"text\": \"a\", \"label\": \"x\"}\n{\"text\"\n",
    );
    write("short.tsv", b"text\tlabel\na\tx\nb\ty\nc\tx\nd\ty\n");
    write("other.tsv", b"text\tlabel\na\tz\n");
    write("broken.gz", b"\x1f\x8bnothing");
    write("run.toml", b"lr = 1e-3\nstep = 3\n");
    let data = |name: &str| fails(folder.path(), &["train", "--device", "cpu", "--data", name]);
    insta::assert_snapshot!(data("absent.tsv"), @"1 error: absent.tsv: No such file or directory (os error 2)");
    insta::assert_snapshot!(data("ragged.tsv"), @"1 error: ragged.tsv:3: 1 field, but the header has 2");
    insta::assert_snapshot!(data("empty.csv"), @"1 error: empty.csv: the file is empty");
    insta::assert_snapshot!(data("latin.tsv"), @"1 error: latin.tsv:3: not UTF-8: byte 0xe9");
    assert!(data("wrong.jsonl").starts_with("1 error: wrong.jsonl:2: "));
    assert!(data("broken.gz").starts_with("1 error: broken.gz: broken gzip: "));
    let unknown = [
        "train",
        "--device",
        "cpu",
        "--data",
        "short.tsv",
        "--test",
        "other.tsv",
    ];
    insta::assert_snapshot!(fails(folder.path(), &unknown), @"1 error: other.tsv:2: unknown label `z`: expected one of `x`, `y`");
    let config = fails(folder.path(), &["train", "--config", "run.toml"]);
    assert_eq!(
        config,
        "1 error: run.toml:2: unknown key `step`: the nearest are `steps`, `seed`, `sites`"
    );
    assert!(!folder.path().join("runs").exists(), "no run was begun");
}

#[test]
fn a_corrupt_model_is_named() {
    let folder = folder();
    let model = folder.path().join("model");
    std::fs::create_dir(&model).unwrap();
    std::fs::write(model.join("config.json"), compacter_assets::CONFIG).unwrap();
    std::fs::write(model.join("tokenizer.json"), compacter_assets::TOKENIZER).unwrap();
    let weights = compacter_assets::WEIGHTS;
    let mut bomb = weights.to_vec();
    bomb[..8].copy_from_slice(&(u64::MAX / 2).to_le_bytes());
    for bytes in [&weights[..weights.len() / 2], &weights[..5], &[], &bomb] {
        std::fs::write(model.join("model.safetensors"), bytes).unwrap();
        let error = fails(
            folder.path(),
            &["train", "--device", "cpu", "--model", "model"],
        );
        assert!(
            error.starts_with("1 error: model/model.safetensors: "),
            "{error}"
        );
    }
    std::fs::write(model.join("config.json"), b"{\"d_model\": 0}").unwrap();
    let error = fails(
        folder.path(),
        &["train", "--device", "cpu", "--model", "model"],
    );
    assert!(error.starts_with("1 error: model/config.json: "), "{error}");
    std::fs::remove_file(model.join("config.json")).unwrap();
    let error = fails(
        folder.path(),
        &["train", "--device", "cpu", "--model", "model"],
    );
    insta::assert_snapshot!(error, @"1 error: model/config.json: No such file or directory (os error 2)");
}
