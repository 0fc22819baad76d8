//! What the app's own work on a frame takes while a run trains beside twelve that are shown. The
//! figures are told, not judged: they are the machine's.

use crate::app::{LONG, enter, press, put, reads};
use crate::{Browser, DRAWN, Ground, MINUTE};
use compacter_core::method::NAMES;
use serde_json::{Value, json};

/// Seconds of training that are looked at.
const SECONDS: usize = 30;

/// Trains, leaves and comes back, since the mirror that the tests work through costs time on every
/// frame and only a reload turns it off; the run goes on and is looked at.
pub(crate) fn cost_little(ground: &Ground) {
    let server = ground.serve("/", &[]);
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path().join("runs.json");
    std::fs::write(&runs, finished().to_string()).unwrap();
    let mut browser = ground.browser(&[]);
    browser.viewport(1600, 1000);
    enter(&mut browser, &server.address("127.0.0.1", ""));
    browser.drop_files(800.0, 400.0, &[&runs]);
    reads(&mut browser, "12 runs added");
    put(&mut browser, "steps", "4000");
    press(&mut browser, "Train");
    let store = "const store = await import(new URL('store.js', document.baseURI));";
    let kept = format!("{store} (await store.get('checkpoint'))?.length > 1000");
    browser.wait_for(&kept, LONG);
    let done = format!("{store} JSON.parse(await store.get('state')).runs[12].losses.length");
    browser.wait_for(&format!("{done} > 0"), MINUTE);
    let with = times(&mut browser);
    browser.reload();
    browser.wait_for(DRAWN, MINUTE);
    let before = browser.evaluate(&done);
    browser.wait_for(&format!("{done} > {before} + 10"), LONG);
    let first = times(&mut browser).len();
    let wait = format!("new Promise((go) => setTimeout(go, 1000 * {SECONDS})).then(() => 0)");
    browser.evaluate(&wait);
    let without = times(&mut browser).split_off(first);
    say("until the reload, with the mirror", with);
    say("trained after it, without", without);
    assert_eq!(browser.errors(), [""; 0]);
}

/// A file of runs as the page exports it: each method once, of the length of a default run.
fn finished() -> Value {
    let run = |(at, name): (usize, &&str)| {
        let losses = (1..=340).map(|step| json!([step, 2.0 / f64::from(step)]));
        let scores = (1..=10).map(|point| json!([34 * point, 50 + point + at as i32]));
        json!({
            "id": at + 1, "method": name, "task": "reviews", "trainable": 100 << at,
            "steps": 340, "before": 50.0, "after": 60 + at, "majority": 50.0, "bytes": 30 << 20,
            "losses": losses.collect::<Vec<_>>(), "scores": scores.collect::<Vec<_>>(),
        })
    };
    let runs = NAMES.iter().enumerate().map(run);
    json!({ "compacter_runs": 1, "runs": runs.collect::<Vec<_>>() })
}

/// What the app's own work on each frame so far took, in seconds.
fn times(browser: &mut Browser) -> Vec<f64> {
    let times =
        "const page = await import(new URL('page.js', document.baseURI)); [...page.frameTimes()]";
    serde_json::from_value(browser.evaluate(times)).unwrap()
}

fn say(when: &str, mut times: Vec<f64>) {
    assert!(times.len() > 10, "{when}: {times:?}");
    times.sort_by(f64::total_cmp);
    let at = |share: f64| 1e3 * times[((times.len() - 1) as f64 * share) as usize];
    println!(
        "{} frames, {when}: median {:.1} ms, 90 % within {:.1}, 99 % within {:.1}, the longest {:.1}",
        times.len(),
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0)
    );
}
