//! The browser's side: a module worker's script calls these, one call after the other.

use crate::Desk;
use compacter_core::train::{Command, Report};
use compacter_core::{browser_gpu, cpu_device};
use wasm_bindgen::prelude::*;

/// A report as JSON, and the bytes that go beside it.
#[wasm_bindgen(getter_with_clone)]
#[derive(Debug)]
pub struct Message {
    /// The report.
    pub json: String,
    /// The bytes of an adapter or a checkpoint.
    pub bytes: Option<Vec<u8>>,
}

impl Message {
    fn new(mut report: Report) -> Result<Self, JsError> {
        let bytes = report.take_bytes();
        let json = serde_json::to_string(&report)?;
        Ok(Self { json, bytes })
    }
}

/// A desk for a worker's script.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Worker {
    desk: Desk,
}

#[wasm_bindgen]
impl Worker {
    /// Loads a base onto the device: on the graphics device if `gpu`, else on the CPU.
    pub async fn load(
        config: Vec<u8>,
        tokenizer: Vec<u8>,
        weights: Vec<u8>,
        gpu: bool,
    ) -> Result<Worker, JsError> {
        std::panic::set_hook(Box::new(|panic| {
            // The script reads it there: after a panic nothing of this module runs again.
            let words = panic.to_string();
            let global = js_sys::global();
            let _ = js_sys::Reflect::set(&global, &"trainerPanic".into(), &words.into());
        }));
        let device = match gpu {
            true => browser_gpu().await?,
            false => cpu_device(),
        };
        let desk = Desk::new(&config, &tokenizer, weights, &device)?;
        Ok(Self { desk })
    }

    /// The first report; the script knows the device and why it was chosen.
    pub fn ready(&self, device: String, reason: String) -> Result<Message, JsError> {
        let base = Box::new(self.desk.base().clone());
        Message::new(Report::Ready {
            device,
            reason,
            base,
        })
    }

    /// Does what a command asks.
    pub async fn receive(
        &mut self,
        json: String,
        bytes: Option<Vec<u8>>,
    ) -> Result<Option<Message>, JsError> {
        let command: Command = serde_json::from_str(&json)?;
        let report = self.desk.receive(command.with_bytes(bytes)).await;
        report.map(Message::new).transpose()
    }

    /// One step or one evaluation; nothing where no run is moving.
    pub async fn advance(&mut self) -> Result<Option<Message>, JsError> {
        let report = self.desk.advance().await;
        report.map(Message::new).transpose()
    }
}
