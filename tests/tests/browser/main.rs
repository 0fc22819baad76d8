//! The page and its trainer in a real browser.
//!
//! Needs `web/dist` (`cargo xtask web`) and `COMPACTER_BROWSER`, the path of a Chromium; without the
//! latter it says that it was skipped. `cargo test --release --workspace --exclude compacter-web --test browser -- panic` runs
//! the tests with that in their names.
#![forbid(unsafe_code)]

mod app;
mod devtools;
mod frames;
mod hands;
mod models;
mod offline;
mod panic;
mod pictures;
mod server;
mod store;
mod trains;
mod troubles;

use devtools::Browser;
use server::Server;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

type Test = (&'static str, fn(&Ground));

const TESTS: [Test; 21] = [
    ("the tests' own hands", hands::reach_the_page),
    ("the page is drawn from any path", draws),
    ("a plain address, without WebGPU", plain_address),
    ("the store", store::keeps_what_it_is_given),
    ("the page after a panic", panic::says_what_happened),
    ("without a network", offline::works_without_a_network),
    ("a new build", offline::a_new_build_replaces_the_old_one),
    ("a model by ranges", models::is_read_by_ranges_and_kept),
    ("whom the page may ask", models::the_page_asks_nobody_else),
    (
        "the app, and a link to another",
        app::trains_keeps_and_shares,
    ),
    ("the app after a reload", app::survives_a_reload),
    ("frames while it trains", frames::cost_little),
    ("the app and files", app::takes_files),
    ("a lost device", app::loses_its_device),
    ("a run and its device", troubles::a_run_outlives_its_device),
    (
        "the kernels",
        troubles::the_device_computes_what_the_cpu_computes,
    ),
    ("a hidden tab", troubles::a_hidden_tab_goes_on),
    (
        "where nothing is kept",
        troubles::trains_where_nothing_is_kept,
    ),
    ("a race, and its runs elsewhere", troubles::runs_travel),
    ("pictures", pictures::look_as_they_should),
    ("training", trains::trains_as_natively),
];

/// What the tests stand on.
struct Ground {
    chromium: String,
    dist: PathBuf,
}

impl Ground {
    fn browser(&self, flags: &[&str]) -> Browser {
        Browser::open(&self.chromium, flags)
    }

    fn serve(&self, base: &str, pages: &[(&str, &str)]) -> Server {
        Server::start(&self.dist, base, pages)
    }
}

fn main() {
    let chromium = std::env::var("COMPACTER_BROWSER").unwrap_or_default();
    if chromium.is_empty() {
        println!("skipped: COMPACTER_BROWSER does not name a Chromium");
        return;
    }
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../web/dist");
    assert!(
        dist.join("trainer_bg.wasm").is_file(),
        "web/dist is not built: run `cargo xtask web` first"
    );
    let ground = Ground { chromium, dist };
    // Flags of the usual harness, which cargo may hand on, are no names.
    let wanted: Vec<_> = std::env::args().skip(1).collect();
    let wanted = wanted.iter().find(|word| !word.starts_with('-'));
    let chosen = |name: &str| wanted.is_none_or(|wanted| name.contains(wanted.as_str()));
    for (name, test) in TESTS.iter().filter(|(name, _)| chosen(name)) {
        let start = Instant::now();
        println!("{name} …");
        test(&ground);
        println!("{name}: {:.1} s", start.elapsed().as_secs_f64());
    }
}

/// For what the page itself does; compiling its module takes a while on a busy machine.
const MINUTE: Duration = Duration::from_secs(60);
/// The element with the words before the first picture goes when the app has started.
const DRAWN: &str = "document.getElementById('app') && !document.getElementById('status')";
/// What the trainer says first, asked of a worker of the test's own.
const READY: &str = r#"new Promise((resolve) => {
  const worker = new Worker("trainer-worker.js", { type: "module" });
  const end = (words) => (worker.terminate(), resolve(words));
  worker.onerror = (error) => end({ report: String(error.message) });
  worker.onmessage = ({ data }) => {
    const said = JSON.parse(data.json);
    if (said.report !== "progress") end(said);
  };
  worker.postMessage({ source: { folder: "t5-nano" }, device: "auto", weights: "f32" });
})"#;

fn draws(ground: &Ground) {
    let server = ground.serve("/some/where/", &[]);
    let mut browser = ground.browser(&[]);
    browser.navigate(&server.address("127.0.0.1", ""));
    browser.wait_for(DRAWN, MINUTE);
    assert_eq!(browser.evaluate(READY)["report"], "ready");
    assert_eq!(browser.errors(), [""; 0]);
    // Headings, words and the canvas's name are there for those who do not see the canvas.
    let label = browser.evaluate("document.querySelector('canvas').getAttribute('aria-label')");
    assert!(label.as_str().is_some_and(|label| !label.is_empty()));
}

/// Neither https nor localhost: browsers offer no WebGPU there, no service worker, no caches.
fn plain_address(ground: &Ground) {
    let server = ground.serve("/", &[]);
    let mut browser = ground.browser(&["--host-resolver-rules=MAP compacter.test 127.0.0.1"]);
    browser.navigate(&server.address("compacter.test", ""));
    browser.wait_for(DRAWN, MINUTE);
    let offered = browser.evaluate("[isSecureContext, 'gpu' in navigator, 'caches' in window]");
    assert_eq!(offered, serde_json::json!([false, false, false]));
    let ready = browser.evaluate(READY);
    assert_eq!(ready["report"], "ready");
    assert_eq!(ready["device"], "CPU");
    assert_eq!(ready["reason"], "this browser offers no WebGPU");
    assert_eq!(browser.errors(), [""; 0]);
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
