//! What lies around the app: what is kept between visits, files, the address of the page.

#[cfg(target_arch = "wasm32")]
mod page;
#[cfg(feature = "window")]
mod window;

use crate::state::Base;
use eframe::egui::DroppedFileHandle;
#[cfg(target_arch = "wasm32")]
pub use page::Page;
use std::collections::BTreeMap;
#[cfg(feature = "window")]
pub use window::Folder;

/// What came from outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Arrival {
    /// Everything that was kept, once, at the start.
    Kept(BTreeMap<String, Vec<u8>>),
    /// A file that was chosen or dropped.
    File {
        /// Its name.
        name: String,
        /// What is in it.
        bytes: Vec<u8>,
    },
    /// A base was chosen.
    Base(Base),
    /// The part of the page's address behind `#adapter=`.
    Link(String),
    /// Something went well that a person should know of.
    Notice(String),
    /// Something went wrong, in words.
    Trouble(String),
}

/// The place where the app runs; nothing here ever waits.
pub trait Home {
    /// Keeps bytes under a key, in place of what was there.
    fn keep(&self, key: &str, bytes: Vec<u8>);

    /// Forgets a key.
    fn forget(&self, key: &str);

    /// Gives the person a file.
    fn save(&self, name: &str, bytes: Vec<u8>);

    /// Gives the person a picture as PNG, from SVG.
    fn save_picture(&self, name: &str, svg: &str);

    /// Lets the person choose a file, which arrives later.
    fn pick(&self);

    /// Lets the person choose the files of a base.
    fn pick_base(&self);

    /// Reads a dropped file, which arrives later.
    fn read(&self, file: DroppedFileHandle);

    /// The address that opens an adapter of this text.
    fn link(&self, text: &str) -> String;

    /// Tells those who do not see the screen.
    fn say(&self, words: &str);

    /// The next arrival, if there is one.
    fn receive(&self) -> Option<Arrival>;
}
