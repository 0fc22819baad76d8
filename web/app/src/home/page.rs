//! The browser as the place where the page keeps things.

use super::{Arrival, Home};
use crate::state::Base;
use crate::store;
use eframe::egui::{Context, DroppedFileHandle};
use js_sys::{Array, Uint8Array};
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

#[wasm_bindgen(raw_module = "./files.js")]
extern "C" {
    #[wasm_bindgen(catch)]
    async fn pick() -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = pickBase)]
    async fn pick_base() -> Result<JsValue, JsValue>;
    fn save(name: &str, bytes: Uint8Array);
    #[wasm_bindgen(catch, js_name = savePicture)]
    async fn save_picture(name: &str, svg: &str) -> Result<JsValue, JsValue>;
    fn address() -> String;
    fn fragment() -> String;
    fn say(words: &str);
}

/// The browser's store, its file picker and its downloads.
#[derive(Debug)]
pub struct Page {
    arrivals: Receiver<Arrival>,
    outbox: Outbox,
}

#[derive(Debug, Clone)]
struct Outbox {
    sender: Sender<Arrival>,
    context: Context,
}

impl Outbox {
    fn send(&self, arrival: Arrival) {
        // The receiver lives as long as the page.
        let _ = self.sender.send(arrival);
        self.context.request_repaint();
    }

    fn trouble(&self, result: Result<(), String>) {
        if let Err(words) = result {
            self.send(Arrival::Trouble(words));
        }
    }
}

async fn read_all() -> Result<BTreeMap<String, Vec<u8>>, String> {
    let mut kept = BTreeMap::new();
    for key in store::keys("").await? {
        // The state is text, so that the page after a panic can offer it as a file.
        let bytes = match key.as_str() {
            crate::state::STATE => store::get_text(&key).await?.map(String::into_bytes),
            _ => store::get_bytes(&key).await?,
        };
        if let Some(bytes) = bytes {
            kept.insert(key, bytes);
        }
    }
    Ok(kept)
}

impl Page {
    /// Reads what is kept, and the page's address.
    pub fn open(context: &Context) -> Self {
        let (sender, arrivals) = channel();
        let context = context.clone();
        let outbox = Outbox { sender, context };
        let home = outbox.clone();
        spawn_local(async move {
            let kept = read_all().await;
            home.send(Arrival::Kept(kept.clone().unwrap_or_default()));
            home.trouble(kept.map(|_| ()));
            if let Some(text) = fragment().strip_prefix("#adapter=") {
                home.send(Arrival::Link(text.into()));
            }
        });
        Self { arrivals, outbox }
    }
}

impl Home for Page {
    fn keep(&self, key: &str, bytes: Vec<u8>) {
        let (home, key) = (self.outbox.clone(), key.to_string());
        spawn_local(async move {
            home.trouble(match key.as_str() {
                crate::state::STATE => {
                    store::put_text(&key, &String::from_utf8_lossy(&bytes)).await
                }
                _ => store::put_bytes(&key, &bytes).await,
            });
        });
    }

    fn forget(&self, key: &str) {
        let (home, key) = (self.outbox.clone(), key.to_string());
        spawn_local(async move { home.trouble(store::remove(&key).await) });
    }

    fn save(&self, name: &str, bytes: Vec<u8>) {
        save(name, Uint8Array::from(&bytes[..]));
    }

    fn save_picture(&self, name: &str, svg: &str) {
        let (home, name, svg) = (self.outbox.clone(), name.to_string(), svg.to_string());
        spawn_local(async move {
            if let Err(error) = save_picture(&name, &svg).await {
                home.send(Arrival::Trouble(format!("{name}: {error:?}")));
            }
        });
    }

    fn pick(&self) {
        let home = self.outbox.clone();
        spawn_local(async move {
            let picked = pick().await.map(|picked| Array::from(&picked));
            let Ok(picked) = picked else { return };
            let (name, bytes) = (picked.get(0).as_string(), picked.get(1));
            if let (Some(name), Ok(bytes)) = (name, bytes.dyn_into::<Uint8Array>()) {
                let bytes = bytes.to_vec();
                home.send(Arrival::File { name, bytes });
            }
        });
    }

    fn pick_base(&self) {
        let home = self.outbox.clone();
        spawn_local(async move {
            if pick_base().await.is_ok_and(|chosen| chosen.is_truthy()) {
                home.send(Arrival::Base(Base::Files));
            }
        });
    }

    fn read(&self, file: DroppedFileHandle) {
        let home = self.outbox.clone();
        spawn_local(async move {
            let name = file.path().display().to_string();
            home.send(match file.bytes_async().await {
                Ok(bytes) => Arrival::File { name, bytes },
                Err(error) => Arrival::Trouble(format!("{name} cannot be read: {error}")),
            });
        });
    }

    fn link(&self, text: &str) -> String {
        format!("{}#adapter={text}", address())
    }

    fn say(&self, words: &str) {
        say(words);
    }

    fn receive(&self) -> Option<Arrival> {
        self.arrivals.try_recv().ok()
    }
}
