//! The page's start: hands the canvas to the app, or says in words why it cannot.

use crate::home::Page;
use crate::link::{Link, PageWorker};
use crate::{App, Opener};
use wasm_bindgen::JsCast;

/// Starts the app on the canvas `app`; on failure the element `status` says what happened.
pub fn start_page() {
    console_error_panic_hook::set_once();
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
                let open: Opener = Box::new(|context, device| {
                    Box::new(PageWorker::open(context, device)) as Box<dyn Link>
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
