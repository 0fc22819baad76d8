//! A headless Chromium with a profile of its own, driven through its developer tools.
//!
//! It speaks their protocol over a pipe: JSON messages, each ended by a zero byte, to the browser's
//! descriptor 3 and from its descriptor 4. What goes wrong ends the test with a sentence.

use base64::prelude::*;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Nothing that reaches out, no sandbox (containers have none), WebGPU and WebGL on software adapters.
const FLAGS: [&str; 11] = [
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
    "--remote-debugging-pipe",
];
/// The pipe's two ends, which Rust gives as standard input and output, become descriptors 3 and 4.
const LAUNCH: &str = r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#;
/// For what the browser answers by itself; what a page takes time for names its own limit.
const PATIENCE: Duration = Duration::from_secs(60);

/// The browser with one page, closed when dropped.
pub(crate) struct Browser {
    child: Child,
    pipe: ChildStdin,
    messages: Receiver<Value>,
    /// The number of the last call.
    last: u64,
    /// The page's session; calls for the browser as a whole have none.
    page: Option<String>,
    /// The session of the worker that was started last.
    worker: Option<String>,
    loaded: bool,
    errors: Vec<String>,
    dialogs: Vec<String>,
    /// The input whose dialog for files was opened last.
    chooser: Option<u64>,
    profile: tempfile::TempDir,
}

impl Browser {
    /// A fresh profile and an empty page of 1280 × 800 points; `flags` are added to the usual ones.
    pub(crate) fn open(program: &str, flags: &[&str]) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut child = Command::new("sh")
            .args(["-c", LAUNCH, program])
            .args(FLAGS)
            .args(flags)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        let (sender, messages) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for message in output.split(0).map_while(Result::ok) {
                let message = serde_json::from_slice(&message).unwrap();
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut browser = Self {
            pipe: child.stdin.take().unwrap(),
            child,
            messages,
            last: 0,
            page: None,
            loaded: false,
            errors: Vec::new(),
            dialogs: Vec::new(),
            chooser: None,
            worker: None,
            profile,
        };
        browser.prepare();
        browser
    }

    /// Attaches to the empty page, and to service workers as they come.
    fn prepare(&mut self) {
        let start = Instant::now();
        // The browser has pages of its own, which are none of ours.
        let page = loop {
            let targets = self.ask(None, "Target.getTargets", json!({}), PATIENCE);
            let targets = targets.unwrap();
            let mut all = targets["targetInfos"].as_array().into_iter().flatten();
            if let Some(page) = all.find(|target| target["url"] == "about:blank") {
                break page["targetId"].clone();
            }
            assert!(start.elapsed() < PATIENCE, "the browser opens no page");
            std::thread::sleep(Duration::from_millis(20));
        };
        let asked = json!({ "targetId": page, "flatten": true });
        let reply = self.ask(None, "Target.attachToTarget", asked, PATIENCE);
        self.page = reply.unwrap()["sessionId"].as_str().map(str::to_string);
        self.attach_to_all(None, "service_worker");
        let allow = json!({ "behavior": "allow", "downloadPath": self.downloads() });
        self.ask(None, "Browser.setDownloadBehavior", allow, PATIENCE)
            .unwrap();
        self.call("Page.enable", json!({}));
        self.viewport(1280, 800);
    }

    /// Targets of a kind report to us from their first line on.
    fn attach_to_all(&mut self, session: Option<&str>, kind: &str) {
        let all = json!({
            "autoAttach": true, "waitForDebuggerOnStart": false, "flatten": true,
            "filter": [{ "type": kind }],
        });
        self.send(session, "Target.setAutoAttach", all);
    }

    fn downloads(&self) -> PathBuf {
        self.profile.path().join("downloads")
    }

    // What a test does.

    /// Opens an address and waits until it has loaded.
    pub(crate) fn navigate(&mut self, address: &str) {
        self.loaded = false;
        let reply = self.call("Page.navigate", json!({ "url": address }));
        assert_eq!(reply["errorText"], Value::Null, "{address}");
        self.until(PATIENCE, "the page's load event", |browser| browser.loaded);
    }

