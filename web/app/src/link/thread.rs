//! The trainer on a thread of the window's program.

use super::Link;
use crate::state::{Base, Device, Start};
use compacter_core::train::{Command, Report};
use compacter_core::{Error, Result, block_on, in_pool};
use compacter_trainer::Desk;
use eframe::egui::Context;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};

/// Commands to the thread, reports from it.
#[derive(Debug)]
pub struct Thread {
    commands: Sender<Command>,
    reports: Receiver<Report>,
}

impl Thread {
    /// Starts the thread, which loads the bundled base at once.
    pub fn open(context: &Context, start: &Start) -> Self {
        let (commands, inbox) = channel();
        let (outbox, reports) = channel();
        let (context, start) = (context.clone(), start.clone());
        std::thread::spawn(move || {
            let say = |report: Report| {
                let heard = outbox.send(report).is_ok();
                context.request_repaint();
                heard
            };
            // A driver that goes away ends in a panic of the engine; the window goes on.
            let worked = catch_unwind(AssertUnwindSafe(|| work(&inbox, &say, &start)));
            let message = match worked {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.to_string(),
                Err(panic) => format!("The trainer stopped: {}", words(&*panic)),
            };
            say(Report::Gone { message });
        });
        Self { commands, reports }
    }
}

/// What a panic said.
fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("it gave no reason")
}

impl Link for Thread {
    fn send(&self, command: Command) {
        let _ = self.commands.send(command);
    }

    fn receive(&self) -> Option<Report> {
        self.reports.try_recv().ok()
    }
}

/// Trains between commands until the window is gone.
fn work(inbox: &Receiver<Command>, say: &impl Fn(Report) -> bool, start: &Start) -> Result<()> {
    let (device, name, reason) = choose(start.device)?;
    let mut desk = load(start, &device)?;
    let base = Box::new(desk.base().clone());
    say(Report::Ready {
        device: name,
        reason,
        base,
    });
    loop {
        let command = match desk.is_moving() {
            true => inbox.try_recv(),
            false => inbox.recv().map_err(|_| TryRecvError::Disconnected),
        };
        let report = match command {
            Ok(command) => in_pool(|| block_on(desk.receive(command))),
            Err(TryRecvError::Empty) => in_pool(|| block_on(desk.advance())),
            Err(TryRecvError::Disconnected) => return Ok(()),
        };
        if report.is_some_and(|report| !say(report)) {
            return Ok(());
        }
    }
}

/// The base that is asked for: the bundled one, or that of a folder.
fn load(start: &Start, device: &compacter_core::Device) -> Result<Desk> {
    let folder = match &start.base {
        Base::Named(folder) => Some(folder.as_str()),
        Base::Bundled | Base::Files => None,
    };
    let opened = compacter::open_base(folder, start.weights, device);
    let (model, tokenizer) = opened.map_err(|error| Error::Setting(format!("{error:#}")))?;
    Ok(Desk::new(model, tokenizer))
}

/// A device, its short name and why it was taken.
fn choose(choice: Device) -> Result<(compacter_core::Device, String, String)> {
    let opened = compacter::open_device(choice.name());
    let (device, reason) = opened.map_err(|error| Error::Setting(format!("{error:#}")))?;
    let name = match reason.split_once(" (") {
        Some((name, _)) if !reason.starts_with("the CPU") => name.to_string(),
        _ => "CPU".into(),
    };
    Ok((device, name, reason))
}
