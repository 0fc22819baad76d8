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
    // What the program said stands there as text, whatever it looks like.
    let reason = "document.getElementById('panic-reason')";
    let words = browser.evaluate(&format!("{reason}.textContent"));
    assert!(words.as_str().unwrap().contains("<b>no markup</b>"));
    let children = browser.evaluate(&format!("{reason}.children.length"));
    assert_eq!(children, json!(0));
    readable(&mut browser);
    offers_what_is_saved(&mut browser);

    browser.click_on("#panic-reload");
    browser.wait_for(DRAWN, MINUTE);
    panic(&mut browser);
    browser.evaluate(&format!("{STORE} await store.put('of old', 'a run')"));
    browser.click_on("#panic-afresh");
    browser.wait_for(DRAWN, MINUTE);
    assert!(browser.dialogs()[0].contains("cannot be undone"));
    let gone = browser.evaluate(&format!("{STORE} await store.get('of old') === undefined"));
    assert_eq!(gone, true);
    loses_its_context(&mut browser);
}

fn panic(browser: &mut crate::Browser) {
    let provoke = "const page = await import(new URL('page.js', document.baseURI)); \
                   page.panicOnPurpose('<b>no markup</b>')";
    let trap = browser.try_evaluate(provoke, MINUTE).unwrap_err();
    assert!(trap.contains("unreachable"), "{trap}");
    browser.wait_for(SHOWN, MINUTE);
    let canvas = browser.evaluate("document.querySelector('canvas')");
    assert_eq!(canvas, json!(null));
}

/// The app no longer writes once it has panicked: from here on the test says what is saved, and shows
/// the page anew.
fn offers_what_is_saved(browser: &mut crate::Browser) {
    let again = |number: u8| {
        format!(
            "document.getElementById('panic').hidden = true; \
             (await import(new URL('panic.js?{number}', document.baseURI))).panicked('again')"
        )
    };
    let says = |words: &str| {
        format!("document.getElementById('panic-saved').textContent.includes('{words}')")
    };
    let hidden = "document.getElementById('panic-save').hidden";
    browser.evaluate(&format!("{STORE} await store.clear(); {}", again(1)));
    browser.wait_for(&says("No runs"), MINUTE);
    assert_eq!(browser.evaluate(hidden), true);

    let state = json!(STATE);
    browser.evaluate(&format!(
        "{STORE} await store.put('state', {state}); {}",
        again(2)
    ));
    browser.wait_for(&says("saved in this browser"), MINUTE);
    assert_eq!(browser.evaluate(hidden), false);
    browser.click_on("#panic-save");
    let file = browser.downloaded("compacter-runs.json");
    assert_eq!(file, STATE.as_bytes());
    browser.evaluate(&format!("{STORE} await store.clear()"));
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
