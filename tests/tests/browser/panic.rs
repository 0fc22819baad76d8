//! A module that has panicked leaves a page in words, from which everything saved can be had.

use crate::{DRAWN, Ground, MINUTE};
use serde_json::json;

const STORE: &str = "const store = await import(new URL('store.js', document.baseURI));";
const STATE: &str = r#"{"runs": ["Grüße"]}"#;
const SHOWN: &str = "!document.getElementById('panic').hidden";

pub(crate) fn says_what_happened(ground: &Ground) {
    let server = ground.serve("/", &[]);
    let mut browser = ground.browser(&[]);
    browser.navigate(&server.address("127.0.0.1", ""));
    browser.wait_for(DRAWN, MINUTE);
    assert_eq!(browser.errors(), [""; 0]);

    panic(&mut browser);
    let nothing = "document.getElementById('panic-saved').textContent.includes('No runs')";
    browser.wait_for(nothing, MINUTE);
    let hidden = "document.getElementById('panic-save').hidden";
    assert_eq!(browser.evaluate(hidden), true);
    // What the program said stands there as text, whatever it looks like.
    let reason = "document.getElementById('panic-reason')";
    let words = browser.evaluate(&format!("{reason}.textContent"));
    assert!(words.as_str().unwrap().contains("<b>no markup</b>"));
    assert_eq!(
        browser.evaluate(&format!("{reason}.children.length")),
        json!(0)
    );
    readable(&mut browser);

    browser.evaluate(&format!(
        "{STORE} await store.put('state', {})",
        json!(STATE)
    ));
    browser.click_on("#panic-reload");
    browser.wait_for(DRAWN, MINUTE);
    panic(&mut browser);
    browser.wait_for("!document.getElementById('panic-save').hidden", MINUTE);
    browser.click_on("#panic-save");
    assert_eq!(browser.downloaded("compacter-runs.json"), STATE.as_bytes());

    browser.click_on("#panic-afresh");
    browser.wait_for(DRAWN, MINUTE);
    assert!(browser.dialogs()[0].contains("cannot be undone"));
    let keys = browser.evaluate(&format!("{STORE} await store.keys()"));
    assert_eq!(keys, json!([]));
    loses_its_context(&mut browser);
}

fn panic(browser: &mut crate::Browser) {
    let provoke = "const page = await import(new URL('page.js', document.baseURI)); \
                   page.panicOnPurpose('<b>no markup</b>')";
    let trap = browser.try_evaluate(provoke, MINUTE).unwrap_err();
    assert!(trap.contains("unreachable"), "{trap}");
    browser.wait_for(SHOWN, MINUTE);
    assert_eq!(
        browser.evaluate("document.querySelector('canvas')"),
        json!(null)
    );
}

/// Enough contrast on the ground of either theme.
fn readable(browser: &mut crate::Browser) {
    for (scheme, ground, ink) in [
        ("light", "rgb(250, 250, 251)", "rgb(25, 27, 32)"),
        ("dark", "rgb(15, 16, 20)", "rgb(232, 233, 237)"),
    ] {
        browser.colour_scheme(scheme);
        let colours = browser.evaluate(
            "[getComputedStyle(document.body).backgroundColor, \
              getComputedStyle(document.getElementById('panic-reload')).color]",
        );
        assert_eq!(colours, json!([ground, ink]));
    }
}

/// A canvas that can no longer be drawn on ends in the same page.
fn loses_its_context(browser: &mut crate::Browser) {
    browser.evaluate(
        "document.getElementById('app').getContext('webgl2') \
         .getExtension('WEBGL_lose_context').loseContext()",
    );
    browser.wait_for(SHOWN, MINUTE);
    let words = browser.evaluate("document.getElementById('panic-reason').textContent");
    assert!(words.as_str().unwrap().contains("graphics context"));
}
