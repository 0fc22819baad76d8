//! The page as it looks at three widths, by day and by night: at rest, in mid-run, after a race, with
//! an error. The pictures lie in `target/tmp/screens`, or, of longer runs, in the folder that
//! `COMPACTER_SCREENS` names.

use crate::app::{LONG, enter, press, put, reads};
use crate::{Browser, Ground, MINUTE};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Where the pictures go, and how long the runs on them are.
struct Studio {
    folder: PathBuf,
    rows: usize,
    steps: usize,
    batch: usize,
}

impl Studio {
    fn new() -> Self {
        match std::env::var_os("COMPACTER_SCREENS") {
            Some(folder) => Self {
                // A test runs in its package's folder, a person in the repository's.
                folder: Path::new(env!("CARGO_MANIFEST_DIR"))
                    .join("..")
                    .join(folder),
                rows: 540,
                steps: 20,
                batch: 32,
            },
            None => Self {
                folder: Path::new(env!("CARGO_TARGET_TMPDIR")).join("screens"),
                rows: 24,
                steps: 10,
                batch: 4,
            },
        }
    }

    /// Takes a picture of a page that is `width` points wide, and says how wide what it shows is.
    fn shoot(&self, browser: &mut Browser, name: &str, width: u32, height: u32, scheme: &str) {
        browser.colour_scheme(scheme);
        browser.viewport(width, height);
        // The canvas follows with its next frames.
        browser.evaluate("new Promise((resolve) => setTimeout(resolve, 1500))");
        let canvas = "document.querySelector('canvas').clientWidth";
        assert_eq!(browser.evaluate(canvas), width, "{name}");
        browser.screenshot(&self.folder.join(format!("{name}.png")));
    }
}

/// Takes all of them; the time to the first step is told on the way.
pub(crate) fn look_as_they_should(ground: &Ground) {
    let studio = Studio::new();
    std::fs::create_dir_all(&studio.folder).unwrap();
    let server = ground.serve("/", &[]);
    let mut browser = ground.browser(&[]);
    browser.viewport(1600, 1000);
    let opened = Instant::now();
    enter(&mut browser, &server.address("127.0.0.1", ""));
    let drawn = opened.elapsed();
    browser.wait_for("able('Train')", LONG);
    let ready = opened.elapsed();
    studio.shoot(&mut browser, "wide-light-rest", 1600, 1000, "light");
    put(&mut browser, "training rows", &studio.rows.to_string());
    put(&mut browser, "steps", &studio.steps.to_string());
    put(&mut browser, "rows a step", &studio.batch.to_string());
    runs(&mut browser, &studio, [drawn, ready]);
    press(&mut browser, "Race all methods");
    let methods = compacter_core::method::NAMES.len();
    let trained =
        format!("all().filter((e) => e.textContent === 'Delete').length === {methods} + 1");
    let long = LONG * methods as u32;
    browser.wait_for(&format!("able('Train') && {trained}"), long);
    press(&mut browser, "Where it is most wrong");
    reads(&mut browser, "held-out rows are wrong");
    for (name, width, height, scheme) in [
        ("wide-dark-race", 1600, 1000, "dark"),
        ("medium-light-race", 820, 1180, "light"),
        ("wide-light-race", 1600, 1000, "light"),
    ] {
        studio.shoot(&mut browser, name, width, height, scheme);
    }
    narrow(&mut browser, &studio);
    assert_eq!(browser.errors(), [""; 0]);
}

/// A run under way, and what it took to come there.
fn runs(browser: &mut Browser, studio: &Studio, [drawn, ready]: [Duration; 2]) {
    let pressed = Instant::now();
    press(browser, "Train");
    browser.wait_for(
        "/[1-9]\\d* \\/ \\d+ steps/.test(document.getElementById('mirror').textContent)",
        LONG,
    );
    println!(
        "opened, drawn after {drawn:.1?}, the trainer ready after {ready:.1?}, the first step {:.1?} \
         after Train, the untouched model scored before it",
        pressed.elapsed()
    );
    reads(browser, "rows/s");
    studio.shoot(browser, "medium-dark-running", 820, 1180, "dark");
    studio.shoot(browser, "wide-light-running", 1600, 1000, "light");
    browser.wait_for("able('Train') && able('Share')", LONG);
}

/// A telephone's width: the plot, a sentence tried, a file that is none.
fn narrow(browser: &mut Browser, studio: &Studio) {
    browser.viewport(360, 780);
    for (tab, name, scheme) in [
        ("Plot", "narrow-light-plot", "light"),
        ("Try", "narrow-dark-try", "dark"),
    ] {
        press(browser, tab);
        studio.shoot(browser, name, 360, 780, scheme);
    }
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("ragged.tsv");
    std::fs::write(&broken, "a\tb\n1\n").unwrap();
    press(browser, "Run");
    browser.drop_files(180.0, 400.0, &[&broken]);
    browser.wait_for("reads('ragged.tsv:2')", MINUTE);
    studio.shoot(browser, "narrow-light-error", 360, 780, "light");
}
