//! The window on a desktop, and the start of the page in a browser.
#![forbid(unsafe_code)]

#[cfg(feature = "window")]
fn main() -> eframe::Result {
    use compacter_web::home::Folder;
    use compacter_web::link::{Link, Thread};
    use compacter_web::{App, Opener};
    let size = [1280.0, 820.0];
    let viewport = eframe::egui::ViewportBuilder::default().with_inner_size(size);
    let options = eframe::NativeOptions {
        viewport,
        ..Default::default()
    };
    eframe::run_native(
        "Compacter",
        options,
        Box::new(|context| {
            let open: Opener =
                Box::new(|context, start| Box::new(Thread::open(context, start)) as Box<dyn Link>);
            let home = Box::new(Folder::open(&context.egui_ctx));
            Ok(Box::new(App::new(&context.egui_ctx, open, home)))
        }),
    )
}

#[cfg(not(feature = "window"))]
fn main() {
    #[cfg(target_arch = "wasm32")]
    compacter_web::start_page();
}
