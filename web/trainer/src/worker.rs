//! The browser's side: a module worker's script calls these, one call after the other.

use crate::Desk;
use compacter_core::data::Tokenizer;
use compacter_core::method::Method;
use compacter_core::t5::{Limits, Loader, Pass, Plan, Storage, T5Config};
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

/// A base on its way to the device, tensor by tensor.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Loading {
    config: T5Config,
    storage: Storage,
    loader: Loader,
}

/// Bytes as JavaScript counts them: exact up to 2^53.
fn bytes(number: f64) -> u64 {
    number as u64
}

#[wasm_bindgen]
impl Loading {
    /// Opens the device (the graphics device if `gpu`, else the CPU) for a base of these sizes, to
    /// be kept as `weights`: `f32`, `f16` or `int8`.
    pub async fn open(config: Vec<u8>, gpu: bool, weights: String) -> Result<Loading, JsError> {
        std::panic::set_hook(Box::new(|panic| {
            // The script reads it there: after a panic nothing of this module runs again.
            let words = panic.to_string();
            let global = js_sys::global();
            let _ = js_sys::Reflect::set(&global, &"trainerPanic".into(), &words.into());
        }));
        let config = T5Config::from_json(&config, "config.json")?;
        let storage: Storage = weights.parse()?;
        let device = match gpu {
            true => browser_gpu().await?,
            false => cpu_device(),
        };
        let loader = Loader::new(config.clone(), storage, &device);
        Ok(Self {
            config,
            storage,
            loader,
        })
    }

    /// What the base will take, in words, or an error that says what to lower; in bytes the largest
    /// buffer, the largest binding and the memory that may be used.
    pub fn plan(&self, buffer: f64, binding: f64, memory: f64) -> Result<String, JsError> {
        let pass = Pass {
            rows: 8,
            source: 128,
            target: 16,
            dropout: true,
            activation_checkpointing: false,
        };
        let method = Method::preset("compacter++", &self.config)?;
        let plan = Plan::new(&self.config, &method, self.storage, pass);
        plan.fits(&Limits {
            max_buffer: bytes(buffer),
            max_binding: bytes(binding),
            memory: Some(bytes(memory)),
        })?;
        let mega = |bytes: u64| bytes.div_ceil(1_000_000);
        Ok(format!(
            "{} MB of weights as {}, about {} MB for 8 rows of 128 tokens",
            mega(plan.weights),
            self.storage,
            mega(plan.activations)
        ))
    }

    /// Takes note of a file by its first bytes, all of its header, and its length.
    pub fn header(&mut self, file: &str, prefix: &[u8], length: f64) -> Result<(), JsError> {
        Ok(self.loader.header(file, prefix, Some(bytes(length)))?)
    }

    /// Every tensor to be taken, as JSON: `[[file, name, first byte, byte behind the last], …]`.
    pub fn slots(&self) -> Result<String, JsError> {
        let slots = self.loader.slots()?;
        let slots: Vec<_> = slots
            .into_iter()
            .map(|slot| (slot.file, slot.name, slot.start, slot.end))
            .collect();
        Ok(serde_json::to_string(&slots)?)
    }

    /// Takes one tensor's bytes to the device.
    pub fn take(&mut self, name: &str, bytes: &[u8]) -> Result<(), JsError> {
        Ok(self.loader.take(name, bytes)?)
    }

    /// Waits until the device has what was taken.
    pub async fn settle(&self) -> Result<(), JsError> {
        Ok(self.loader.settle().await?)
    }

    /// The desk of the loaded base.
    pub fn finish(self, tokenizer: &[u8]) -> Result<Worker, JsError> {
        let tokenizer = Tokenizer::from_bytes(tokenizer, "tokenizer.json")?;
        let desk = Desk::new(self.loader.finish()?, tokenizer);
        Ok(Worker { desk })
    }
}

#[wasm_bindgen]
impl Worker {
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
