//! What may go wrong around a run: a graphics device that goes away, a tab that nobody looks at, a
//! browser that keeps nothing. The run goes on, and what happened is said.

use crate::app::{LONG, enter, hands, press, put, reads, shorten};
use crate::{Browser, Ground, MINUTE};

/// Lets the test reach the app's own trainer.
const REACH: &str = r#"{
  const Real = Worker;
  globalThis.Worker = class extends Real {
    constructor(url, options) {
      super(url, options);
      globalThis.trainer = this;
    }
  };
}"#;

fn few_rows(folder: &tempfile::TempDir) -> std::path::PathBuf {
    let path = folder.path().join("films.csv");
    let rows = "a fine film in every way,good\na dull film in every way,bad\n".repeat(10);
    std::fs::write(&path, format!("remark,label\n{rows}")).unwrap();
    path
}

fn on(browser: &mut Browser, device: &str) {
    press(browser, "device Auto");
    press(browser, device);
    browser.wait_for("able('Train')", LONG);
}

/// The device goes twice in mid-run: the run goes on from its last checkpoint on a new one, and then
/// on the CPU.
pub(crate) fn a_run_outlives_its_device(ground: &Ground) {
    let server = ground.serve("/", &[]);
    let folder = tempfile::tempdir().unwrap();
    let mut browser = ground.browser(&[]);
    browser.before_each_page(REACH);
    browser.viewport(1600, 1000);
    enter(&mut browser, &server.address("127.0.0.1", ""));
    browser.drop_files(800.0, 400.0, &[&few_rows(&folder)]);
    press(&mut browser, "Use these rows");
    on(&mut browser, "GPU");
    put(&mut browser, "steps", "1000");
    put(&mut browser, "rows a step", "2");
    press(&mut browser, "Train");
    reads(&mut browser, "dispatches a step");
    for next in ["Continue on the GPU", "Continue on the CPU"] {
        // From the second checkpoint on it does not go on from nothing.
        let store = "const store = await import(new URL('store.js', document.baseURI));";
        browser.wait_for(&format!("{store} await store.get('checkpoint')"), LONG);
        browser.evaluate("trainer.postMessage({ lose: true })");
        reads(&mut browser, "The graphics device was lost");
        reads(&mut browser, "What it had saved is kept.");
        press(&mut browser, next);
        reads(&mut browser, "goes on from step");
        reads(&mut browser, "rows/s");
    }
    let words = browser.evaluate("document.getElementById('mirror').textContent");
    let from = words.as_str().unwrap().split("goes on from step ").nth(1);
    let step = from.and_then(|from| from.split('.').next()).unwrap();
    assert!(step.parse::<usize>().unwrap() > 0, "{step}");
    press(&mut browser, "Stop");
    browser.wait_for("able('Train')", MINUTE);
}

/// Every kernel computes in the browser what the CPU computes.
pub(crate) fn the_device_computes_what_the_cpu_computes(ground: &Ground) {
    let server = ground.serve("/", &[]);
    let mut browser = ground.browser(&[]);
    browser.before_each_page(REACH);
    browser.viewport(1600, 1000);
    enter(&mut browser, &server.address("127.0.0.1", ""));
    on(&mut browser, "GPU");
    browser.evaluate(
        "globalThis.checked = [new Promise((resolve) => trainer.addEventListener('message', ({ data }) => { \
           const report = JSON.parse(data.json); \
           if (['checked', 'failed', 'gone'].includes(report.report)) resolve(report); }))]; true",
    );
    press(&mut browser, "The device");
    press(&mut browser, "Check it");
    let report = browser.try_evaluate("await checked[0]", LONG).unwrap();
    assert_eq!(report["report"], "checked", "{report}");
    let health = report["health"].clone();
    let health: compacter_core::check::Health = serde_json::from_value(health).unwrap();
    let (kernels, speed) = (&health.results, health.speed);
    assert!(speed.launch.is_some_and(|us| us > 0.0), "{speed:?}");
    assert!(speed.copy > 0.0 && speed.product > 0.0, "{speed:?}");
    assert!(
        kernels.len() > 20 && kernels.iter().all(|one| one.is_right()),
        "{kernels:?}"
    );
    let worst = kernels
        .iter()
        .fold(0.0, |most: f64, one| most.max(one.worst));
    assert!(worst > 0.0, "two devices that never differ are one");
    println!(
        "{} results on WebGPU, off by {worst:.1e} at most; {speed:?}, the CPU {:?}",
        kernels.len(),
        health.cpu
    );
    reads(
        &mut browser,
        &format!("all {} results are the CPU's", kernels.len()),
    );
    assert_eq!(browser.errors(), [""; 0]);
}

