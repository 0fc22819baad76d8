//! How far a file has come: a bar on a terminal, a line for every tenth elsewhere.

use crate::output::{bytes, say};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;

/// From this size on a file is worth more than one line.
const LARGE: u64 = 1 << 20;

/// Progress of one file.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    name: String,
    size: Option<u64>,
    tenth: u64,
}

impl Progress {
    /// A file of `size` bytes, if that is known, of which `done` are there already.
    pub(super) fn new(name: &str, size: Option<u64>, done: u64) -> Self {
        let terminal = std::io::stderr().is_terminal() && size.is_none_or(|size| size >= LARGE);
        let bar = terminal.then(|| {
            let bar = size.map_or_else(ProgressBar::no_length, ProgressBar::new);
            let template = "{msg} {bytes}/{total_bytes} {wide_bar} {bytes_per_sec}, {eta} left";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.set_message(name.to_string());
            bar
        });
        if bar.is_none() {
            let whole = size.map(|size| format!(" ({})", shown(size)));
            let gone = if done > 0 { ", going on" } else { "" };
            say(format!(
                "fetching {name}{}{gone}",
                whole.unwrap_or_default()
            ));
        }
        let mut progress = Self {
            bar,
            name: name.to_string(),
            size,
            tenth: 0,
        };
        progress.tenth = progress.tenths(done);
        progress.at(done);
        progress
    }

    /// Now `done` bytes are there.
    pub(super) fn at(&mut self, done: u64) {
        match &self.bar {
            Some(bar) => bar.set_position(done),
            None if self.tenths(done) > self.tenth => {
                self.tenth = self.tenths(done);
                let (name, of) = (&self.name, shown(self.size.unwrap_or(done)));
                say(format!("{name}: {} % of {of}", self.tenth * 10));
            }
            None => {}
        }
    }

    /// Says something between.
    pub(super) fn say(&self, text: String) {
        match &self.bar {
            Some(bar) => bar.suspend(|| say(text)),
            None => say(text),
        }
    }

    fn tenths(&self, done: u64) -> u64 {
        match self.size {
            Some(size) if size >= LARGE => done.saturating_mul(10) / size,
            _ => 0,
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// `892.0 MiB`.
pub(super) fn shown(count: u64) -> String {
    bytes(usize::try_from(count).unwrap_or(usize::MAX))
}
