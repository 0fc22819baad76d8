//! The trainer's module in the worker, against the same run natively.

use crate::Ground;
use compacter_core::method::Method;
use compacter_core::train::{Command, Event, Job, Report, Settings};
use compacter_core::{Device, DeviceKind, block_on, cpu_device, gpu_device, task};
use compacter_trainer::Desk;
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

/// Every visit, on the CPU and on a software GPU.
pub(crate) fn trains_as_natively(ground: &Ground) {
    for visit in &VISITS {
        let job = job(visit);
        let start = Instant::now();
        let native = train(&job, &cpu_device());
        let native_seconds = start.elapsed().as_secs_f64();
        let page = page(visit.device, &job);
        let server = ground.serve("/", &[("test.html", &page)]);
        let mut browser = ground.browser(&[]);
        browser.navigate(&server.address("127.0.0.1", "test.html"));
        browser.wait_for("done", Duration::from_secs(600));
        let reports = browser.evaluate("reports");
        let reports: Vec<Report> = serde_json::from_value(reports).unwrap();
        compare(visit, &native, &reports, native_seconds);
        if visit.device == "gpu" && cfg!(not(feature = "native")) {
            compare_launches(&job, &reports);
        }
    }
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

/// A build without fusion runs burn as the page does: the page must not launch more.
fn compare_launches(job: &Job, page: &[Report]) {
    let native = train(job, &gpu_device(DeviceKind::DefaultDevice));
    let (native, page) = (launches(&native), launches(page));
    println!("kernels a step: {page} in the page, {native} natively without fusion");
    assert!(native > 100 && page as f64 <= 1.1 * native as f64);
}

/// Kernels of the last step.
fn launches(reports: &[Report]) -> u64 {
    let of_step = |report: &Report| match report {
        Report::Event {
            event: Event::Step { .. },
            load,
            ..
        } => Some(load.launches),
        _ => None,
    };
    reports.iter().rev().find_map(of_step).unwrap_or_default()
}

fn train(job: &Job, device: &Device) -> Vec<Report> {
    let mut desk = Desk::from_files(
        compacter_assets::CONFIG,
        compacter_assets::TOKENIZER,
        compacter_assets::WEIGHTS,
        compacter_core::t5::Storage::F32,
        device,
    )
    .unwrap();
    let refused = block_on(desk.receive(Command::Train(Box::new(job.clone()))));
    assert_eq!(refused, None);
    std::iter::from_fn(|| block_on(desk.advance())).collect()
}

/// A page that trains in the worker and keeps every report.
fn page(device: &str, job: &Job) -> String {
    let command = serde_json::to_string(&Command::Train(Box::new(job.clone()))).unwrap();
    format!(
        r#"<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>test</title>
<script type="application/json" id="command">{}</script>
<script>
const worker = new Worker("trainer-worker.js", {{ type: "module" }});
const reports = [];
let done = false;
worker.onerror = (error) => {{ reports.push({{ report: "gone", message: String(error.message) }}); done = true; }};
worker.onmessage = ({{ data }}) => {{
  const report = JSON.parse(data.json);
  if (report.report === "progress") return;
  reports.push(report);
  if (report.report === "ready") worker.postMessage({{ json: document.getElementById("command").textContent }});
  if (["failed", "gone"].includes(report.report) || report.event?.event === "finished") done = true;
}};
worker.postMessage({{ source: {{ folder: "t5-nano" }}, device: "{device}", weights: "f32" }});
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
