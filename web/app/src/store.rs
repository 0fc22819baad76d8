//! What the page keeps in the browser: strings and bytes by key, through `store.js`.
//!
//! The values lie in IndexedDB, outside this wasm instance, so that a panic or a closed tab loses
//! nothing. The key `state` is the app's own: the page shown after a panic offers it as a file.
//! Errors are sentences that can be shown as they are.

use js_sys::{Array, Error, Uint8Array};
use wasm_bindgen::prelude::*;

#[wasm_bindgen(raw_module = "./store.js")]
extern "C" {
    #[wasm_bindgen(catch, js_name = put)]
    async fn put_value(key: &str, value: JsValue) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = get)]
    async fn get_value(key: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = remove)]
    async fn remove_value(key: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = keys)]
    async fn list_keys(prefix: &str) -> Result<JsValue, JsValue>;
}

/// The sentence of an error that came from `store.js`.
fn sentence(error: JsValue) -> String {
    match error.dyn_into::<Error>() {
        Ok(error) => error.message().into(),
        Err(other) => format!("{other:?}"),
    }
}

fn wrong_kind(key: &str, wanted: &str) -> String {
    format!(
        "What is kept as {key} is not {wanted}; another version of this page may have written it. \
         Start afresh to be rid of it."
    )
}

/// Keeps a text under a key, in place of what was there.
///
/// # Errors
/// The browser forbids storage, or it is full.
pub async fn put_text(key: &str, text: &str) -> Result<(), String> {
    let kept = put_value(key, text.into()).await;
    kept.map(|_| ()).map_err(sentence)
}

/// Keeps bytes under a key, in place of what was there.
///
/// # Errors
/// The browser forbids storage, or it is full.
pub async fn put_bytes(key: &str, bytes: &[u8]) -> Result<(), String> {
    let kept = put_value(key, Uint8Array::from(bytes).into()).await;
    kept.map(|_| ()).map_err(sentence)
}

/// The text kept under a key, if there is one.
///
/// # Errors
/// The browser forbids storage, or bytes are kept there.
pub async fn get_text(key: &str) -> Result<Option<String>, String> {
    let value = get_value(key).await.map_err(sentence)?;
    if value.is_undefined() {
        return Ok(None);
    }
    let text = value.as_string().ok_or_else(|| wrong_kind(key, "a text"))?;
    Ok(Some(text))
}

/// The bytes kept under a key, if there are any.
///
/// # Errors
/// The browser forbids storage, or a text is kept there.
pub async fn get_bytes(key: &str) -> Result<Option<Vec<u8>>, String> {
    let value = get_value(key).await.map_err(sentence)?;
    if value.is_undefined() {
        return Ok(None);
    }
    let bytes = value.dyn_into::<Uint8Array>();
    let bytes = bytes.map_err(|_| wrong_kind(key, "bytes"))?;
    Ok(Some(bytes.to_vec()))
}

/// Forgets a key; one that is not there is no error.
///
/// # Errors
/// The browser forbids storage.
pub async fn remove(key: &str) -> Result<(), String> {
    let removed = remove_value(key).await;
    removed.map(|_| ()).map_err(sentence)
}

/// All keys that begin with `prefix`, in order.
///
/// # Errors
/// The browser forbids storage.
pub async fn keys(prefix: &str) -> Result<Vec<String>, String> {
    let keys = list_keys(prefix).await.map_err(sentence)?;
    let keys = Array::from(&keys);
    Ok(keys.iter().filter_map(|key| key.as_string()).collect())
}