/// A tab that nobody looks at trains on, keeps checkpoints, and ends its race.
pub(crate) fn a_hidden_tab_goes_on(ground: &Ground) {
    let server = ground.serve("/", &[]);
    let mut browser = ground.browser(&[]);
    // As a browser has it: no frames, and the page can tell. A headless one is never hidden.
    browser.before_each_page(
        "globalThis.hide = () => { \
           Object.defineProperty(document, 'hidden', { configurable: true, get: () => true }); \
           const frames = globalThis.requestAnimationFrame; \
           globalThis.requestAnimationFrame = () => 0; \
           document.dispatchEvent(new Event('visibilitychange')); \
           globalThis.show = () => { \
             Object.defineProperty(document, 'hidden', { configurable: true, get: () => false }); \
             globalThis.requestAnimationFrame = frames; \
             document.dispatchEvent(new Event('visibilitychange')); }; };",
    );
    browser.viewport(1600, 1000);
    enter(&mut browser, &server.address("127.0.0.1", ""));
    shorten(&mut browser, 3000);
    press(&mut browser, "Train");
    reads(&mut browser, "rows/s");
    browser.evaluate("hide()");
    let store = "const store = await import(new URL('store.js', document.baseURI));";
    let kept = format!("{store} (await store.get('checkpoint'))?.join()");
    let first = browser.wait_for(&kept, LONG);
    browser.wait_for(
        &format!("{store} (await store.get('checkpoint'))?.join() !== {first}"),
        LONG,
    );
    browser.evaluate("show()");
    press(&mut browser, "Stop");
    browser.wait_for("able('Train')", MINUTE);
    assert_eq!(browser.errors(), [""; 0]);
}

/// Where storage is forbidden the page says so and trains all the same.
pub(crate) fn trains_where_nothing_is_kept(ground: &Ground) {
    let server = ground.serve("/", &[]);
    let mut browser = ground.browser(&[]);
    browser.before_each_page(
        "IDBFactory.prototype.open = () => { throw new DOMException('blocked', 'SecurityError'); }",
    );
    browser.viewport(1600, 1000);
    enter(&mut browser, &server.address("127.0.0.1", ""));
    reads(&mut browser, "keeps nothing for this page");
    shorten(&mut browser, 10);
    press(&mut browser, "Train");
    browser.wait_for("able('Train') && able('Share')", LONG);
    browser.reload();
    hands(&mut browser);
    reads(&mut browser, "Press Train to make the first.");
}

/// Runs leave as a file and come back through the dialog for files, in another browser.
pub(crate) fn runs_travel(ground: &Ground) {
    let server = ground.serve("/", &[]);
    let address = server.address("127.0.0.1", "");
    let mut browser = ground.browser(&[]);
    browser.viewport(1600, 1000);
    enter(&mut browser, &address);
    let folder = tempfile::tempdir().unwrap();
    browser.drop_files(800.0, 400.0, &[&few_rows(&folder)]);
    press(&mut browser, "Use these rows");
    put(&mut browser, "steps", "10");
    put(&mut browser, "rows a step", "4");
    press(&mut browser, "Race all methods");
    let methods = compacter_core::method::NAMES.len();
    let deletes = "all().filter((e) => e.textContent === 'Delete').length";
    browser.wait_for(
        &format!("able('Train') && {deletes} === {methods}"),
        3 * LONG,
    );
    press(&mut browser, "PNG");
    let picture = browser.downloaded("compacter-runs.png");
    assert_eq!(&picture[..8], b"\x89PNG\r\n\x1a\n");
    press(&mut browser, "Export");
    browser.downloaded("compacter-runs.json");
    assert_eq!(browser.errors(), [""; 0]);

    let file = folder.path().join("runs.json");
    std::fs::write(&file, browser.downloaded("compacter-runs.json")).unwrap();
    let mut other = ground.browser(&[]);
    other.viewport(1600, 1000);
    enter(&mut other, &address);
    other.wait_for("able('Import')", MINUTE);
    other.choose_in_dialog(&[&file], |page| {
        page.evaluate("press('Import')");
    });
    other.wait_for(&format!("{deletes} === {methods}"), MINUTE);
    assert_eq!(other.errors(), [""; 0]);
}
