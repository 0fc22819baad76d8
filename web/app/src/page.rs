//! The page's start: hands the canvas to the app, or says in words why it cannot.

use crate::home::Page;
use crate::link::{Link, PageWorker};
use crate::mirror::{Deed, Mirror};
use crate::{App, Opener};
use eframe::egui::Context;
use std::cell::RefCell;
use std::collections::VecDeque;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(raw_module = "./panic.js")]
extern "C" {
    /// Puts a page of words in place of the canvas.
    fn panicked(reason: &str);
}

#[wasm_bindgen(raw_module = "./mirror.js")]
extern "C" {
    fn show(json: &str);
    fn listen(listener: &Closure<dyn FnMut(String, String, String)>);
}

/// Mirrors the canvas into the page once someone asks for it there.
fn mirror(context: &Context) {
    let (mirror, deeds) = Mirror::new(show);
    context.add_plugin(mirror);
    let context = context.clone();
    let listener = Closure::new(move |deed: String, id: String, value: String| {
        let id = id.parse().unwrap_or_default();
        let deed = match deed.as_str() {
            "start" => Deed::Start,
            "click" => Deed::Click(id),
            _ => Deed::Set(id, value),
        };
        // The plugin lives as long as the page.
        let _ = deeds.send(deed);
        context.request_repaint();
    });
    listen(&listener);
    listener.forget();
}

/// Frames of which the times are kept.
const FRAMES: usize = 10_000;

thread_local! {
    static FRAME_TIMES: RefCell<VecDeque<f32>> = const { RefCell::new(VecDeque::new()) };
}

/// Notes the seconds that the app itself spent on a frame.
pub(crate) fn note_frame(seconds: Option<f32>) {
    FRAME_TIMES.with_borrow_mut(|times| {
        times.extend(seconds);
        if times.len() > FRAMES {
            times.pop_front();
        }
    });
}

/// The seconds that the app itself spent on each of the last frames, for whoever measures it.
#[wasm_bindgen(js_name = frameTimes)]
pub fn frame_times() -> Vec<f32> {
    FRAME_TIMES.with_borrow(|times| times.iter().copied().collect())
}

/// Shows the page for panics at once: after a panic nothing of this module runs again. Nobody calls
/// this but a test and someone who wants to see that page, from the browser's console.
#[wasm_bindgen(js_name = panicOnPurpose)]
pub fn panic_on_purpose(reason: &str) {
    panic!("{reason}");
}

/// Starts the app on the canvas `app`; on failure the element `status` says what happened.
pub fn start_page() {
    // eframe's own hook, set by its runner, logs the panic and then calls this one.
    std::panic::set_hook(Box::new(|panic| panicked(&panic.to_string())));
    wasm_bindgen_futures::spawn_local(async {
        let document = web_sys::window().and_then(|window| window.document());
        let Some(document) = document else { return };
        let canvas = document.get_element_by_id("app");
        let Some(canvas) = canvas.and_then(|element| element.dyn_into().ok()) else {
            return;
        };
        let runner = eframe::WebRunner::new();
        let started = runner.start(
            canvas,
            eframe::WebOptions::default(),
            Box::new(|context| {
                mirror(&context.egui_ctx);
                let open: Opener = Box::new(|context, start| {
                    Box::new(PageWorker::open(context, start)) as Box<dyn Link>
                });
                let home = Box::new(Page::open(&context.egui_ctx));
                Ok(Box::new(App::new(&context.egui_ctx, open, home)))
            }),
        );
        let words = match started.await {
            Ok(()) => None,
            Err(error) => Some(format!("The page cannot be drawn here: {error:?}")),
        };
        if let Some(status) = document.get_element_by_id("status") {
            match words {
                None => status.remove(),
                Some(words) => status.set_text_content(Some(&words)),
            }
        }
    });
}
