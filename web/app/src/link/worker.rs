//! The trainer in a worker with a module of its own.

use super::Link;
use crate::state::{Base, Start};
use compacter_core::train::{Command, Report};
use eframe::egui::Context;
use js_sys::{Object, Reflect, Uint8Array};
use std::sync::mpsc::{Receiver, Sender, channel};
use wasm_bindgen::prelude::*;
use web_sys::{MessageEvent, Worker};

#[wasm_bindgen(raw_module = "./files.js")]
extern "C" {
    #[wasm_bindgen(js_name = chosenBase)]
    fn chosen_base() -> JsValue;
}

#[wasm_bindgen(raw_module = "./trainer-link.js")]
extern "C" {
    #[wasm_bindgen(catch, js_name = startTrainer)]
    fn start_trainer() -> Result<Worker, JsValue>;
}

/// The worker, and what it has said.
#[derive(Debug)]
pub struct PageWorker {
    worker: Option<Worker>,
    reports: Receiver<Report>,
    /// Called by the browser for as long as the link lives.
    _listener: Closure<dyn FnMut(MessageEvent)>,
}

fn field(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &name.into()).unwrap_or(JsValue::UNDEFINED)
}

fn object(fields: &[(&str, JsValue)]) -> Object {
    let object = Object::new();
    for (name, value) in fields {
        // Setting a field of a fresh object cannot fail.
        let _ = Reflect::set(&object, &(*name).into(), value);
    }
    object
}

/// A message of the worker as a report.
fn report(data: &JsValue) -> Report {
    let json = field(data, "json").as_string().unwrap_or_default();
    let bytes = field(data, "bytes").dyn_into::<Uint8Array>();
    match serde_json::from_str::<Report>(&json) {
        Ok(report) => report.with_bytes(bytes.ok().map(|bytes| bytes.to_vec())),
        Err(error) => gone(format!("the trainer's message is unreadable: {error}")),
    }
}

fn gone(message: String) -> Report {
    Report::Gone { message }
}

fn begin(listener: &Closure<dyn FnMut(MessageEvent)>, start: &Start) -> Result<Worker, JsValue> {
    let worker = start_trainer()?;
    worker.set_onmessage(Some(listener.as_ref().unchecked_ref()));
    let source = match &start.base {
        Base::Bundled => object(&[("folder", compacter_assets::MODEL_NAME.into())]),
        Base::Named(id) => object(&[("hub", id.as_str().into())]),
        Base::Files => object(&[("files", chosen_base())]),
    };
    let first = [
        ("source", source.into()),
        ("device", start.device.name().into()),
        ("weights", start.weights.name().into()),
    ];
    worker.post_message(&object(&first))?;
    Ok(worker)
}

impl PageWorker {
    /// Starts the worker, which loads the base beside the page.
    pub fn open(context: &Context, start: &Start) -> Self {
        let (sender, reports): (Sender<Report>, _) = channel();
        let (outbox, context) = (sender.clone(), context.clone());
        let listener = Closure::new(move |event: MessageEvent| {
            // The receiver lives as long as this closure.
            let _ = outbox.send(report(&event.data()));
            context.request_repaint();
        });
        let worker = match begin(&listener, start) {
            Ok(worker) => Some(worker),
            Err(error) => {
                let _ = sender.send(gone(format!("the trainer does not start: {error:?}")));
                None
            }
        };
        Self {
            worker,
            reports,
            _listener: listener,
        }
    }
}

impl Drop for PageWorker {
    fn drop(&mut self) {
        if let Some(worker) = &self.worker {
            worker.terminate();
        }
    }
}

impl Link for PageWorker {
    fn send(&self, mut command: Command) {
        let bytes = command.take_bytes();
        let (Some(worker), Ok(json)) = (&self.worker, serde_json::to_string(&command)) else {
            return;
        };
        let bytes = bytes.map_or(JsValue::UNDEFINED, |bytes| {
            Uint8Array::from(&bytes[..]).into()
        });
        let message = object(&[("json", json.into()), ("bytes", bytes)]);
        let _ = worker.post_message(&message);
    }

    fn receive(&self) -> Option<Report> {
        self.reports.try_recv().ok()
    }
}
