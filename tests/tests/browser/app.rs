//! The whole app as a person uses it, through its mirror in HTML: train, pause, try, keep, share, leave
//! and come back.

use crate::{Browser, DRAWN, Ground, MINUTE};
use serde_json::{Value, json};
use std::time::Duration;

/// Training on a busy machine takes its time.
pub(crate) const LONG: Duration = Duration::from_secs(600);

/// The mirror's elements by their words.
const HANDS: &str = r##"
globalThis.all = () => [...document.querySelectorAll("#mirror > *")];
globalThis.called = (words) => all().find((e) => (e.getAttribute("aria-label") ?? e.textContent) === words);
globalThis.able = (words) => { const e = called(words); return Boolean(e && !e.disabled); };
globalThis.press = (words) => called(words).click();
globalThis.put = (words, value) => { const e = called(words); e.value = value; e.onchange(); };
globalThis.reads = (words) => document.getElementById("mirror").textContent.includes(words);
"##;

/// Opens the page with its mirror, on the CPU, and waits for the trainer.
pub(crate) fn enter(browser: &mut Browser, address: &str) {
    browser.navigate(address);
    hands(browser);
}

pub(crate) fn hands(browser: &mut Browser) {
    browser.wait_for(DRAWN, MINUTE);
    browser.evaluate(HANDS);
    browser.evaluate("document.getElementById('mirror-on').click()");
    browser.wait_for("all().length > 10", MINUTE);
}

pub(crate) fn press(browser: &mut Browser, words: &str) {
    browser.wait_for(&format!("able({words:?})"), LONG);
    browser.evaluate(&format!("press({words:?})"));
}

pub(crate) fn reads(browser: &mut Browser, words: &str) {
    browser.wait_for(&format!("reads({words:?})"), LONG);
}

pub(crate) fn put(browser: &mut Browser, words: &str, value: &str) {
    browser.wait_for(&format!("able({words:?})"), MINUTE);
    browser.evaluate(&format!("put({words:?}, {value:?})"));
    // It counts from the next frame on; the one after that may be told to train.
    let frames =
        "new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go))).then(() => 0)";
    browser.evaluate(frames);
}

/// Few rows and steps: what is shown does not depend on them.
pub(crate) fn shorten(browser: &mut Browser, steps: usize) {
    put(browser, "training rows", "24");
    put(browser, "steps", &steps.to_string());
    put(browser, "rows a step", "4");
}

/// Train, pause, go on, try, save, share, and in another browser open the link.
pub(crate) fn trains_keeps_and_shares(ground: &Ground) {
    let server = ground.serve("/", &[]);
    let address = server.address("127.0.0.1", "");
    let mut browser = ground.browser(&[]);
    browser.viewport(1600, 1000);
    enter(&mut browser, &address);
    shorten(&mut browser, 100);
    press(&mut browser, "Train");
    // In the midst of its steps it stands still, and goes on later.
    reads(&mut browser, "rows/s");
    press(&mut browser, "Pause");
    browser.wait_for("able('Continue')", MINUTE);
    let steps = "new Promise((resolve) => setTimeout(resolve, 1000)) \
                 .then(() => all().map((e) => e.textContent).find((t) => /\\d steps/.test(t)))";
    let (still, later) = (browser.evaluate(steps), browser.evaluate(steps));
    assert!(still.is_string() && still == later, "{still} {later}");
    press(&mut browser, "Continue");
    browser.wait_for("able('Train') && able('Share')", LONG);

    // The heat maps' captions are there, and an answer with both labels.
    reads(&mut browser, "A: 4 squares");
    put(&mut browser, "a sentence of your own", "A lovely evening.");
    reads(&mut browser, "positive");

    press(&mut browser, "Save");
    let adapter = browser.downloaded("reviews-compacter++-1.safetensors");
    let header = compacter_core::artifact::Header::read(&adapter, "downloaded").unwrap();
    assert_eq!(header.labels, ["negative", "positive"]);
    press(&mut browser, "Export");
    let runs = browser.downloaded("compacter-runs.json");
    let runs: Value = serde_json::from_slice(&runs).unwrap();
    assert_eq!(runs["runs"][0]["steps"], 100);

    let catch = "navigator.clipboard.writeText = async (text) => { globalThis.copied = text; }";
    browser.evaluate(catch);
    press(&mut browser, "Share");
    let link = browser.wait_for("globalThis.copied", MINUTE);
    let link = link.as_str().unwrap();
    assert!(link.starts_with(&format!("{address}#adapter=1.")), "{link}");
    assert_eq!(browser.errors(), [""; 0]);

    let mut other = ground.browser(&[]);
    other.viewport(1600, 1000);
    enter(&mut other, link);
    reads(&mut other, "is loaded: ask it a sentence.");
    put(&mut other, "a sentence of your own", "A lovely evening.");
    reads(&mut other, "positive");
    assert_eq!(other.errors(), [""; 0]);
}

