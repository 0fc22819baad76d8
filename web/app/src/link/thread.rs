//! The trainer on a thread of the window's program.

use super::Link;
use crate::state::Device;
use compacter_core::train::{Command, Report};
use compacter_core::{Error, Result, block_on};
use compacter_trainer::Desk;
use eframe::egui::Context;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};

/// Commands to the thread, reports from it.
#[derive(Debug)]
pub struct Thread {
    commands: Sender<Command>,
    reports: Receiver<Report>,
}

impl Thread {
    /// Starts the thread, which loads the bundled base at once.
    pub fn open(context: &Context, device: Device) -> Self {
        let (commands, inbox) = channel();
        let (outbox, reports) = channel();
        let context = context.clone();
        std::thread::spawn(move || {
            let say = |report: Report| {
                let heard = outbox.send(report).is_ok();
                context.request_repaint();
                heard
            };
            if let Err(error) = work(&inbox, &say, device) {
                let message = error.to_string();
                say(Report::Gone { message });
            }
        });
        Self { commands, reports }
    }
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
fn work(inbox: &Receiver<Command>, say: &impl Fn(Report) -> bool, device: Device) -> Result<()> {
    let (device, name, reason) = choose(device)?;
    let mut desk = Desk::new(
        compacter_assets::CONFIG,
        compacter_assets::TOKENIZER,
        compacter_assets::WEIGHTS.to_vec(),
        &device,
    )?;
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
            Ok(command) => block_on(desk.receive(command)),
            Err(TryRecvError::Empty) => block_on(desk.advance()),
            Err(TryRecvError::Disconnected) => return Ok(()),
        };
        if report.is_some_and(|report| !say(report)) {
            return Ok(());
        }
    }
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
