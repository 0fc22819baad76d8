//! The developer-tools client itself: each of its hands must reach the page.

use crate::{Ground, MINUTE};
use serde_json::json;

const PAGE: &str = r#"<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>hands</title>
<style>
  body { margin: 0; background: rgb(255, 0, 0) }
  @media (prefers-color-scheme: dark) { body { background: rgb(0, 0, 255) } }
  #field { position: absolute; left: 100px; top: 100px; width: 200px; height: 40px }
  #area { position: absolute; left: 400px; top: 100px; width: 200px; height: 200px; background: white }
</style>
<input id="field"><input id="chooser" type="file"><div id="area"></div>
<script>
const said = [];
const field = document.getElementById("field");
field.onkeydown = ({ key }) => said.push("key " + key);
document.getElementById("chooser").onchange = async ({ target }) =>
  said.push("chosen " + (await target.files[0].text()));
const area = document.getElementById("area");
area.onclick = ({ offsetX, offsetY }) => said.push(`click ${offsetX} ${offsetY}`);
area.ondragover = (event) => event.preventDefault();
area.ondrop = async (event) => {
  event.preventDefault();
  said.push("dropped " + (await event.dataTransfer.files[0].text()));
};
</script>"#;

pub(crate) fn reach_the_page(ground: &Ground) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.tsv");
    std::fs::write(&file, "a text\ta label").unwrap();
    let server = ground.serve("/", &[("hands.html", PAGE)]);
    let mut browser = ground.browser(&[]);
    browser.viewport(800, 600);
    browser.navigate(&server.address("127.0.0.1", "hands.html"));

    browser.click_on("#field");
    browser.type_text("Grüße");
    browser.press("Backspace");
    assert_eq!(browser.evaluate("field.value"), "Grüß");
    browser.click(410.0, 130.0);
    browser.drop_files(450.0, 150.0, &[&file]);
    browser.choose_files("#chooser", &[&file]);
    browser.wait_for("said.length === 4", MINUTE);
    let mut said: Vec<String> = serde_json::from_value(browser.evaluate("said")).unwrap();
    // The two files are read at the same time.
    said[2..].sort();
    assert_eq!(
        said,
        [
            "key Backspace",
            "click 10 30",
            "chosen a text\ta label",
            "dropped a text\ta label"
        ]
    );
    sees(&mut browser, folder.path());
    hears(&mut browser);
}

/// The picture has the size of the page and shows what the page shows.
fn sees(browser: &mut crate::Browser, folder: &std::path::Path) {
    let colour = "getComputedStyle(document.body).backgroundColor";
    assert_eq!(browser.evaluate(colour), "rgb(255, 0, 0)");
    browser.colour_scheme("dark");
    assert_eq!(browser.evaluate(colour), "rgb(0, 0, 255)");
    let path = folder.join("hands.png");
    browser.screenshot(&path);
    let image = std::fs::read(&path).unwrap();
    assert_eq!(&image[..8], b"\x89PNG\r\n\x1a\n");
    let number = |at: usize| u32::from_be_bytes(image[at..at + 4].try_into().unwrap());
    assert_eq!((number(16), number(20)), (800, 600));
}

fn hears(browser: &mut crate::Browser) {
    assert_eq!(browser.errors(), [""; 0]);
    browser.evaluate("console.error('one', 2)");
    browser.evaluate("setTimeout(() => { throw new Error('three') })");
    browser.evaluate(
        "new Promise((resolve) => Object.assign(new Image(), { onerror: resolve, src: 'four.png' }))",
    );
    let errors = browser.errors();
    for (error, words) in errors.iter().zip(["one 2", "three", "four.png"]) {
        assert!(error.contains(words), "{errors:?}");
    }
    assert_eq!(errors.len(), 3, "{errors:?}");
    assert_eq!(browser.evaluate("confirm('five')"), true);
    assert_eq!(browser.dialogs(), ["five"]);
    let refused = browser.try_evaluate("await Promise.reject(new Error('six'))", MINUTE);
    assert!(refused.is_err_and(|error| error.contains("six")));
    assert_eq!(browser.evaluate("await [1, 'two']"), json!([1, "two"]));
}