/// A reload in the middle of a run goes on from its last checkpoint; a broken link changes nothing.
pub(crate) fn survives_a_reload(ground: &Ground) {
    let server = ground.serve("/", &[]);
    let mut browser = ground.browser(&[]);
    browser.viewport(1600, 1000);
    enter(&mut browser, &server.address("127.0.0.1", ""));
    shorten(&mut browser, 4000);
    press(&mut browser, "Train");
    let store = "const store = await import(new URL('store.js', document.baseURI));";
    let kept = format!("{store} (await store.get('checkpoint'))?.length > 1000");
    browser.wait_for(&kept, LONG);
    // The state is kept every few seconds.
    let state = format!("{store} JSON.parse(await store.get('state')).runs.length === 1");
    browser.wait_for(&state, MINUTE);
    browser.reload();
    hands(&mut browser);
    reads(&mut browser, "goes on from step");
    browser.wait_for("able('Pause')", MINUTE);
    press(&mut browser, "Stop");
    browser.wait_for("able('Train')", MINUTE);
    assert_eq!(browser.errors(), [""; 0]);

    browser.navigate("about:blank");
    let broken = server.address("127.0.0.1", "#adapter=1.AAAA");
    enter(&mut browser, &broken);
    reads(&mut browser, "the link");
    browser.wait_for("able('Train')", MINUTE);
}

/// A table dropped on the page becomes data; broken files are named.
pub(crate) fn takes_files(ground: &Ground) {
    let server = ground.serve("/", &[]);
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let rows = "a fine film in every way,good\na dull film in every way,bad\n".repeat(10);
    let table = file("films.csv", format!("remark,label\n{rows}").as_bytes());
    let ragged = file("ragged.tsv", b"a\tb\n1\n");
    let adapter = file("broken.safetensors", b"\xff\xff\xff\xff\xff\xff\xff\x7f{}");
    let mut browser = ground.browser(&[]);
    browser.viewport(1600, 1000);
    enter(&mut browser, &server.address("127.0.0.1", ""));
    browser.drop_files(800.0, 400.0, &[&table]);
    reads(&mut browser, "films.csv: 20 rows");
    press(&mut browser, "Use these rows");
    reads(&mut browser, "bad 10 · good 10");
    for (path, words) in [(&ragged, "ragged.tsv:2"), (&adapter, "broken.safetensors")] {
        browser.drop_files(800.0, 400.0, &[path]);
        reads(&mut browser, words);
    }
    reads(&mut browser, "bad 10 · good 10");
    assert_eq!(browser.errors(), [""; 0]);
}

/// The trainer says so when its graphics device goes away; weights as int8 by ranges train as well.
pub(crate) fn loses_its_device(ground: &Ground) {
    let page = r#"<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>trainer</title>
<script>
const worker = new Worker("trainer-worker.js", { type: "module" });
globalThis.reports = [];
worker.onmessage = ({ data }) => reports.push(JSON.parse(data.json));
globalThis.begin = (device, weights) => worker.postMessage({ source: { folder: "t5-nano" }, device, weights });
globalThis.lose = () => worker.postMessage({ lose: true });
</script>"#;
    let server = ground.serve("/", &[("trainer.html", page)]);
    for (device, weights) in [("gpu", "int8"), ("cpu", "f16")] {
        let mut browser = ground.browser(&[]);
        browser.navigate(&server.address("127.0.0.1", "trainer.html"));
        browser.evaluate(&format!("begin({device:?}, {weights:?})"));
        let last = "reports.at(-1)?.report";
        browser.wait_for(&format!("['ready', 'gone'].includes({last})"), LONG);
        let reports = browser.evaluate("reports");
        let reports = reports.as_array().unwrap();
        assert_eq!(reports.last().unwrap()["report"], "ready", "{reports:?}");
        let words = |report: &Value| {
            report["words"]
                .as_str()
                .is_some_and(|w| w.contains(weights))
        };
        assert!(reports.iter().any(words), "{reports:?}");
        if device == "gpu" {
            browser.evaluate("lose()");
            browser.wait_for(&format!("{last} === 'gone'"), MINUTE);
            let message = browser.evaluate("reports.at(-1).message");
            let message = message.as_str().unwrap();
            assert!(message.contains("graphics device was lost"), "{message}");
        }
        assert_eq!(
            browser.evaluate("reports.filter((r) => r.report === 'failed')"),
            json!([])
        );
    }
}
