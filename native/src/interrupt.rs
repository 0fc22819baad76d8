//! Ctrl-C, SIGTERM and SIGHUP ask for a stop at the next step; a second one stops at once.

use anyhow::{Context, Result};
use std::sync::atomic::{AtomicBool, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);

/// From here on, these set what [`asked`] reads.
pub(crate) fn listen() -> Result<()> {
    ctrlc::set_handler(|| {
        if ASKED.swap(true, Ordering::SeqCst) {
            std::process::exit(1);
        }
        crate::output::say("\nstopping after this step; press Ctrl-C again to stop at once");
    })
    .context("Ctrl-C cannot be caught")
}

/// Whether one of them came.
pub(crate) fn asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}