    /// Loads the page again and waits until it has loaded.
    pub(crate) fn reload(&mut self) {
        self.loaded = false;
        self.call("Page.reload", json!({}));
        self.until(PATIENCE, "the page's load event", |browser| browser.loaded);
    }

    /// The value of a script in the page, awaited if it is a promise; `await` may stand in the script.
    /// Fails with the script's error.
    pub(crate) fn try_evaluate(&mut self, script: &str, limit: Duration) -> Result<Value, String> {
        let page = self.page.clone();
        let asked = json!({
            "expression": script, "awaitPromise": true, "replMode": true, "userGesture": true,
        });
        let reply = self.ask(page.as_deref(), "Runtime.evaluate", asked, limit)?;
        let result = returned(reply)?;
        let Some(object) = result.get("objectId") else {
            return Ok(result["value"].clone());
        };
        // The above awaits what the script awaits, but not a promise that is its value.
        let asked = json!({
            "functionDeclaration": "async function() { return await this; }", "objectId": object,
            "awaitPromise": true, "returnByValue": true,
        });
        let reply = self.ask(page.as_deref(), "Runtime.callFunctionOn", asked, limit)?;
        Ok(returned(reply)?["value"].clone())
    }

    /// The value of a script in the page, which has a minute.
    pub(crate) fn evaluate(&mut self, script: &str) -> Value {
        self.try_evaluate(script, PATIENCE)
            .unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Waits until a script gives something true, and returns that.
    pub(crate) fn wait_for(&mut self, script: &str, limit: Duration) -> Value {
        let start = Instant::now();
        loop {
            // A page that is just being replaced answers with an error.
            let value = self.try_evaluate(script, PATIENCE);
            match &value {
                Err(_) | Ok(Value::Null | Value::Bool(false)) => {}
                Ok(value) if value == &json!(0) || value == "" => {}
                Ok(value) => return value.clone(),
            }
            assert!(
                start.elapsed() < limit,
                "{script}: still {value:?} after {limit:?}; errors: {:?}",
                self.errors
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Presses and releases the left button at a point of the page.
    pub(crate) fn click(&mut self, x: f64, y: f64) {
        for (kind, buttons, count) in [
            ("mouseMoved", 0, 0),
            ("mousePressed", 1, 1),
            ("mouseReleased", 0, 1),
        ] {
            let button = if count == 0 { "none" } else { "left" };
            let event = json!({
                "type": kind, "x": x, "y": y,
                "button": button, "buttons": buttons, "clickCount": count,
            });
            self.call("Input.dispatchMouseEvent", event);
        }
    }

    /// Clicks in the middle of the element that a selector names.
    pub(crate) fn click_on(&mut self, selector: &str) {
        let middle = format!(
            "(() => {{ const element = document.querySelector({selector:?}); element.scrollIntoView(); \
             const {{ x, y, width, height }} = element.getBoundingClientRect(); \
             return [x + width / 2, y + height / 2]; }})()"
        );
        let middle = self.evaluate(&middle);
        let at = |index: usize| middle[index].as_f64().unwrap();
        self.click(at(0), at(1));
    }

    /// Types a text where the focus is.
    pub(crate) fn type_text(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Presses and releases a key by its name: `Enter`, `Tab`, `Escape`, `Backspace`, `Delete`, arrows.
    pub(crate) fn press(&mut self, key: &str) {
        let (code, text) = match key {
            "Backspace" => (8, ""),
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            "Escape" => (27, ""),
            "ArrowLeft" => (37, ""),
            "ArrowUp" => (38, ""),
            "ArrowRight" => (39, ""),
            "ArrowDown" => (40, ""),
            "Delete" => (46, ""),
            _ => panic!("{key}: no such key here"),
        };
        for kind in ["keyDown", "keyUp"] {
            let text = if kind == "keyDown" { text } else { "" };
            let event = json!({
                "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text,
            });
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// Drops files from outside at a point of the page.
    pub(crate) fn drop_files(&mut self, x: f64, y: f64, files: &[&Path]) {
        let data = json!({ "items": [], "files": files, "dragOperationsMask": 1 });
        for kind in ["dragEnter", "dragOver", "drop"] {
            let event = json!({ "type": kind, "x": x, "y": y, "data": data });
            self.call("Input.dispatchDragEvent", event);
        }
    }

    /// Chooses files in the file input that a selector names, as its dialog would.
    pub(crate) fn choose_files(&mut self, selector: &str, files: &[&Path]) {
        let asked = json!({ "expression": format!("document.querySelector({selector:?})") });
        let reply = self.call("Runtime.evaluate", asked);
        let object = &reply["result"]["objectId"];
        let chosen = json!({ "files": files, "objectId": object });
        self.call("DOM.setFileInputFiles", chosen);
    }

    /// Runs a script in every page to come before its own.
    pub(crate) fn before_each_page(&mut self, script: &str) {
        let asked = json!({ "source": script });
        self.call("Page.addScriptToEvaluateOnNewDocument", asked);
    }

    /// Chooses files in the dialog that something the page does next will open.
    pub(crate) fn choose_in_dialog(&mut self, files: &[&Path], open: impl FnOnce(&mut Self)) {
        self.chooser = None;
        let intercept = |on: bool| json!({ "enabled": on });
        self.call("Page.setInterceptFileChooserDialog", intercept(true));
        open(self);
        self.until(PATIENCE, "a dialog for files", |browser| {
            browser.chooser.is_some()
        });
        let chosen = json!({ "files": files, "backendNodeId": self.chooser });
        self.call("DOM.setFileInputFiles", chosen);
        self.call("Page.setInterceptFileChooserDialog", intercept(false));
    }

    /// Sets the size of the page in points.
    pub(crate) fn viewport(&mut self, width: u32, height: u32) {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size);
    }

    /// Lets the system ask for dark or light pages.
    pub(crate) fn colour_scheme(&mut self, scheme: &str) {
        let feature = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call(
            "Emulation.setEmulatedMedia",
            json!({ "media": "", "features": feature }),
        );
    }

    /// Writes what is seen as a PNG file.
    pub(crate) fn screenshot(&mut self, path: &Path) {
        let reply = self.call("Page.captureScreenshot", json!({ "format": "png" }));
        let image = BASE64_STANDARD
            .decode(reply["data"].as_str().unwrap())
            .unwrap();
        std::fs::write(path, image).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// The bytes of a file that the page has downloaded under this name.
    pub(crate) fn downloaded(&mut self, name: &str) -> Vec<u8> {
        let path = self.downloads().join(name);
        // It has another name until it is whole; its own is reserved by an empty file.
        let whole = |path: &Path| path.metadata().is_ok_and(|file| file.len() > 0);
        self.until(PATIENCE, name, |_| whole(&path));
        std::fs::read(path).unwrap()
    }

    /// Errors since the last call of this: uncaught ones, those written to the console, those that the
    /// browser reports (files that did not load, what the page's policy forbids), of workers too.
    pub(crate) fn errors(&mut self) -> Vec<String> {
        // What the page says comes in order, but the network's part of the browser speaks for itself.
        self.evaluate("new Promise((resolve) => setTimeout(resolve, 300))");
        std::mem::take(&mut self.errors)
    }

    /// What the page asked in dialogs since the last call of this; each was answered with yes.
    pub(crate) fn dialogs(&mut self) -> Vec<String> {
        std::mem::take(&mut self.dialogs)
    }

    // How it is said to the browser.

    /// Calls a method for the page.
    fn call(&mut self, method: &str, parameters: Value) -> Value {
        let page = self.page.clone();
        self.ask(page.as_deref(), method, parameters, PATIENCE)
            .unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    fn send(&mut self, session: Option<&str>, method: &str, parameters: Value) -> u64 {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": parameters });
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.pipe
            .write_all(&bytes)
            .and_then(|()| self.pipe.flush())
            .expect("the browser has gone");
        self.last
    }

    fn ask(
        &mut self,
        session: Option<&str>,
        method: &str,
        parameters: Value,
        limit: Duration,
    ) -> Result<Value, String> {
        let id = self.send(session, method, parameters);
        let start = Instant::now();
        loop {
            let left = limit.saturating_sub(start.elapsed());
            let message = self.messages.recv_timeout(left);
            let mut message = message.map_err(|error| match error {
                RecvTimeoutError::Timeout => format!("no answer within {limit:?}"),
                RecvTimeoutError::Disconnected => "the browser has ended".to_string(),
            })?;
            if message["id"] != json!(id) {
                self.hear(&message);
            } else if let Some(error) = message.get("error") {
                return Err(error["message"].as_str().unwrap_or("refused").into());
            } else {
                return Ok(message["result"].take());
            }
        }
    }

    /// Listens until something is so.
    fn until(&mut self, limit: Duration, what: &str, done: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !done(self) {
            assert!(start.elapsed() < limit, "{what}: not within {limit:?}");
            if let Ok(message) = self.messages.recv_timeout(Duration::from_millis(50)) {
                self.hear(&message);
            }
        }
    }

    /// Takes in an event; answers to calls that nobody waits for pass.
    fn hear(&mut self, message: &Value) {
        let of = &message["params"];
        match message["method"].as_str().unwrap_or_default() {
            "Target.attachedToTarget" => {
                let session = text(&of["sessionId"]);
                self.attached(&session);
                if of["targetInfo"]["type"] == "worker" {
                    self.worker = Some(session);
                }
            }
            "Page.loadEventFired" => self.loaded = true,
            "Page.fileChooserOpened" => self.chooser = of["backendNodeId"].as_u64(),
            "Page.javascriptDialogOpening" => {
                self.dialogs.push(text(&of["message"]));
                let page = self.page.clone();
                let yes = json!({ "accept": true });
                self.send(page.as_deref(), "Page.handleJavaScriptDialog", yes);
            }
            "Runtime.exceptionThrown" => self.errors.push(exception(&of["exceptionDetails"])),
            "Runtime.consoleAPICalled" if of["type"] == "error" || of["type"] == "assert" => {
                let words = of["args"].as_array().into_iter().flatten();
                let words: Vec<_> = words.map(remote).collect();
                self.errors.push(words.join(" "));
            }
            "Log.entryAdded" if of["entry"]["level"] == "error" => {
                let entry = &of["entry"];
                self.errors
                    .push(format!("{} {}", text(&entry["text"]), text(&entry["url"])));
            }
            _ => {}
        }
    }

    /// The value of a script in the worker that was started last.
    pub(crate) fn evaluate_in_worker(&mut self, script: &str) -> Value {
        self.until(PATIENCE, "a worker", |browser| browser.worker.is_some());
        let worker = self.worker.clone();
        let asked = json!({
            "expression": script, "awaitPromise": true, "returnByValue": true,
        });
        let reply = self.ask(worker.as_deref(), "Runtime.evaluate", asked, PATIENCE);
        let result = returned(reply.unwrap()).unwrap_or_else(|error| panic!("{script}: {error}"));
        result["value"].clone()
    }

    /// Lets a page or worker report its errors, and those of the workers that it starts.
    fn attached(&mut self, session: &str) {
        // A kind of target that lacks one of these refuses it, which harms nobody.
        for domain in ["Runtime.enable", "Log.enable"] {
            self.send(Some(session), domain, json!({}));
        }
        self.attach_to_all(Some(session), "worker");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().into()
}

/// A value of the page in words.
fn remote(value: &Value) -> String {
    match (&value["value"], &value["description"]) {
        (Value::String(words), _) | (Value::Null, Value::String(words)) => words.clone(),
        (value, _) => value.to_string(),
    }
}

/// The object in the answer to a script, or the error that it threw.
fn returned(mut reply: Value) -> Result<Value, String> {
    match reply.get("exceptionDetails") {
        Some(details) => Err(exception(details)),
        None => Ok(reply["result"].take()),
    }
}

fn exception(details: &Value) -> String {
    match details.get("exception") {
        Some(exception) => remote(exception),
        None => text(&details["text"]),
    }
}
