//! Sweeps as a person meets them: planned, killed, started twice, exported, reported.
#![forbid(unsafe_code)]

use compacter_core::method::NAMES;
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_compacter-tests"));
    command
        .args(arguments)
        .current_dir(folder)
        .env_remove("CARGO_MANIFEST_DIR")
        .env("NO_COLOR", "1");
    command
}

fn output(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Runs what must succeed; its standard output.
fn done(folder: &Path, arguments: &[&str]) -> String {
    let output = output(folder, arguments);
    let stderr = text(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    text(&output.stdout)
}

/// Runs what must fail; its exit code and the error.
fn fails(folder: &Path, arguments: &[&str]) -> String {
    let output = output(folder, arguments);
    let stderr = text(&output.stderr);
    let mut error = stderr.lines().filter(|line| line.starts_with("error: "));
    let error = error.next_back().unwrap_or("no error");
    format!("{} {error}", output.status.code().unwrap())
}

/// A folder with a sweep of small runs; `more` goes to the end of its file.
fn folder(more: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let small = "train-samples = 40\neval-samples = 8\nbatch = 4\n";
    std::fs::write(folder.path().join("small.toml"), format!("{small}{more}")).unwrap();
    folder
}

/// The names of a sweep's runs.
fn names(folder: &Path) -> Vec<String> {
    let plan = done(folder, &["sweep", "plan", "small.toml", "--json"]);
    let lines: Vec<Value> = serde_json::from_str(&plan).unwrap();
    let name = |line: &Value| line["name"].as_str().unwrap().to_string();
    lines.iter().map(name).collect()
}

/// The text with every hash of eight digits at the end of a name written as `########`.
fn without_hashes(text: &str, names: &[String]) -> String {
    names.iter().fold(text.to_string(), |text, name| {
        let plain = format!("{}########", &name[..name.len() - 8]);
        text.replace(name, &plain)
    })
}

fn steps_logged(run: &Path) -> usize {
    let metrics = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap_or_default();
    let steps = metrics
        .lines()
        .filter(|line| line.contains("\"event\":\"step\""));
    steps.count()
}

#[test]
fn a_plan_lists_the_runs_and_knows_no_time_before_one_was_done() {
    let folder = folder("method = ['full', 'compacter++']\nn = [4, 8]\nsteps = 2\n");
    let plan = done(folder.path(), &["sweep", "plan", "small.toml"]);
    insta::assert_snapshot!(without_hashes(&plan, &names(folder.path())), @r"
    run                        state  steps  time left
    full-########            waiting      2    unknown
    compacter++-n4-########  waiting      2    unknown
    compacter++-n8-########  waiting      2    unknown
    3 runs, 0 finished; time left: unknown
    ");
    let shard = done(
        folder.path(),
        &["sweep", "plan", "small.toml", "--shard", "2/2"],
    );
    assert!(shard.contains("\n1 runs, 0 finished"), "{shard}");
    assert!(
        !folder.path().join("runs").exists(),
        "a plan writes nothing"
    );
}

#[test]
fn mistakes_are_named() {
    let folder = folder("metod = 'full'\n");
    let path = folder.path();
    let fails = |arguments: &[&str]| fails(path, arguments);
    insta::assert_snapshot!(fails(&["sweep", "plan", "small.toml"]), @"1 error: small.toml:4: unknown key `metod`: the nearest is `method`");
    std::fs::write(
        path.join("kind.toml"),
        "seed = [1,\n 2]\nsteps = ['many']\n",
    )
    .unwrap();
    insta::assert_snapshot!(fails(&["sweep", "plan", "kind.toml"]), @r#"1 error: kind.toml:3: `steps`: invalid type: string "many", expected usize"#);
    std::fs::write(path.join("method.toml"), "method = ['full', 'adaptor']\n").unwrap();
    let unknown = fails(&["sweep", "run", "method.toml"]);
    assert!(
        unknown.starts_with("1 error: method.toml:1: `method`: unknown method `adaptor`"),
        "{unknown}"
    );
    std::fs::write(path.join("fits.toml"), "method = 'compacter'\nn = 5\n").unwrap();
    let fit = fails(&["sweep", "plan", "fits.toml"]);
    assert!(
        fit.starts_with("2 error: n = 5 does not divide d_model"),
        "{fit}"
    );
    std::fs::write(path.join("good.toml"), "steps = 2\n").unwrap();
    let only = fails(&["sweep", "run", "good.toml", "--only", "nothing"]);
    insta::assert_snapshot!(only, @"2 error: --only nothing: this sweep has no such run; `sweep plan` lists them");
    insta::assert_snapshot!(fails(&["report", "."]), @"2 error: no finished run in .: a run is finished when it has its summary.json");
    assert!(fails(&["sweep", "plan", "good.toml", "--shard", "3/2"]).contains("expected i/N"));
    assert!(fails(&["reproduce", "tabel1"]).contains("`table1`"));
}

/// Starts the sweep on the CPU.
fn start(folder: &Path) -> Child {
    command(folder, &["sweep", "run", "small.toml", "--device", "cpu"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn killed_and_started_twice_every_run_is_done_once_and_whole() {
    let folder = folder("seed = [1, 2]\nsteps = 24\neval-every = 4\n");
    let path = folder.path();
    let names = names(path);
    let run = |index: usize| path.join("runs/small").join(&names[index]);
    let mut killed = start(path);
    let deadline = Instant::now() + Duration::from_secs(300);
    while steps_logged(&run(0)) < 11 {
        assert!(killed.try_wait().unwrap().is_none(), "it ended by itself");
        assert!(Instant::now() < deadline, "no 11 steps in five minutes");
        std::thread::sleep(Duration::from_millis(5));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(
        !run(0).join("summary.json").exists(),
        "it was over before it was killed"
    );
    let plan = done(path, &["sweep", "plan", "small.toml"]);
    assert!(plan.contains("half ("), "{plan}");

    let both = [start(path), start(path)].map(|child| child.wait_with_output().unwrap());
    let mut done_in_all = 0;
    for output in &both {
        assert!(output.status.success(), "{}", text(&output.stderr));
        let said = text(&output.stdout);
        let count: usize = said.split(' ').next().unwrap().parse().unwrap();
        done_in_all += count;
    }
    assert_eq!(done_in_all, 2, "each run was done once");
    let said: String = both.iter().map(|output| text(&output.stderr)).collect();
    assert!(said.contains("going on after step "), "{said}");
    for index in 0..2 {
        assert!(run(index).join("summary.json").is_file());
        assert_eq!(
            steps_logged(&run(index)),
            24,
            "steps done twice are logged once"
        );
    }
    let again = done(path, &["sweep", "run", "small.toml"]);
    assert!(again.starts_with("0 done, 2 finished before\n"), "{again}");
    let plan = done(path, &["sweep", "plan", "small.toml"]);
    assert!(
        plan.ends_with("2 runs, 2 finished; time left: 0.0 s\n"),
        "{plan}"
    );

    // One more seed: its time is known by now, and nothing else has changed.
    let file = std::fs::read_to_string(path.join("small.toml")).unwrap();
    std::fs::write(path.join("small.toml"), file.replace("[1, 2]", "[1, 2, 3]")).unwrap();
    let plan = done(path, &["sweep", "plan", "small.toml"]);
    assert!(plan.contains("3 runs, 2 finished; time left: "), "{plan}");
    assert!(!plan.contains("unknown"), "{plan}");
    reports(path);
}

/// The report of the runs above.
fn reports(path: &Path) {
    let markdown = done(path, &["report", "runs/small", "--out", "figures"]);
    assert!(markdown.starts_with("## Other tasks\n"), "{markdown}");
    let line = markdown
        .lines()
        .find(|line| line.starts_with("| compacter++ |"));
    assert!(line.is_some_and(|line| line.contains(" ± ")), "{markdown}");
    let csv = done(path, &["report", "runs/small", "--format", "csv"]);
    assert_eq!(csv.lines().count(), 2, "{csv}");
    let json = done(path, &["report", "runs/small", "--format", "json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    let cell = &json["tables"][0]["rows"][0]["cells"][0];
    assert_eq!((&cell["seeds"], &cell["test_rows"]), (&2.into(), &8.into()));
    let figure = std::fs::read(path.join("figures/figure1.png")).unwrap();
    assert!(figure.starts_with(b"\x89PNG"));
    assert!(path.join("figures/report.md").is_file());
    assert!(
        !path.join("figures/figure4.svg").exists(),
        "one number of rows is no curve"
    );
}

#[test]
fn an_exported_script_does_the_runs() {
    let folder = folder("method = ['adapter', 'compacter++']\nsteps = 2\n");
    let path = folder.path();
    let export = |scheduler: &str| done(path, &["sweep", "export", scheduler, "small.toml"]);
    let slurm = export("slurm");
    assert!(slurm.contains("#SBATCH --array=0-1\n"), "{slurm}");
    for name in names(path) {
        assert!(slurm.contains(&format!("\n  {name}\n")), "{slurm}");
    }
    let shell = done(
        path,
        &["sweep", "export", "shell", "small.toml", "--device", "cpu"],
    );
    std::fs::write(path.join("sweep.sh"), shell).unwrap();
    // From another folder, as a scheduler would.
    let status = Command::new("bash")
        .arg(path.join("sweep.sh"))
        .current_dir("/")
        .status();
    assert!(status.unwrap().success());
    let again = done(path, &["sweep", "run", "small.toml"]);
    assert!(again.starts_with("0 done, 2 finished before\n"), "{again}");
}

/// A HyperQueue server with one worker does one task for each index of the array.
const HYPERQUEUE: &str = "
import sys
from hyperqueue import Job, LocalCluster
from hyperqueue.cluster import WorkerConfig
folder, script, tasks = sys.argv[1:]
with LocalCluster(folder, WorkerConfig(cores=1)) as cluster:
    job = Job(default_workdir=folder)
    for _ in range(int(tasks)):
        job.program(['bash', script])
    client = cluster.client()
    client.wait_for_jobs([client.submit(job)])
";

#[test]
fn hyperqueue_does_the_runs() {
    let Some(python) = std::env::var_os("COMPACTER_HQ") else {
        // Not by println, which a test that passes keeps to itself.
        let words = "skipped: COMPACTER_HQ names no Python that has PyPI's hyperqueue";
        let _ = writeln!(std::io::stderr(), "{words}");
        return;
    };
    let folder = folder("method = ['adapter', 'compacter++']\nsteps = 2\n");
    let path = folder.path();
    let export = ["sweep", "export", "hyperqueue", "small.toml"];
    let script = done(path, &[&export[..], &["--device", "cpu"]].concat());
    assert!(script.contains("\n#HQ --array=0-1\n"), "{script}");
    std::fs::write(path.join("sweep.sh"), script).unwrap();
    let queue = path.join("hq");
    std::fs::create_dir(&queue).unwrap();
    let submitted = Command::new(python)
        .args(["-c", HYPERQUEUE])
        .args([queue, path.join("sweep.sh")])
        .arg("2")
        .output()
        .unwrap();
    let said = text(&submitted.stderr);
    assert!(submitted.status.success(), "{said}");
    let again = done(path, &["sweep", "run", "small.toml"]);
    assert!(again.starts_with("0 done, 2 finished before\n"), "{again}");
}

#[test]
fn table_1_in_quick_has_every_method_and_those_that_must_learn_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let printed = done(path, &["reproduce", "table1", "--quick", "--device", "cpu"]);
    assert!(!printed.contains("NaN"), "{printed}");
    let report = std::fs::read(path.join("runs/reproduce-table1-quick/report.json")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    let table = &report["tables"][0];
    let rows = table["rows"].as_array().unwrap();
    let methods: Vec<&str> = rows
        .iter()
        .map(|row| row["method"].as_str().unwrap())
        .collect();
    assert_eq!(methods, NAMES);
    let majority = table["majority"][0].as_f64().unwrap();
    for row in rows {
        let (method, cell) = (row["method"].as_str().unwrap(), &row["cells"][0]);
        let score = cell["score"].as_f64().unwrap();
        let [low, high] = ["low", "high"].map(|end| cell["interval"][end].as_f64().unwrap());
        assert!(low < score && score < high, "{method}: {cell}");
        if ["full", "compacter++"].contains(&method) {
            assert!(
                score >= majority + 5.0,
                "{method}: {score}, majority {majority}"
            );
        }
    }
    for figure in ["figure1.svg", "figure1.png"] {
        assert!(
            path.join("runs/reproduce-table1-quick")
                .join(figure)
                .is_file()
        );
    }
    // Figure 1 is drawn from the same runs: nothing is done again.
    let again = output(
        path,
        &["reproduce", "figure1", "--quick", "--device", "cpu"],
    );
    let said = text(&again.stderr);
    let words = format!("0 done, {} finished before", NAMES.len());
    assert!(said.contains(&words), "{said}");
}
