//! Models that the page reads itself: by ranges, kept by the browser; and whom it may ask for them.

use crate::{DRAWN, Ground, MINUTE};
use serde_json::json;

const PAGE: &str = r#"<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>models</title>
<script type="module">
const { open } = await import("./hub.js");
globalThis.visit = async () => {
  let told = 0;
  const model = await open({ folder: "t5-nano" }, { progress: (bytes) => (told += bytes) });
  const config = JSON.parse(await model.text("config.json"));
  const [weights] = await model.weights();
  const { dtype, shape, start, end } = weights.tensors.get("shared.weight");
  const bytes = await weights.read(start, end);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const hex = Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return { told, d_model: config.d_model, size: weights.size, dtype, shape, hex };
};
</script>"#;

pub(crate) fn is_read_by_ranges_and_kept(ground: &Ground) {
    let mut server = ground.serve("/", &[("models.html", PAGE)]);
    let mut browser = ground.browser(&[]);
    browser.navigate(&server.address("127.0.0.1", "models.html"));
    browser.wait_for("globalThis.visit", MINUTE);
    let first = browser.evaluate("visit()");
    let weights = compacter_assets::WEIGHTS;
    let file = safetensors::SafeTensors::deserialize(weights).unwrap();
    let tensor = file.tensor("shared.weight").unwrap();
    assert_eq!(first["hex"], crate::sha256(tensor.data()));
    assert_eq!(first["shape"], json!(tensor.shape()));
    assert_eq!(first["size"], json!(weights.len()));
    // The configuration, the header and this tensor, and not the whole file.
    let told = first["told"].as_u64().unwrap() as usize;
    let header = u64::from_le_bytes(weights[..8].try_into().unwrap()) as usize;
    let wanted = compacter_assets::CONFIG.len() + 8 + header + tensor.data().len();
    assert_eq!(told, wanted);
    assert!(told < weights.len());

    server.stop();
    assert_eq!(browser.evaluate("visit()"), first);
}

/// The page's policy lets it ask its own server and the Hub's, and nobody else.
pub(crate) fn the_page_asks_nobody_else(ground: &Ground) {
    let server = ground.serve("/", &[]);
    // No name is known but this machine's, so that nothing leaves it.
    let nobody = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1";
    let mut browser = ground.browser(&[nobody]);
    browser.navigate(&server.address("127.0.0.1", ""));
    browser.wait_for(DRAWN, MINUTE);
    // The trainer's worker asks for models, under the same policy.
    let mut forbidden = |address: &str| {
        let script = format!(
            "new Promise((resolve) => {{ \
               addEventListener('securitypolicyviolation', () => resolve(true), {{ once: true }}); \
               fetch('{address}').catch(() => setTimeout(resolve, 200, false)); }})"
        );
        let (page, worker) = (
            browser.evaluate(&script),
            browser.evaluate_in_worker(&script),
        );
        assert_eq!(page, worker, "{address}");
        page
    };
    for allowed in [
        "https://huggingface.co/google-t5/t5-small/resolve/main/config.json",
        "https://cdn-lfs.huggingface.co/x",
        "https://us.aws.cdn.hf.co/x",
        "https://cas-bridge.xethub.hf.co/x",
    ] {
        assert_eq!(forbidden(allowed), false, "{allowed}");
    }
    for other in [
        "http://huggingface.co/x",
        "https://huggingface.co.example.com/x",
        "https://hf.co.example.com/x",
        "https://example.com/x",
    ] {
        assert_eq!(forbidden(other), true, "{other}");
    }
}
