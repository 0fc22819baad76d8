//! A headless Chromium with a profile of its own, closed when dropped.

use std::process::{Child, Command, Stdio};

pub(crate) struct Chromium {
    child: Child,
    _profile: tempfile::TempDir,
}

/// Nothing that reaches out, no sandbox (containers have none), WebGPU and WebGL on software adapters.
const FLAGS: [&str; 10] = [
    "--headless=new",
    "--no-sandbox",
    "--no-first-run",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--enable-unsafe-webgpu",
    "--enable-unsafe-swiftshader",
];

impl Chromium {
    pub(crate) fn open(program: &str, address: &str) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let child = Command::new(program)
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(address)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        Self {
            child,
            _profile: profile,
        }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
