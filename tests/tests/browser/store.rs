//! What the page keeps comes back, and what cannot be kept is said in words.

use crate::Ground;
use serde_json::json;

const PAGE: &str = r#"<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>store</title>
<script type="module">globalThis.store = await import("./store.js");</script>"#;

pub(crate) fn keeps_what_it_is_given(ground: &Ground) {
    let server = ground.serve("/", &[("store.html", PAGE)]);
    let mut browser = ground.browser(&[]);
    browser.navigate(&server.address("127.0.0.1", "store.html"));
    browser.wait_for("globalThis.store", crate::MINUTE);
    browser.evaluate(
        "await store.put('state', '{\"runs\": [\"Grüße\"]}'); \
         await store.put('run/2', new Uint8Array([0, 255, 7])); \
         await store.put('run/1', 'old'); \
         await store.put('run/1', 'new');",
    );
    browser.reload();
    browser.wait_for("globalThis.store", crate::MINUTE);
    let state = browser.evaluate("await store.get('state')");
    assert_eq!(state, "{\"runs\": [\"Grüße\"]}");
    let bytes = "const bytes = await store.get('run/2'); [bytes instanceof Uint8Array, ...bytes]";
    assert_eq!(browser.evaluate(bytes), json!([true, 0, 255, 7]));
    let keys = browser.evaluate("await store.keys('run/')");
    assert_eq!(keys, json!(["run/1", "run/2"]));
    assert_eq!(browser.evaluate("await store.get('run/1')"), "new");

    browser.evaluate("await store.remove('run/1'); await store.remove('never there')");
    let gone = browser.evaluate("await store.get('run/1') === undefined");
    assert_eq!(gone, true);
    browser.evaluate("await store.clear()");
    assert_eq!(browser.evaluate("await store.keys()"), json!([]));
    assert_eq!(browser.errors(), [""; 0]);
    refuses_in_words(&mut browser);
}

fn refuses_in_words(browser: &mut crate::Browser) {
    let refusal = |browser: &mut crate::Browser, script: &str| {
        let error = browser.try_evaluate(script, crate::MINUTE).unwrap_err();
        error.lines().next().unwrap_or_default().to_string()
    };
    let kind = refusal(browser, "await store.put('state', { an: 'object' })");
    assert!(
        kind.contains("state: only strings and bytes are kept"),
        "{kind}"
    );
    // A transaction that the browser gives up for want of space.
    let full = refusal(
        browser,
        "const abort = IDBTransaction.prototype.__lookupGetter__('error'); \
         Object.defineProperty(IDBTransaction.prototype, 'error', \
           { get: () => new DOMException('', 'QuotaExceededError') }); \
         const put = IDBObjectStore.prototype.put; \
         IDBObjectStore.prototype.put = function (...what) { \
           const request = put.apply(this, what); this.transaction.abort(); return request; }; \
         try { await store.put('state', 'much') } finally { \
           IDBObjectStore.prototype.put = put; \
           Object.defineProperty(IDBTransaction.prototype, 'error', { get: abort }); }",
    );
    assert!(full.contains("Delete some runs"), "{full}");
    // Another instance of the module, in a browser that offers no database.
    let forbidden = refusal(
        browser,
        "Object.defineProperty(globalThis, 'indexedDB', { value: undefined }); \
         const other = await import(new URL('store.js?other', document.baseURI)); \
         await other.put('state', 'a text')",
    );
    assert!(
        forbidden.contains("keeps nothing for this page"),
        "{forbidden}"
    );
}
