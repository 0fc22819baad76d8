//! The trainer's module in a real browser, against the same run natively.
//!
//! Needs `web/dist` (`cargo xtask web`) and `COMPACTER_BROWSER`, the path of a Chromium; without the
//! latter it says that it was skipped.

mod chromium;
mod server;

use compacter_core::method::Method;
use compacter_core::train::{Command, Event, Job, Report, Settings};
use compacter_core::{block_on, cpu_device, task};
use compacter_trainer::Desk;
use std::path::Path;
use std::time::{Duration, Instant};

/// What one visit runs, and how near it must come to the native run.
struct Visit {
    device: &'static str,
    steps: usize,
    rows: usize,
    batch: usize,
    /// Largest relative difference of the first ten losses.
    losses: f64,
    /// Largest difference of the score in points.
    score: f64,
}

const VISITS: [Visit; 2] = [
    Visit {
        device: "cpu",
        steps: 60,
        rows: 800,
        batch: 32,
        losses: 1e-4,
        score: 3.0,
    },
    // On a software adapter each step takes seconds.
    Visit {
        device: "gpu",
        steps: 10,
        rows: 16,
        batch: 2,
        losses: 1e-3,
        score: 50.0,
    },
];

fn main() {
    let Ok(browser) = std::env::var("COMPACTER_BROWSER") else {
        println!("skipped: COMPACTER_BROWSER does not name a Chromium");
        return;
    };
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../web/dist");
    assert!(
        dist.join("trainer_bg.wasm").is_file(),
        "web/dist is not built: run `cargo xtask web` first"
    );
    draws(&browser, &dist);
    for visit in &VISITS {
        let job = job(visit);
        let start = Instant::now();
        let native = train(&job);
        let native_seconds = start.elapsed().as_secs_f64();
        let server = server::Server::start(&dist, &page(visit.device, &job));
        let chromium = chromium::Chromium::open(&browser, &server.address());
        let said = server.said(Duration::from_secs(600));
        let reports: Vec<Report> = serde_json::from_slice(&said).unwrap();
        drop(chromium);
        compare(visit, &native, &reports, native_seconds);
    }
}

/// The page itself comes up without an error.
fn draws(browser: &str, dist: &Path) {
    let index = std::fs::read_to_string(dist.join("index.html")).unwrap();
    let page = index.replace("<head>", "<head><script src=\"probe.js\"></script>");
    let server = server::Server::start(dist, &page);
    let chromium = chromium::Chromium::open(browser, &server.address());
    let said = server.said(Duration::from_secs(90));
    drop(chromium);
    let said: serde_json::Value = serde_json::from_slice(&said).unwrap();
    println!("the page is drawn after {} s", said["seconds"]);
    assert!(
        said["drawn"] == true && said["errors"] == serde_json::json!([]),
        "{said}"
    );
}

fn job(visit: &Visit) -> Job {
    let table = compacter_core::data::read_table(
        compacter_assets::data("reviews").unwrap(),
        compacter_core::data::Format::Tsv,
        "reviews.tsv",
        true,
    );
    let rows: Vec<(String, String)> = table.unwrap().rows[..visit.rows]
        .iter()
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect();
    let task = task::pairs("reviews", &rows, 42).unwrap();
    let config = compacter_core::t5::T5Config::from_json(compacter_assets::CONFIG, "config.json");
    let method = Method::preset("compacter++", &config.unwrap()).unwrap();
    let mut settings = Settings::new(method, &task);
    (settings.steps, settings.batch) = (Some(visit.steps), visit.batch);
    settings.eval_every = Some(visit.steps);
    Job {
        run: 1,
        task,
        settings,
        checkpoint: None,
    }
}

fn train(job: &Job) -> Vec<Report> {
    let mut desk = Desk::new(
        compacter_assets::CONFIG,
        compacter_assets::TOKENIZER,
        compacter_assets::WEIGHTS.to_vec(),
        &cpu_device(),
    )
    .unwrap();
    let refused = block_on(desk.receive(Command::Train(Box::new(job.clone()))));
    assert_eq!(refused, None);
    std::iter::from_fn(|| block_on(desk.advance())).collect()
}

/// A page that trains in the worker and sends every report to the server.
fn page(device: &str, job: &Job) -> String {
    let command = serde_json::to_string(&Command::Train(Box::new(job.clone()))).unwrap();
    format!(
        r#"<!doctype html><meta charset="utf-8"><title>test</title>
<script type="application/json" id="command">{}</script>
<script type="module">
const worker = new Worker("trainer-worker.js", {{ type: "module" }});
const reports = [];
const send = () => fetch("/reports", {{ method: "POST", body: JSON.stringify(reports) }});
worker.onerror = (error) => {{ reports.push({{ report: "gone", message: String(error.message) }}); send(); }};
worker.onmessage = ({{ data }}) => {{
  const report = JSON.parse(data.json);
  reports.push(report);
  if (report.report === "ready") worker.postMessage({{ json: document.getElementById("command").textContent }});
  if (["failed", "gone"].includes(report.report) || report.event?.event === "finished") send();
}};
worker.postMessage({{ model: "t5-nano", device: "{device}" }});
</script>"#,
        command.replace("</", "<\\/")
    )
}

fn losses(reports: &[Report]) -> Vec<f64> {
    let loss = |report: &Report| match report {
        Report::Event {
            event: Event::Step { loss, .. },
            ..
        } => Some(*loss),
        _ => None,
    };
    reports.iter().filter_map(loss).collect()
}

fn score(reports: &[Report]) -> f64 {
    match reports.last() {
        Some(Report::Event {
            event: Event::Finished(summary),
            ..
        }) => summary.score_after,
        other => panic!("the run did not finish: {other:?}"),
    }
}

fn compare(visit: &Visit, native: &[Report], browser: &[Report], native_seconds: f64) {
    let Some(Report::Ready { device, reason, .. }) = browser.first() else {
        panic!("{}: {browser:?}", visit.device);
    };
    let (want, got) = (losses(native), losses(browser));
    assert_eq!((want.len(), got.len()), (visit.steps, visit.steps));
    let worst = want
        .iter()
        .zip(&got)
        .take(10)
        .map(|(want, got)| ((got - want) / want).abs());
    let worst = worst.fold(0.0, |worst: f64, x| {
        if x.is_nan() {
            f64::INFINITY
        } else {
            worst.max(x)
        }
    });
    let (before, after) = (score(native), score(browser));
    println!(
        "{device} ({reason}): {} steps, first losses differ by {worst:.1e}, score {after:.1} \
         (natively {before:.1} in {native_seconds:.1} s)",
        visit.steps
    );
    assert!(worst <= visit.losses, "{got:?} natively {want:?}");
    assert!((before - after).abs() <= visit.score);
}
