//! The page without a network, and a new build in place of an old one.

use crate::server::Server;
use crate::{Browser, DRAWN, Ground, MINUTE, READY, sha256};
use serde_json::json;
use std::path::Path;

/// The first visit is over once the service worker has everything.
const KEPT: &str =
    "(await navigator.serviceWorker.getRegistration())?.active?.state === 'activated'";

fn first_visit(ground: &Ground, server: &Server) -> Browser {
    let mut browser = ground.browser(&[]);
    browser.navigate(&server.address("127.0.0.1", ""));
    browser.wait_for(DRAWN, MINUTE);
    browser.wait_for(KEPT, MINUTE);
    browser
}

pub(crate) fn works_without_a_network(ground: &Ground) {
    let mut server = ground.serve("/some/where/", &[]);
    let mut browser = first_visit(ground, &server);
    server.stop();
    let unreachable = browser.try_evaluate("fetch('not-kept.txt')", MINUTE);
    assert!(unreachable.is_err(), "the server still answers");
    browser.errors();

    browser.reload();
    browser.wait_for(DRAWN, MINUTE);
    assert_eq!(browser.evaluate(READY)["report"], "ready");
    // The browser asks whether there is a new build and may say that it got no answer.
    let errors = browser.errors();
    let others: Vec<_> = errors
        .iter()
        .filter(|error| !error.contains("sw.js"))
        .collect();
    assert_eq!(others, [""; 0]);
}

pub(crate) fn a_new_build_replaces_the_old_one(ground: &Ground) {
    let folder = tempfile::tempdir().unwrap();
    copy(&ground.dist, folder.path());
    let server = Server::start(folder.path(), "/", &[]);
    let mut browser = first_visit(ground, &server);
    let old = browser.evaluate("document.title");

    // Published by half: the list is new, the file that it lists is not there yet.
    let change = Change::of(folder.path());
    change.publish_list(folder.path());
    browser.evaluate("(await navigator.serviceWorker.getRegistration()).update().catch(() => {})");
    browser.wait_for(
        "!(await navigator.serviceWorker.getRegistration()).installing",
        MINUTE,
    );
    browser.reload();
    browser.wait_for(DRAWN, MINUTE);
    assert_eq!(browser.evaluate("document.title"), old);

    change.publish_page(folder.path());
    browser.reload();
    browser.wait_for(
        "(await navigator.serviceWorker.getRegistration()).waiting",
        MINUTE,
    );
    assert_eq!(
        browser.evaluate("document.title"),
        old,
        "the old build, whole"
    );
    browser.reload();
    browser.wait_for("document.title === 'A new build'", MINUTE);
    browser.wait_for(DRAWN, MINUTE);
    let builds =
        "(await caches.keys()).filter((name) => name.startsWith('compacter-build-')).length";
    browser.wait_for(&format!("{builds} === 1"), MINUTE);
    assert_eq!(browser.evaluate("document.title"), json!("A new build"));
}

/// A build that differs in its page.
struct Change {
    page: String,
    list: String,
}

impl Change {
    fn of(folder: &Path) -> Self {
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        let (page, list) = (read("index.html"), read("sw.js"));
        let start = page.find("<title>").unwrap() + "<title>".len();
        let end = page.find("</title>").unwrap();
        let new = format!("{}A new build{}", &page[..start], &page[end..]);
        let list = list.replace(&sha256(page.as_bytes()), &sha256(new.as_bytes()));
        let build = list.lines().next().unwrap().to_string();
        Self {
            page: new,
            list: list.replace(&build, "const BUILD = \"another\";"),
        }
    }

    fn publish_list(&self, folder: &Path) {
        std::fs::write(folder.join("sw.js"), &self.list).unwrap();
    }

    fn publish_page(&self, folder: &Path) {
        std::fs::write(folder.join("index.html"), &self.page).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(&path, &to).unwrap();
        }
    }
}
