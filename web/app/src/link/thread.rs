//! The trainer on a thread of the window's program.

use super::Link;
use compacter_core::train::{Command, Report};
use compacter_core::{Result, block_on, cpu_device};
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
    pub fn open(context: &Context) -> Self {
        let (commands, inbox) = channel();
        let (outbox, reports) = channel();
        let context = context.clone();
        std::thread::spawn(move || {
            let say = |report: Report| {
                let heard = outbox.send(report).is_ok();
                context.request_repaint();
                heard
            };
            if let Err(error) = work(&inbox, &say) {
                let message = error.to_string();
                say(Report::Failed { run: None, message });
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
fn work(inbox: &Receiver<Command>, say: &impl Fn(Report) -> bool) -> Result<()> {
    let mut desk = Desk::new(
        compacter_assets::CONFIG,
        compacter_assets::TOKENIZER,
        compacter_assets::WEIGHTS.to_vec(),
        &cpu_device(),
    )?;
    let base = Box::new(desk.base().clone());
    say(Report::Ready {
        device: "CPU".into(),
        reason: "the window trains on the CPU".into(),
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
